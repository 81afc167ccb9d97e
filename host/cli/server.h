// Which server a command talks to: MORTISE_URL and MORTISE_TOKEN, else the private one of the data
// root, which is started when it does not run.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/http.h"

namespace mortise::cli {

// Errors: INVALID_ARGUMENT for a MORTISE_URL that is no http://host:port; UNAVAILABLE when nothing
// runs and may_start is false, or the server does not come up in 10 seconds.
base::Result<Http> connect(bool may_start = true);

// The private server's process, from $MORTISE_HOME/run. NOT_FOUND when none runs.
struct PrivateServer {
  Server server;
  int64_t pid = 0;
};
base::Result<PrivateServer> find_private_server();
base::Status stop_private_server();

}  // namespace mortise::cli
