// The control server's face: routes, access check and error words over HTTP. Made by app/mortised.
#pragma once

#include <memory>
#include <string>

#include "hub/hub.h"
#include "server/api.h"
#include "server/http.h"

namespace mortise::server {

struct ServerOptions {
  HttpOptions http;   // hosts is filled from the address when empty
  std::string token;  // empty: no authentication (loopback only)
  std::string version;
  std::string device = "cpu";   // of jobs that name none
  int64_t headroom_bytes = -1;  // as Api's
};

class Server {
 public:
  // Errors: as HttpServer::start; INVALID_ARGUMENT for no token on an address that is not loopback.
  static base::Result<std::unique_ptr<Server>> start(hub::Hub& hub, const ServerOptions& options);
  ~Server();
  uint16_t port() const { return http_->port(); }
  const HttpServer& http() const { return *http_; }

 private:
  Server() = default;
  base::Status admit(const Request& request) const;
  base::Result<Response> answer(Request& request);
  Api api_;
  std::unique_ptr<HttpServer> http_;
};

bool is_loopback(const std::string& address);

// Reads the owner's token from HOME/token, or makes one there, mode 0600.
base::Result<std::string> owner_token(base::FileOps& files, base::Random& random,
                                      const std::string& home);

}  // namespace mortise::server
