// See launch.h.
#include "job/launch.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>

#include "base/file_ops.h"
#include "job/task.h"

namespace mortise::job {

base::Result<std::string> sibling_program(const std::string& name) {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
  if (size <= 0) {
    return base::Error(base::Code::kInternal, "The running program's own path cannot be read.");
  }
  const std::string own(buffer.data(), static_cast<size_t>(size));
  const std::string path = own.substr(0, own.rfind('/') + 1) + name;
  if (::access(path.c_str(), X_OK) != 0) {
    return base::Error(base::Code::kNotFound, name + " is not beside this program.",
                       "Install mortise, mortised and mortise-worker into one folder.")
        .at_file(path);
  }
  return path;
}

namespace {

struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

// Memory, not a file: the keys touch no disk and go with the last who holds the descriptor.
base::Status fill(int descriptor, const std::vector<std::byte>& bytes) {
  const ssize_t written = descriptor < 0 ? -1 : ::pwrite(descriptor, bytes.data(), bytes.size(), 0);
  if (written == static_cast<ssize_t>(bytes.size())) return {};
  return base::Error(base::Code::kResourceExhausted,
                     "The worker's keys cannot be handed over: no memory file.");
}

}  // namespace

base::Result<base::ProcessIdentity> launch_worker(base::Process& processes,
                                                  const LaunchOptions& options) {
  std::string program = options.worker_program;
  if (program.empty()) {
    MORTISE_ASSIGN(program, sibling_program("mortise-worker"));
  }
  base::SpawnOptions spawn;
  spawn.arguments = {program, options.task_folder};
  // Only what changes how the worker looks for its own files and talks to its devices. OpenMP's
  // threads sleep at their barriers: spinning ones fight the pool that packs work on (docs/log.md).
  spawn.environment = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + options.task_folder,
                       "TMPDIR=" + options.task_folder, "OMP_WAIT_POLICY=passive"};
  for (const char* name : {"DEVICE_TYPE", "DEPLOY_MODE", "MORTISE_HOME", "MORTISE_PACK_PATH", "TZ",
                           "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) {
      spawn.environment.push_back(std::string(name) + "=" + value);
    }
  }
  spawn.working_folder = options.task_folder;
  spawn.stdout_path = base::join_path(options.task_folder, kLogFile);
  spawn.stderr_path = spawn.stdout_path;
  if (options.log_to_stderr) spawn.descriptors = {{STDERR_FILENO, STDERR_FILENO}};
  const Descriptor keys{options.keys.empty() ? -1 : ::memfd_create("keys", MFD_CLOEXEC)};
  if (!options.keys.empty()) {
    MORTISE_TRY(fill(keys.number, options.keys));
    spawn.descriptors.emplace_back(keys.number, kKeysDescriptor);
  }
  auto started = processes.spawn(spawn);
  if (!started.ok()) {
    return std::move(started.error().with("worker_program", program));
  }
  return started;
}

}  // namespace mortise::job
