// All routes in one table: method, path, handler, and the verb on the object that the access check
// asks for. schemas/openapi.yaml says the same; a test compares them.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "server/api.h"

namespace mortise::server {

enum class Verb { kPublic, kRead, kWrite, kDelete, kUse };
enum class Object { kServer, kDataset, kUpload, kModel, kJob, kEndpoint };

struct Route {
  std::string_view method;
  std::string_view path;  // "{name}" is one part, "{name...}" the rest of the path
  Answer (*handler)(Api& api, Request& request);
  Verb verb;
  Object object;
};

std::span<const Route> routes();

// Whether the path fits the template; fills the parameters.
bool match_path(std::string_view path_template, std::string_view path,
                std::map<std::string, std::string>& parameters);

// The route of a request, its parameters filled in. HEAD without a route of its own goes where GET goes. Errors: NOT_FOUND;
// 405 naming the methods that the path has.
base::Result<const Route*> find_route(Request& request);

}  // namespace mortise::server
