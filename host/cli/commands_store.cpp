// `mortise store ...`: care for the sealed store of a server.
#include "cli/command.h"
#include "cli/http.h"
#include "cli/server.h"
#include "cli/show.h"

namespace mortise::cli {

using base::Json;
using base::Result;

namespace {

Result<int> post(const Arguments& arguments, const std::string& verb, const Json& body) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json facts, http.post("/api/v1/store/" + verb, body));
  show(arguments, facts);
  return facts["findings"].size() == 0 ? 0 : 1;
}

Result<int> compact(const Arguments& arguments) {
  Json body = Json::object();
  if (arguments.has("--grace-seconds")) {
    MORTISE_ASSIGN(const int64_t grace, arguments.integer("--grace-seconds", 0));
    body["grace_seconds"] = grace;
  }
  return post(arguments, "compact", body);
}

Result<int> scrub(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t rate, arguments.integer("--bytes-per-second", 0));
  return post(arguments, "scrub", Json::object({{"bytes_per_second", rate}}));
}

Result<int> backup(const Arguments& arguments) {
  return post(arguments, "backup", Json::object({{"target", arguments.text("folder")}}));
}

Result<int> rotate(const Arguments& arguments) {
  return post(arguments, "rotate", Json::object());
}

Result<int> shred(const Arguments& arguments) {
  return post(arguments, "shred", Json::object({{"dataset", arguments.text("name")}}));
}

}  // namespace

void add_store_commands(std::vector<Command>& out) {
  out.push_back({"store",
                 "compact",
                 "Take what nothing names any more out of the segments.",
                 {{"--grace-seconds", "N", "leave what is younger (86400)"}},
                 compact});
  out.push_back({"store",
                 "scrub",
                 "Read and authenticate every stored byte.",
                 {{"--bytes-per-second", "N", "at most so fast; 0: as fast as it goes"}},
                 scrub});
  out.push_back(
      {"store",
       "backup",
       "Database, wrapped keys and segments into a folder of the server's machine; the root key "
       "is not among them.",
       {{"folder", "DIR", "absolute", Take::kOne, true}},
       backup});
  out.push_back({"store", "rotate", "A new key-encryption key around every data key.", {}, rotate});
  out.push_back({"store",
                 "shred",
                 "Destroy the key of a data set, and with it every byte of all its versions.",
                 {{"name", "NAME", "of the data set", Take::kOne, true}},
                 shred});
}

}  // namespace mortise::cli
