// `mortise store ...`: care for the sealed store of a server; restore starts mortised for itself,
// since it is the one program that may hold keys.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"
#include "base/file_ops.h"
#include "cli/command.h"
#include "cli/home.h"
#include "cli/http.h"
#include "cli/local_task.h"
#include "cli/passphrase.h"
#include "cli/progress.h"
#include "cli/server.h"
#include "cli/show.h"
#include "job/launch.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

Result<int> post(const Arguments& arguments, const std::string& verb, const Json& body) {
  MORTISE_ASSIGN(Http http, connect());
  http.be_patient();
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

// What a run has found so far, and where it is: kept after each piece, so that the same command
// goes on from there. It names segments and chunks, never content.
class ScrubRecord {  // [serial]
 public:
  explicit ScrubRecord(std::string server) : server_(std::move(server)) {}

  // The report so far of a run that was cut in the last seven days; null when there is none.
  Json load() const {
    const auto text = base::read_file(files_, path_, kRecordBytesMax);
    const auto record = text.ok() ? base::parse_json(*text) : Result<Json>(text.error());
    if (!record.ok() || (*record)["server"].as_string() != server_) return {};
    const int64_t age_ns = base::system_clock().now_ns() - (*record)["saved_ns"].as_int();
    return age_ns < kRecordLifeNs ? (*record)["report"] : Json();
  }
  base::Status save(const Json& report) const {
    const Json record = Json::object(
        {{"server", server_}, {"saved_ns", base::system_clock().now_ns()}, {"report", report}});
    return base::write_file_durably(files_, path_, record.dump() + "\n");
  }
  void drop() const { (void)files_.remove(path_); }

 private:
  static constexpr int64_t kRecordLifeNs = INT64_C(7) * 86'400 * 1'000'000'000;
  static constexpr uint64_t kRecordBytesMax = UINT64_C(64) << 20;
  base::FileOps& files_ = base::posix_file_ops();
  const std::string path_ = base::join_path(home_folder(), "scrub.json");
  const std::string server_;  // its URL, or "private" for the one of this home
};

Result<int> scrub(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t rate, arguments.integer("--bytes-per-second", 0));
  MORTISE_ASSIGN(Http http, connect());
  http.be_patient();  // one record at a low rate
  MORTISE_TRY(base::make_folders(base::posix_file_ops(), home_folder()));
  const char* const url = std::getenv("MORTISE_URL");
  const ScrubRecord record(url == nullptr || *url == '\0' ? "private" : url);
  Json all = arguments.has("--anew") ? Json() : record.load();
  if (all.is_null()) {
    all = Json::object({{"domains", 0}, {"chunks_ok", 0}, {"bytes_read", 0}});
    all["findings"] = Json::array();
  } else {
    std::fputs("Going on where the last run was cut; --anew begins at the first record.\n", stderr);
  }
  {
    Progress progress;
    do {
      const Json body = Json::object({{"bytes_per_second", rate}, {"cursor", all["cursor"]}});
      MORTISE_ASSIGN(const Json report, http.post("/api/v1/store/scrub", body));
      for (const char* name : {"domains", "chunks_ok", "bytes_read"}) {
        all[name] = all[name].as_int() + report[name].as_int();
      }
      for (const Json& finding : report["findings"].items()) all["findings"].push_back(finding);
      all["cursor"] = report["cursor"];
      progress.show_bytes("scrub", all["bytes_read"].as_uint(),
                          std::max(all["bytes_read"].as_uint(), report["bytes_total"].as_uint()));
      if (all["cursor"].is_string()) MORTISE_TRY(record.save(all));
    } while (all["cursor"].is_string());
  }
  record.drop();
  all.erase("cursor");
  show(arguments, all);
  return all["findings"].size() == 0 ? 0 : 1;
}

// A piece of the store a request, so that there is progress and the server does nothing for long.
Result<int> verify(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  Json body = Json::object({{"reference", arguments.text("reference")}});
  Json all = Json::object(
      {{"versions", 0}, {"models", 0}, {"jobs", 0}, {"objects", 0}, {"bytes_read", 0}});
  all["findings"] = Json::array();
  {
    Progress progress;
    do {
      MORTISE_ASSIGN(const Json report, http.post("/api/v1/store/verify", body));
      for (const char* name : {"versions", "models", "jobs", "objects", "bytes_read"}) {
        all[name] = all[name].as_int() + report[name].as_int();
      }
      for (const Json& finding : report["findings"].items()) all["findings"].push_back(finding);
      int64_t done = 0, total = 0;
      for (const std::string name : {"versions", "models", "jobs"}) {
        done += all[name].as_int();
        total += report[name + "_total"].as_int();
      }
      progress.show("verify", done, total);
      body["cursor"] = report["cursor"];
    } while (body["cursor"].is_string());
  }
  show(arguments, all);
  return all["findings"].size() == 0 ? 0 : 1;
}

