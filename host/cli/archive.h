// Archives taken apart within limits: zip, tar, tar.gz, tar.zst; the one door to libarchive. What
// an archive says of itself is not believed: bytes are counted as they come. Its names are
// strangers'.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/sealed_scratch.h"

namespace mortise::cli {

struct ArchiveLimits {
  uint64_t entries_max = 1'000'000;
  uint64_t entry_bytes_max = UINT64_C(64) << 30;
  uint64_t total_bytes_max = UINT64_C(256) << 30;
  uint64_t ratio_max = 200;        // bytes of content for each byte of the archive
  uint64_t ratio_free = 1u << 20;  // content that no ratio is asked of
};

// By the end of its name: .zip, .tar, .tar.gz, .tgz, .tar.zst, .tzst.
bool is_archive_name(std::string_view path);

struct UnpackedFile {
  std::string name;
  uint64_t begin_bytes = 0, size_bytes = 0;  // in the scratch
};

// The archive's files, in its order, appended to the scratch end to end, which is finished. Errors
// name archive and entry: INVALID_ARGUMENT for a link, a device, a hole, a password, a name that
// leaves the folder, comes twice or is a file and a folder, for a size or checksum that does not
// hold, and for a damaged archive; RESOURCE_EXHAUSTED over a limit.
base::Result<std::vector<UnpackedFile>> unpack_archive(const std::string& archive,
                                                       SealedScratch& scratch,
                                                       const ArchiveLimits& limits = {});

// An entry's name without leading "./". Errors: INVALID_ARGUMENT for one that leaves the folder in
// any spelling: besides base::check_relative_path drive letters, parts of dots and spaces only,
// percent escapes and Unicode look-alikes of dot and slash, control characters, bytes that are not
// UTF-8.
base::Result<std::string> checked_entry_name(std::string_view name);

}  // namespace mortise::cli
