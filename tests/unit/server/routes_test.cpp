#include "server/routes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "schemas/schemas.h"

namespace mortise::server {
namespace {

// "get /api/v1/jobs/{id}" for each operation of openapi.yaml, whose paths stand two columns in and
// methods four.
std::set<std::string> documented() {
  std::set<std::string> found;
  std::string path;
  std::string_view text = schemas::text("openapi.yaml");
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with("components:")) break;
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    if (line.starts_with("    ") && line[4] != ' ' && !path.empty()) {
      found.insert(line.substr(4, line.size() - 5) + " " + path);
    }
  }
  return found;
}

std::set<std::string> implemented() {
  std::set<std::string> found;
  for (const Route& route : routes()) {
    std::string method(route.method), path(route.path);
    std::transform(method.begin(), method.end(), method.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (const size_t dots = path.find("..."); dots != std::string::npos) path.erase(dots, 3);
    found.insert(method + " " + path);
  }
  return found;
}

TEST(Routes, AreTheOnesThatOpenapiDescribes) {
  EXPECT_EQ(implemented(), documented());
}

TEST(Routes, ArePublicOnlyWhereNothingIsShown) {
  for (const Route& route : routes()) {
    if (route.verb != Verb::kPublic) continue;
    EXPECT_TRUE(route.path == "/healthz" || route.path == "/readyz" ||
                route.path == "/openapi.yaml" || route.method == "OPTIONS")
        << route.path;
  }
}

TEST(Routes, FillParameters) {
  std::map<std::string, std::string> found;
  EXPECT_TRUE(match_path("/a/{id}/files/{name...}", "/a/7/files/x/y.png", found));
  EXPECT_EQ(found["id"], "7");
  EXPECT_EQ(found["name"], "x/y.png");
  EXPECT_TRUE(match_path("/a", "/a", found));
  EXPECT_TRUE(found.empty());
}

TEST(Routes, DoNotFitOtherPaths) {
  std::map<std::string, std::string> found;
  for (const char* path : {"/a", "/a/", "/a//files/x", "/a/7/files", "/a/7/files/", "/b/7/files/x",
                           "a/7/files/x", ""}) {
    EXPECT_FALSE(match_path("/a/{id}/files/{name...}", path, found)) << path;
  }
  EXPECT_FALSE(match_path("/a", "/a/", found));
  EXPECT_FALSE(match_path("/a", "/a/b", found));
}

TEST(Routes, TellAnUnknownPathFromAnUnknownMethod) {
  Request request;
  request.method = "PUT";
  request.path = "/nowhere";
  EXPECT_EQ(find_route(request).error().code, base::Code::kNotFound);
  request.path = "/api/v1/jobs";
  const auto wrong = find_route(request);
  EXPECT_EQ(status_of(wrong.error()), 405);
  request.method = "HEAD";
  EXPECT_TRUE(find_route(request).ok());
}

}  // namespace
}  // namespace mortise::server