Result<int> unlock(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  const bool is_new = arguments.has("--new");
  MORTISE_ASSIGN(const std::string passphrase, read_passphrase(arguments, is_new));
  MORTISE_ASSIGN(const Json state,
                 http.post("/api/v1/store/unlock",
                           Json::object({{"passphrase", passphrase}, {"new", is_new}})));
  show(arguments, state);
  return 0;
}

// A file in memory: what is written to it is read by who gets its descriptor.
struct Scratch {
  int descriptor = ::memfd_create("mortise", MFD_CLOEXEC);
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  ~Scratch() { ::close(descriptor); }
  std::string text() const {
    std::string text(static_cast<size_t>(::lseek(descriptor, 0, SEEK_END)), '\0');
    const ssize_t got = ::pread(descriptor, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }
};

Result<int> run_to_its_end(const base::SpawnOptions& options) {
  MORTISE_ASSIGN(const auto child, base::system_process().spawn(options));
  for (;;) {
    const auto code = base::system_process().poll_exit(child);
    if (code.ok() || code.error().code != Code::kUnavailable) return code;
    base::system_clock().sleep_ms(20);
  }
}

Result<int> restore(const Arguments& arguments) {
  constexpr int kPassphrase = 3;
  MORTISE_ASSIGN(const std::string program, job::sibling_program("mortised"));
  const Scratch answer, passphrase;
  base::SpawnOptions options;
  options.arguments = {program, "--restore", absolute_path(arguments.text("folder"))};
  for (const char* name : {"--root-key", "--config"}) {
    if (!arguments.has(name)) continue;
    options.arguments.insert(options.arguments.end(), {name, absolute_path(arguments.text(name))});
  }
  options.environment = {"MORTISE_HOME=" + home_folder(), "PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
  options.working_folder = "/";
  options.descriptors = {{answer.descriptor, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  options.new_session = false;
  if (arguments.has("--passphrase") || names_passphrase(arguments)) {
    MORTISE_ASSIGN(std::string text, read_passphrase(arguments, false));
    const ssize_t size = static_cast<ssize_t>(text.size());
    const bool is_written = ::write(passphrase.descriptor, text.data(), text.size()) == size &&
                            ::lseek(passphrase.descriptor, 0, SEEK_SET) == 0;
    if (!is_written) return Error(Code::kInternal, "The passphrase cannot be handed over.");
    options.arguments.insert(options.arguments.end(),
                             {"--passphrase-descriptor", std::to_string(kPassphrase)});
    options.descriptors.emplace_back(passphrase.descriptor, kPassphrase);
  }
  MORTISE_ASSIGN(const int code, run_to_its_end(options));
  const std::string text = answer.text();
  if (text.empty()) return code;  // mortised has said why, on standard error
  MORTISE_ASSIGN(const Json facts, base::parse_json(text));
  show(arguments, facts);
  return code;
}

Result<int> backup(const Arguments& arguments) {
  return post(arguments, "backup",
              Json::object({{"target", absolute_path(arguments.text("folder"))}}));
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
  out.push_back(
      {"store",
       "scrub",
       "Read and authenticate every record of every segment; verify reads files of models "
       "and jobs. A run that was cut goes on.",
       {{"--bytes-per-second", "N", "at most so fast; 0: as fast as it goes"},
        {"--anew", "", "from the first record, though a run was cut", Take::kFlag}},
       scrub});
  out.push_back({"store",
                 "verify",
                 "Read all that versions, models and jobs name: rows and their ids, media, files.",
                 {{"reference", "REF", "one version of a data set; else all that is kept"}},
                 verify});
  out.push_back(
      {"store",
       "backup",
       "Database, wrapped keys, segments, models and what jobs left into a folder of the server's "
       "machine; the root key is not among them.",
       {{"folder", "DIR", "absolute", Take::kOne, true}},
       backup});
  out.push_back({"store",
                 "restore",
                 "A backup into the empty $MORTISE_HOME, and verify it; no server runs meanwhile.",
                 {{"folder", "DIR", "that store backup wrote", Take::kOne, true},
                  {"--root-key", "FILE", "keys/root.key of the home that was backed up"},
                  {"--passphrase", "", "ask for the passphrase, when there is one", Take::kFlag},
                  kPassphraseFile,
                  kPassphraseDescriptor,
                  {"--config", "FILE", "site.json, when it says where the root key is"}},
                 restore});
  out.push_back({"store",
                 "unlock",
                 "Give a locked server its passphrase; asks for it, or reads it from a file.",
                 {{"--new", "", "it is the first passphrase of a new home", Take::kFlag},
                  kPassphraseFile,
                  kPassphraseDescriptor},
                 unlock});
  out.push_back({"store", "rotate", "A new key-encryption key around every data key.", {}, rotate});
  out.push_back({"store",
                 "shred",
                 "Destroy the key of a data set, and with it every byte of all its versions.",
                 {{"name", "NAME", "of the data set", Take::kOne, true}},
                 shred});
}

}  // namespace mortise::cli
