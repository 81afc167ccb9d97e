// See child.h. The child writes its outcome as one JSON text into a pipe and ends; a child that
// ends without one died, and its death record says where.
#include "plugin/kit/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <utility>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "job/death_record.h"
#include "plugin/guard.h"
#include "plugin/trace.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

// A pipe holds it whole, so that a child never waits for whoever reads it later.
constexpr size_t kOutcomeBytesMax = 1u << 16;

std::string record_path(const std::string& folder) {
  return base::join_path(folder, job::kDeathRecordFile);
}
std::string print_path(const std::string& folder) {
  return base::join_path(folder, "printed");
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(descriptor, text.data(), text.size());
    if (size <= 0) return;
    text.remove_prefix(static_cast<size_t>(size));
  }
}

[[noreturn]] void live_as_child(const std::function<Outcome()>& body, const std::string& folder,
                                int answer) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int printed =
      ::open(print_path(folder).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(printed, STDOUT_FILENO);
  ::dup2(printed, STDERR_FILENO);
  // The parent's handlers would write into the parent's record.
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(number, SIG_DFL);
  const base::Status recorded = start_death_record(record_path(folder));
  Outcome outcome = recorded.ok() ? body() : Outcome(recorded.error());
  if (outcome.message.size() > kOutcomeBytesMax / 8) outcome.message.resize(kOutcomeBytesMax / 8);
  const Json told =
      Json::object({{"state", state_name(outcome.state)}, {"message", outcome.message}});
  write_all(answer, told.dump());
  ::_exit(0);  // no destructors: a plugin's own may be what is broken
}

// The last line that the child printed: "terminate called after throwing ...".
std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string line, last;
  for (size_t lines = 0; lines < 10'000 && std::getline(file, line); ++lines) {
    if (!line.empty()) last = line;
  }
  return last.substr(0, 300);
}

std::string death_text(const std::string& folder, int status) {
  const auto record = job::read_death_record(base::posix_file_ops(), record_path(folder));
  std::string text;
  if (record.ok()) text = record->text();
  if (WIFEXITED(status)) {
    text += " It ended the process with exit code " + std::to_string(WEXITSTATUS(status)) + ".";
  } else if (WIFSIGNALED(status) && (!record.ok() || record->signal == 0)) {
    text += " Signal " + std::to_string(WTERMSIG(status)) + " ended the process.";
  }
  const std::string line = last_line(print_path(folder));
  return line.empty() ? text : text + " It printed: " + line;
}

// Everything the child wrote, until it closed the pipe. False when time was over or is_cancelled.
bool read_answer(int descriptor, int64_t deadline_ns, const std::function<bool()>& is_cancelled,
                 std::string& answer) {
  for (;;) {
    const int64_t left_ms =
        std::max<int64_t>(0, (deadline_ns - base::system_clock().monotonic_ns()) / 1'000'000);
    if (is_cancelled && is_cancelled()) return false;
    pollfd waiting{descriptor, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left_ms, 100)));
    if (ready <= 0 && left_ms == 0) return false;  // what it said in time is read, however late
    if (ready <= 0) continue;
    char buffer[4096];
    const ssize_t size = ::read(descriptor, buffer, sizeof buffer);
    if (size <= 0) return true;
    if (answer.size() < kOutcomeBytesMax) answer.append(buffer, static_cast<size_t>(size));
  }
}

Outcome outcome_of(const std::string& answer, const std::string& folder, int status) {
  const auto told = base::parse_json(answer);
  const bool is_told = told.ok() && told->is_object() && WIFEXITED(status);
  if (!is_told) return {State::kCrash, death_text(folder, status)};
  return {state_of((*told)["state"].as_string()), (*told)["message"].as_string()};
}

}  // namespace

Result<Child> Child::start(const std::function<Outcome()>& body, const std::string& folder,
                           int64_t time_limit_ms) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Error(Code::kResourceExhausted, "No pipe could be made for a check.");
  }
  (void)this_trace();  // so that the trace knows of forks
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    live_as_child(body, folder, ends[1]);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return Error(Code::kResourceExhausted, "No process could be started for a check.");
  }
  ::setpgid(child, child);  // here too: whoever comes first
  return Child(child, ends[0], folder, time_limit_ms);
}

Child::Child(int pid, int answer, std::string folder, int64_t time_limit_ms)
    : pid_(pid),
      answer_(answer),
      folder_(std::move(folder)),
      time_limit_ms_(time_limit_ms),
      begin_ns_(base::system_clock().monotonic_ns()) {}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      answer_(std::exchange(other.answer_, -1)),
      folder_(std::move(other.folder_)),
      time_limit_ms_(other.time_limit_ms_),
      begin_ns_(other.begin_ns_),
      end_ns_(other.end_ns_) {}

Child::~Child() {
  if (pid_ > 0) end();
}

int Child::end() {
  ::close(answer_);
  ::kill(-pid_, SIGKILL);  // also what the plugin may have started
  ::kill(pid_, SIGKILL);   // it may not lead its group yet
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  end_ns_ = base::system_clock().monotonic_ns();
  return status;
}

Result<Outcome> Child::wait(const std::function<bool()>& is_cancelled) {
  std::string answer;
  const bool is_in_time =
      read_answer(answer_, begin_ns_ + time_limit_ms_ * 1'000'000, is_cancelled, answer);
  const int status = end();
  if (is_in_time) return outcome_of(answer, folder_, status);
  if (is_cancelled && is_cancelled()) return Error(Code::kCancelled, "The kit was cancelled.");
  const auto record = job::read_death_record(base::posix_file_ops(), record_path(folder_));
  std::string text = "It was not done after " + std::to_string(time_limit_ms_) + " ms.";
  if (record.ok() && !record->inside.empty()) text += " " + record->text();
  return Outcome{State::kTimeout, text};
}

double Child::seconds() const {
  return static_cast<double>(end_ns_ - begin_ns_) * 1e-9;
}

}  // namespace mortise::plugin::kit
