// Starting, finding again and ending processes: fork and execve with everything prepared before the
// fork, so that the child makes only async-signal-safe calls. See clock.h.
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/file_ops.h"

namespace mortise::base {
namespace {

Result<std::string> boot_id() {
  MORTISE_ASSIGN(std::string text,
                 read_file(posix_file_ops(), "/proc/sys/kernel/random/boot_id", 4096));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

struct ProcStat {
  char state = '?';
  uint64_t start_ticks = 0;
};

Result<ProcStat> read_proc_stat(int64_t pid) {
  MORTISE_ASSIGN(const std::string text,
                 read_file(posix_file_ops(), "/proc/" + std::to_string(pid) + "/stat", 65536));
  // The name in parentheses may hold anything; fields go on after the last ")".
  const size_t close = text.rfind(')');
  ProcStat found;
  if (close == std::string::npos || close + 2 >= text.size()) {
    return Error(Code::kDataLoss, "/proc/" + std::to_string(pid) + "/stat cannot be read.");
  }
  found.state = text[close + 2];
  size_t at = close + 2;
  for (int field = 3; field < 22; ++field) at = text.find(' ', at) + 1;
  std::from_chars(text.data() + at, text.data() + text.size(), found.start_ticks);
  return found;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// What the child needs, made before the fork.
struct ChildPlan {
  std::vector<char*> arguments, environment;
  const char* working_folder;
  const char* stdout_path;
  const char* stderr_path;
  std::vector<std::pair<int, int>> descriptors;
  bool new_session;
  int error_pipe;
};

int open_output(const char* path) {
  if (*path == '\0') return ::open("/dev/null", O_WRONLY);
  return ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
}

void close_from(int first) {
#ifdef SYS_close_range
  if (::syscall(SYS_close_range, static_cast<unsigned>(first), ~0u, 0u) == 0) return;
#endif
  for (int descriptor = first; descriptor < 65536; ++descriptor) ::close(descriptor);
}

// In the child, after fork: async-signal-safe calls only. Returns only when it failed.
void run_child(ChildPlan& plan) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < 32; ++number) ::signal(number, SIG_DFL);
  if (plan.new_session) ::setsid();
  if (*plan.working_folder != '\0' && ::chdir(plan.working_folder) != 0) return;
  const int in = ::open("/dev/null", O_RDONLY);
  const int out = open_output(plan.stdout_path);
  const int err = open_output(plan.stderr_path);
  if (in < 0 || out < 0 || err < 0) return;
  // First out of the way of every number that is asked for, then each to its place.
  int highest = 3;
  for (const auto& [ours, theirs] : plan.descriptors) highest = std::max(highest, theirs + 1);
  const int base = std::max(highest, 64);
  const int moved_in = ::fcntl(in, F_DUPFD, base), moved_out = ::fcntl(out, F_DUPFD, base),
            moved_err = ::fcntl(err, F_DUPFD, base);
  const int pipe = ::fcntl(plan.error_pipe, F_DUPFD_CLOEXEC, base);
  for (auto& [ours, theirs] : plan.descriptors) {
    ours = ::fcntl(ours, F_DUPFD, base);
    if (ours < 0) return;
  }
  if (moved_in < 0 || moved_out < 0 || moved_err < 0 || pipe < 0) return;
  plan.error_pipe = pipe;
  ::dup2(moved_in, 0);
  ::dup2(moved_out, 1);
  ::dup2(moved_err, 2);
  for (int descriptor = 3; descriptor < highest; ++descriptor) ::close(descriptor);
  for (const auto& [ours, theirs] : plan.descriptors) {
    if (::dup2(ours, theirs) < 0) return;
  }
  // All but the report pipe is closed at execve.
  if (::dup2(pipe, highest) < 0) return;
  ::fcntl(highest, F_SETFD, FD_CLOEXEC);
  plan.error_pipe = highest;
  close_from(highest + 1);
  ::execve(plan.arguments[0], plan.arguments.data(), plan.environment.data());
}

class SystemProcess final : public Process {
 public:
  Result<ProcessIdentity> spawn(const SpawnOptions& options) override {
    if (options.arguments.empty() || options.arguments[0].empty() ||
        options.arguments[0][0] != '/') {
      return Error(Code::kInvalidArgument, "A program is started by its absolute path.");
    }
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) {
      return Error(Code::kResourceExhausted,
                   std::string("Cannot make a pipe: ") + std::strerror(errno) + ".");
    }
    ChildPlan plan{pointers_to(options.arguments),
                   pointers_to(options.environment),
                   options.working_folder.c_str(),
                   options.stdout_path.c_str(),
                   options.stderr_path.c_str(),
                   options.descriptors,
                   options.new_session,
                   pipe_ends[1]};
    const pid_t pid = ::fork();
    if (pid == 0) {
      run_child(plan);
      const int number = errno;
      (void)!::write(plan.error_pipe, &number, sizeof number);
      ::_exit(127);
    }
    const int fork_errno = errno;
    ::close(pipe_ends[1]);
    int child_errno = 0;
    ssize_t got = 0;
    do {
      got = ::read(pipe_ends[0], &child_errno, sizeof child_errno);
    } while (got < 0 && errno == EINTR);
    ::close(pipe_ends[0]);
    if (pid < 0) {
      return Error(Code::kResourceExhausted,
                   std::string("Cannot start a process: ") + std::strerror(fork_errno) + ".");
    }
    if (got == sizeof child_errno) {
      ::waitpid(pid, nullptr, 0);
      return Error(child_errno == ENOENT ? Code::kNotFound : Code::kUnknown,
                   std::string("Cannot start the program: ") + std::strerror(child_errno) + ".")
          .at_file(options.arguments[0]);
    }
    return identify_process(pid);
  }

