// `mortise up|down|status|doctor`: the private server and what is here.
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/command.h"
#include "cli/home.h"
#include "cli/local_task.h"
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

// The packs that are found, those whose manifest cannot be read, and the devices among them.
Result<Json> packs_found() {
  MORTISE_ASSIGN(const job::TaskResult listed,
                 run_local({.kind = "plugin.list", .shows_output = false}));
  Json packs = Json::array(), broken = Json::array(), devices = Json::array();
  for (const Json& pack : listed.record["packs_found"].items()) {
    if (pack.find("error") != nullptr) {
      broken.push_back(pack);
      continue;
    }
    packs.push_back(pack["id"].as_string() + " " + pack["version"].as_string());
    for (const Json& plugin : pack["plugins"].items()) {
      if (plugin["kind"].as_string().starts_with("device")) devices.push_back(plugin["id"]);
    }
  }
  return Json::object({{"packs", packs}, {"packs_broken", broken}, {"devices", devices}});
}

Result<int> doctor(const Arguments& arguments) {
  Json found = Json::object({{"home", home_folder()}});
  struct statvfs disk {};
  std::string there = home_folder();  // or where it will be made
  while (there.size() > 1 && ::access(there.c_str(), F_OK) != 0) {
    there.resize(std::max<size_t>(there.rfind('/'), 1));
  }
  if (::statvfs(there.c_str(), &disk) == 0) {
    found["disk_free_bytes"] = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  }
  const auto packs = packs_found();
  if (packs.ok()) {
    for (const auto& [name, value] : packs->members()) found[name] = value;
  } else {
    found["packs"] = packs.error().text();
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
  out.push_back({"doctor",
                 "",
                 "Data root, disk, packs, devices, server and its keys, isolation.",
                 {},
                 doctor});
}

}  // namespace mortise::cli
