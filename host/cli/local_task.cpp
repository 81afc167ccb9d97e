// See local_task.h.
#include "cli/local_task.h"

#include <signal.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "base/file_ops.h"
#include "cli/home.h"
#include "cli/progress.h"
#include "job/channel.h"
#include "job/death_record.h"
#include "job/launch.h"
#include "job/status.h"
#include "job/task.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr int64_t kPollMs = 5;

volatile sig_atomic_t interrupted = 0;
void on_interrupt(int) {
  interrupted = 1;
}

std::string temporary_folder() {
  const char* base = std::getenv("TMPDIR");
  return base::join_path(base == nullptr || *base != '/' ? "/tmp" : base,
                         "mortise-" + base::random_hex(base::system_random(), 8));
}

// Removed with all that is in it, whatever happens.
struct TaskFolder {
  std::string path = temporary_folder();
  ~TaskFolder() { (void)base::remove_tree(base::posix_file_ops(), path); }
};

Status spool_input(const std::string& path) {
  MORTISE_ASSIGN(auto file, base::posix_file_ops().open(path, base::OpenMode::kCreateNew));
  std::vector<std::byte> buffer(1 << 16);
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0) return Error(Code::kDataLoss, "Standard input cannot be read.");
    if (got == 0) break;
    MORTISE_TRY(file->write(std::span(buffer).first(static_cast<size_t>(got))));
  }
  // The last line may lack its end; the worker reads whole lines.
  MORTISE_ASSIGN(const uint64_t size, file->size());
  if (size > 0) {
    std::byte last{};
    MORTISE_TRY(file->read_at(size - 1, std::span(&last, 1)));
    if (last != std::byte{'\n'}) MORTISE_TRY(file->write(std::as_bytes(std::span("\n", 1))));
  }
  return file->close();
}

Status copy_output(const std::string& path) {
  base::FileOps& files = base::posix_file_ops();
  MORTISE_ASSIGN(const bool there, files.exists(path));
  if (!there) return {};
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kRead));
  std::vector<std::byte> buffer(1 << 16);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t got, file->read_at(offset, buffer));
    std::fwrite(buffer.data(), 1, got, stdout);
    offset += got;
    if (got < buffer.size()) break;
  }
  return std::fflush(stdout) == 0 ? Status{} : Error(Code::kDataLoss, "Cannot write the output.");
}

// Follows the status file until the worker has ended; the last line is how it ended.
Result<job::StatusLine> follow(const std::string& folder, const base::ProcessIdentity& worker) {
  job::StatusReader reader(base::posix_file_ops(), folder);
  Progress progress;
  job::StatusLine last;
  bool asked = false;
  while (true) {
    const bool is_alive = base::system_process().is_alive(worker);
    MORTISE_ASSIGN(const auto lines, reader.read());
    for (const job::StatusLine& line : lines) {
      progress.show(line.phase, line.step, line.steps_total);
      last = line;
    }
    if (interrupted != 0 && !asked) {
      asked = true;
      if (auto channel = job::ChannelClient::connect(folder); channel.ok()) {
        (void)(*channel)->call(base::Json::object({{"verb", "cancel"}}));
      }
    }
    if (!is_alive) break;
    base::system_clock().sleep_ms(kPollMs);
  }
  return last;
}

}  // namespace

std::string absolute_path(const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  char here[PATH_MAX];
  return ::getcwd(here, sizeof here) == nullptr ? path : base::join_path(here, path);
}

Result<job::TaskResult> run_local(const LocalTask& local) {
  base::FileOps& files = base::posix_file_ops();
  TaskFolder folder;
  job::Task task;
  task.id = "local";
  task.kind = local.kind;
  task.inputs.arguments = local.arguments;
  task.output_folder = base::join_path(folder.path, job::kArtifactsFolder);
  task.threads = static_cast<int>(std::thread::hardware_concurrency());
  const char* level = std::getenv("LOG_LEVEL");
  task.log_level = level == nullptr ? "warning" : level;
  MORTISE_TRY(job::write_task(files, folder.path, task));
  if (local.reads_input) MORTISE_TRY(spool_input(base::join_path(folder.path, "input")));
  ::setenv("MORTISE_HOME", home_folder().c_str(), 1);  // absolute; the worker inherits it
  ::signal(SIGINT, on_interrupt);
  job::LaunchOptions options;
  options.task_folder = folder.path;
  options.log_to_stderr = true;
  MORTISE_ASSIGN(const auto worker, job::launch_worker(base::system_process(), options));
  MORTISE_ASSIGN(const job::StatusLine last, follow(folder.path, worker));
  auto code = base::system_process().poll_exit(worker);
  while (!code.ok() && code.error().code == Code::kUnavailable) {  // its threads are still ending
    base::system_clock().sleep_ms(kPollMs);
    code = base::system_process().poll_exit(worker);
  }
  if (!job::is_final(last.state)) {
    const std::string status = code.ok() ? std::to_string(*code) : "unknown";
    return job::death_error(
        files, folder.path,
        "The worker died during " + local.kind + " (exit status " + status + ")",
        "With LOG_LEVEL=debug the worker says what it does.");
  }
  if (last.error) return *last.error;
  if (local.shows_output) MORTISE_TRY(copy_output(base::join_path(folder.path, "output")));
  return job::read_result(files, folder.path);
}

}  // namespace mortise::cli