  bool is_alive(const ProcessIdentity& identity) override {
    const auto boot = boot_id();
    if (!boot.ok() || *boot != identity.boot_id) return false;
    const auto stat = read_proc_stat(identity.pid);
    return stat.ok() && stat->start_ticks == identity.start_ticks && stat->state != 'Z' &&
           stat->state != 'X';
  }

  Status signal(const ProcessIdentity& identity, int number) override {
    // The descriptor pins the process, so the check and the signal are about the same one.
    const int descriptor =
        static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(identity.pid), 0u));
    const bool pinned = descriptor >= 0;
    const bool alive = is_alive(identity);
    long result = -1;
    if (alive && pinned) result = ::syscall(SYS_pidfd_send_signal, descriptor, number, nullptr, 0u);
    if (alive && !pinned) result = ::kill(static_cast<pid_t>(identity.pid), number);
    if (pinned) ::close(descriptor);
    if (result == 0) return {};
    return Error(Code::kNotFound,
                 "The process " + std::to_string(identity.pid) + " does not run any more.");
  }

  Result<int> poll_exit(const ProcessIdentity& identity) override {
    // A child of ours keeps its number until it is asked here; a number with another start is
    // another process.
    const auto stat = read_proc_stat(identity.pid);
    if (!stat.ok() || stat->start_ticks != identity.start_ticks) {
      return Error(Code::kNotFound,
                   "The process " + std::to_string(identity.pid) + " is gone, or not ours.");
    }
    int status = 0;
    const pid_t got = ::waitpid(static_cast<pid_t>(identity.pid), &status, WNOHANG);
    if (got == 0) {
      return Error(Code::kUnavailable,
                   "The process " + std::to_string(identity.pid) + " is still running.");
    }
    if (got < 0) {
      return Error(Code::kNotFound,
                   "The process " + std::to_string(identity.pid) + " is not a child of this one.");
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  Result<uint64_t> private_bytes(const ProcessIdentity& identity) override {
    MORTISE_ASSIGN(
        const std::string text,
        read_file(posix_file_ops(), "/proc/" + std::to_string(identity.pid) + "/status", 65536));
    constexpr std::string_view kField = "\nRssAnon:";  // "RssAnon:      1234 kB"
    const size_t at = text.find(kField);
    if (at == std::string::npos || !is_alive(identity)) {
      return Error(Code::kNotFound,
                   "The process " + std::to_string(identity.pid) + " does not run any more.");
    }
    return std::strtoull(text.c_str() + at + kField.size(), nullptr, 10) * 1024;
  }
};

}  // namespace

Process& system_process() {
  static SystemProcess instance;
  return instance;
}

Result<ProcessIdentity> identify_process(int64_t pid) {
  MORTISE_ASSIGN(const ProcStat stat, read_proc_stat(pid));
  MORTISE_ASSIGN(std::string boot, boot_id());
  return ProcessIdentity{pid, stat.start_ticks, std::move(boot)};
}

}  // namespace mortise::base
