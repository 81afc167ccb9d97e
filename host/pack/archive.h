// A pack as one file: a plain ustar archive (POSIX.1-1988) of regular files, sorted by path, with
// owner, time and mode fixed, so that equal packs give equal bytes. Called by `mortise plugin pack`
// and `install`. The reader takes nothing but that: no links, devices, absolute or ".." paths.
#pragma once

#include <cstdint>
#include <string>

#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::pack {

struct ArchiveLimits {
  uint64_t files_max = 10'000;
  uint64_t size_bytes_max = UINT64_C(8) << 30;  // all contents together
};

// Writes pack.json, pack.json.sig when it is there, and every listed file of the pack in `root`.
// Verifies the hashes on the way. Errors: as verify_files; ALREADY_EXISTS for `archive`.
base::Status write_archive(base::FileOps& files, const std::string& root,
                           const std::string& archive);

// Unpacks into the folder `root`, which must be absent or empty. After an error the folder is
// removed. Errors: INVALID_ARGUMENT or DATA_LOSS naming the byte of the header at fault;
// RESOURCE_EXHAUSTED over a limit; ALREADY_EXISTS for a path given twice.
base::Status read_archive(base::FileOps& files, const std::string& archive, const std::string& root,
                          const ArchiveLimits& limits = {});

}  // namespace mortise::pack
