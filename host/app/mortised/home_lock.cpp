// See home_lock.h.
#include "app/mortised/home_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/clock.h"

namespace mortise::daemon {
namespace {

using base::Code;
using base::Error;

constexpr int64_t kLockWaitMs = 100, kLockPollMs = 5;

// A client that asks whether the lock is held holds it for a moment itself.
bool lock(int descriptor) {
  for (int64_t waited_ms = 0; waited_ms < kLockWaitMs; waited_ms += kLockPollMs) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
    base::system_clock().sleep_ms(kLockPollMs);
  }
  return false;
}

}  // namespace

base::Result<HomeLock> HomeLock::take(base::FileOps& files, const std::string& home) {
  const std::string folder = base::join_path(home, "run");
  MORTISE_TRY(base::make_folders(files, folder));
  MORTISE_ASSIGN(const bool is_network, files.is_network(home));
  if (is_network) {
    return Error(Code::kUnimplemented, "The data root is on a network file system.",
                 "Put MORTISE_HOME on a local disk: the database is not safe elsewhere.")
        .at_file(home);
  }
  const std::string path = base::join_path(folder, "lock");
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return Error(Code::kPermissionDenied,
                 std::string("The lock cannot be opened: ") + std::strerror(errno) + ".")
        .at_file(path);
  }
  if (lock(descriptor)) {
    // The address of one that died goes before our number comes: who finds a living process in the
    // lock finds no address but its own.
    const auto removed = files.remove(base::join_path(folder, "address"));
    if (!removed.ok() && removed.error().code != Code::kNotFound) {
      ::close(descriptor);
      return removed.error();
    }
    // Who holds it, for `mortise down`; the lock itself is what counts.
    if (::ftruncate(descriptor, 0) == 0) ::dprintf(descriptor, "%d\n", ::getpid());
    return HomeLock(files, folder, descriptor);
  }
  ::close(descriptor);
  const auto address = base::read_file(files, base::join_path(folder, "address"), 4096);
  return Error(Code::kFailedPrecondition, "Another mortised has this data root.",
               address.ok() ? "It listens at " + *address
                            : "Stop it, or set MORTISE_HOME to another folder.")
      .at_file(home);
}

HomeLock::HomeLock(HomeLock&& other) noexcept
    : files_(other.files_), folder_(std::move(other.folder_)), descriptor_(other.descriptor_) {
  other.descriptor_ = -1;
}

HomeLock::~HomeLock() {
  if (descriptor_ < 0) return;
  (void)files_->remove(base::join_path(folder_, "address"));
  ::close(descriptor_);
}

base::Status HomeLock::write_address(const std::string& url) {
  return base::write_file_durably(*files_, base::join_path(folder_, "address"), url + "\n");
}

}  // namespace mortise::daemon
