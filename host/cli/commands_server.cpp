// `mortise up|down|status|doctor`: the private server and what is here.
#include <sys/statvfs.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/home.h"
#include "cli/server.h"
#include "cli/show.h"

namespace mortise::cli {

using base::Json;
using base::Result;

namespace {

Result<int> up(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(http.get("/readyz"));
  show(arguments, Json::object({{"url", http.server().url()}, {"home", home_folder()}}));
  return 0;
}

Result<int> down(const Arguments& arguments) {
  MORTISE_TRY(stop_private_server());
  show(arguments, Json::object({{"stopped", true}}));
  return 0;
}

Result<int> status(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect(false));
  MORTISE_ASSIGN(Json session, http.get("/api/v1/session"));
  session["url"] = http.server().url();
  show(arguments, session);
  return 0;
}

Result<int> doctor(const Arguments& arguments) {
  Json found = Json::object({{"home", home_folder()}});
  struct statvfs disk {};
  if (::statvfs(home_folder().c_str(), &disk) == 0) {
    found["disk_free_bytes"] = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  }
  auto http = connect(false);
  found["server"] = http.ok() ? Json(http->server().url()) : Json(http.error().text());
  if (http.ok()) {
    const auto ready = http->get("/readyz");
    found["ready"] = ready.ok() ? *ready : Json(ready.error().text());
  }
  found["isolation_level"] = "L0";
  found["isolation_note"] = "Workers run as the server's own user, without a sandbox.";
  show(arguments, found);
  return 0;
}

}  // namespace

void add_server_commands(std::vector<Command>& out) {
  out.push_back({"up", "", "Start the private server; print its address.", {}, up});
  out.push_back({"down", "", "Stop the private server; running jobs go on.", {}, down});
  out.push_back({"status", "", "Whether the server runs, and what it holds.", {}, status});
  out.push_back({"doctor", "", "Data root, disk, server, isolation.", {}, doctor});
}

}  // namespace mortise::cli
