// See server.h.
#include "server/server.h"

#include <arpa/inet.h>

#include "base/crypto.h"
#include "base/log.h"
#include "job/error_json.h"
#include "server/routes.h"
#include "server/transfer_locks.h"
#include "server/tus.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::string_view kTokenPrefix = "mrt_";
constexpr std::string_view kHeaderDetail = "header:";  // a detail that goes out as a header

Response error_response(const std::string& path, const Error& error) {
  const int status = status_of(error);
  Error shown = error;
  std::erase_if(shown.details, [](const auto& detail) {
    return detail.first == "status" || detail.first.starts_with(kHeaderDetail);
  });
  Response response;
  response.status = status;
  if (path.starts_with("/v1/")) {
    response.body = job::openai_error_of(shown, status).dump() + "\n";
  } else {
    response.content_type = "application/problem+json";
    response.body = job::problem_of(shown, status).dump() + "\n";
  }
  for (const auto& [key, value] : error.details) {
    if (key == "allow") response.headers.emplace_back("Allow", value);
    if (key.starts_with(kHeaderDetail)) {
      response.headers.emplace_back(key.substr(kHeaderDetail.size()), value);
    }
  }
  if (path.starts_with("/api/v1/uploads")) {
    response.headers.emplace_back("Tus-Resumable", kTusVersion);
  }
  return response;
}

// Compares digests, so that neither the length nor a common beginning can be measured.
bool is_token(const std::string& given, const std::string& token) {
  return base::equal_constant_time(base::sha256(base::as_bytes(given)),
                                   base::sha256(base::as_bytes(token)));
}

}  // namespace

bool is_loopback(const std::string& address) {
  in_addr four{};
  if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  return address == "::1" || address == "localhost";
}

Result<std::string> owner_token(base::FileOps& files, base::Random& random,
                                const std::string& home) {
  const std::string path = base::join_path(home, "token");
  MORTISE_ASSIGN(const bool there, files.exists(path));
  if (!there) {
    const std::string token = std::string(kTokenPrefix) + base::random_hex(random, 32);
    MORTISE_TRY(base::write_file_durably(files, path, token + "\n"));
    return token;
  }
  MORTISE_ASSIGN(std::string token, base::read_file(files, path, 4096));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.size() >= 32) return token;
  return Error(Code::kDataLoss, "The owner's token is not whole.",
               "Remove the file; the next start makes a new one.")
      .at_file(path);
}

Status Server::admit(const Request& request) const {
  Request copy = request;
  const auto route = find_route(copy);
  if (!route.ok()) return route.error();
  if ((*route)->verb == Verb::kPublic || api_.token.empty()) return {};
  const std::string given = request.header("authorization");
  if (given.starts_with("Bearer ") && is_token(given.substr(7), api_.token)) return {};
  return Error(Code::kUnauthenticated,
               given.empty() ? "This needs a token." : "The token is not the right one.",
               "Send Authorization: Bearer with the token that $MORTISE_HOME/token holds.");
}

Result<Response> Server::answer(Request& request) {
  // admit() has seen the same head before the body came.
  MORTISE_ASSIGN(const Route* route, find_route(request));
  request.subject = route->verb == Verb::kPublic ? "" : "owner";
  return route->handler(api_, request);
}

Result<std::unique_ptr<Server>> Server::start(hub::Hub& hub, const ServerOptions& options) {
  if (options.token.empty() && !is_loopback(options.http.address)) {
    return Error(Code::kInvalidArgument,
                 "Without authentication the server listens on loopback only, not on " +
                     options.http.address + ".",
                 "Leave ENABLE_AUTH at true, or listen at 127.0.0.1.");
  }
  std::unique_ptr<Server> server(new Server);
  server->api_ = {.hub = &hub,
                  .token = options.token,
                  .version = options.version,
                  .device = options.device,
                  .started_ns = hub.clock().monotonic_ns(),
                  .headroom_bytes = options.headroom_bytes,
                  .locks = std::make_shared<TransferLocks>()};
  HttpOptions http = options.http;
  if (http.hosts.empty()) {
    http.hosts = is_loopback(http.address)
                     ? std::vector<std::string>{"localhost", "127.0.0.1", "[::1]"}
                     : std::vector<std::string>{http.address};
  }
  Server* self = server.get();
  MORTISE_ASSIGN(
      server->http_,
      HttpServer::start(
          http, [self](Request& request) { return self->answer(request); }, error_response,
          [self](const Request& request) { return self->admit(request); }));
  server->api_.http = server->http_.get();
  return server;
}

Server::~Server() {
  http_.reset();
}

}  // namespace mortise::server
