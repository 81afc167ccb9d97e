// One server a data root: a lock on HOME/run/lock for as long as the process lives, and the address
// in HOME/run/address for who looks for the server.
#pragma once

#include <string>

#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::daemon {

class HomeLock {
 public:
  // Errors: FAILED_PRECONDITION naming the server that has it; UNIMPLEMENTED on NFS and SMB, where
  // the database would not be safe.
  static base::Result<HomeLock> take(base::FileOps& files, const std::string& home);
  HomeLock(HomeLock&& other) noexcept;
  HomeLock& operator=(HomeLock&&) = delete;
  ~HomeLock();  // removes the address
  // The file holds one line, as in "http://127.0.0.1:7474".
  base::Status write_address(const std::string& url);

 private:
  HomeLock(base::FileOps& files, std::string folder, int descriptor)
      : files_(&files), folder_(std::move(folder)), descriptor_(descriptor) {}
  base::FileOps* files_;
  std::string folder_;
  int descriptor_;
};

}  // namespace mortise::daemon
