// `mortise bench NAME`: prints one JSON line. A worker measures "check" and "ingest"; for any other
// name the program bench_NAME that lies beside this one is run in its place.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/file_ops.h"
#include "cli/bench_ingest.h"
#include "cli/command.h"
#include "cli/local_task.h"
#include "job/launch.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::string_view kPrefix = "bench_";

// "check, ingest, read, store": what a worker measures, and what there is beside this program.
Result<std::string> names_beside(const std::string& program) {
  MORTISE_ASSIGN(const auto entries,
                 base::posix_file_ops().list(program.substr(0, program.rfind('/'))));
  std::string names;
  for (const base::FileInfo& entry : entries) {
    if (entry.is_folder || !entry.name.starts_with(kPrefix)) continue;
    names += ", " + entry.name.substr(kPrefix.size());
  }
  return "check, ingest" + names;
}

Result<int> bench(const Arguments& arguments) {
  const std::string name = arguments.text("name");
  if (name == "check") {
    MORTISE_ASSIGN(const int64_t rows, arguments.integer("--rows", 100'000));
    MORTISE_ASSIGN(
        const job::TaskResult result,
        run_local({.kind = "bench.check", .arguments = base::Json::object({{"rows", rows}})}));
    return result.ok ? 0 : 1;
  }
  if (name == "ingest") return bench_ingest(arguments);
  MORTISE_TRY(base::check_relative_path(name));
  MORTISE_ASSIGN(const std::string self, job::sibling_program("mortise"));
  const std::string program = self.substr(0, self.rfind('/') + 1) + std::string(kPrefix) + name;
  MORTISE_ASSIGN(const bool exists, base::posix_file_ops().exists(program));
  if (name.find('/') != std::string::npos || !exists) {
    MORTISE_ASSIGN(const std::string names, names_beside(self));
    return Error(Code::kNotFound, "There is no measurement \"" + name + "\".",
                 "There are: " + names + ".");
  }
  ::execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
  return Error(Code::kInternal, std::string("It does not start: ") + std::strerror(errno) + ".")
      .at_file(program);
}

}  // namespace

void add_bench_commands(std::vector<Command>& out) {
  out.push_back({"bench",
                 "",
                 "Measure; one JSON line of figures, with limits probed in the same run.",
                 {{"name", "NAME", "check, ingest, read, store, kernels, ...", Take::kOne, true},
                  {"--rows", "N", "check: rows of about 620 bytes (100000)"},
                  {"--folder", "DIR", "ingest: on the disk to measure (MORTISE_HOME)"},
                  {"--files", "N", "ingest: small files of 3,000 bytes (30000)"},
                  {"--media-bytes", "N", "ingest: of incompressible bytes (268435456)"},
                  {"--http", "", "ingest: also through the server", Take::kFlag}},
                 bench});
}

}  // namespace mortise::cli
