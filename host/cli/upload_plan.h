// What an upload consists of, as transfers: large files in parts that travel side by side, small
// ones together in bundles (tar), the rest one by one. The same files give the same plan, byte for
// byte, which is what lets an upload go on after a cut.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/sealed_scratch.h"

namespace mortise::cli {

struct UploadFile {
  std::string name, path;  // name in the upload; where it, or the archive that holds it, lies here
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
  // Of a file of an archive: its bytes, and where they begin in there. nullptr: they lie at `path`.
  std::shared_ptr<const SealedScratch> unpacked = nullptr;
  uint64_t begin_bytes = 0;

  // Whether it is the same file as in another run of the command.
  bool operator==(const UploadFile& other) const {
    return name == other.name && path == other.path && size_bytes == other.size_bytes &&
           modified_ns == other.modified_ns;
  }
};

// All files below a folder, sorted by name. Errors: INVALID_ARGUMENT naming a link, a device, a
// socket or a pipe.
base::Result<std::vector<UploadFile>> files_below(const std::string& folder);
// One file with its facts. Errors: as above; NOT_FOUND.
base::Result<UploadFile> file_at(const std::string& path, std::string name);

// A stretch of a transfer: bytes of one file here. In a bundle it is an entry of a tar: a header
// stands before the bytes and zeros behind them; both are made when they are read.
struct Stretch {
  std::string name;  // of an entry; "" for bare bytes
  const UploadFile* file = nullptr;
  uint64_t begin_bytes = 0, size_bytes = 0;  // of the file
  uint64_t at_bytes = 0;                     // where it begins in the transfer
};

struct Transfer {
  // A whole has no bytes of its own: it joins the parts that stand before it in the plan.
  enum class Kind { kFile, kBundle, kPart, kWhole };
  Kind kind = Kind::kFile;
  std::string name = {};  // of the file that it is or belongs to; "" for a bundle
  size_t part_count = 0;  // of a whole
  uint64_t size_bytes = 0;
  std::vector<Stretch> stretches = {};

  // Fills the buffer from offset on; all of it lies within the transfer. Errors: DATA_LOSS naming a
  // file that has another size than when it was planned; of reading. [parallel]
  base::Status read_at(uint64_t offset, std::span<std::byte> buffer) const;
};

struct PlanLimits {
  uint64_t small_bytes = 1u << 20;    // a file of at most so many may travel in a bundle
  uint64_t bundle_bytes = 32u << 20;  // and a bundle ends when it has so many
  size_t bundle_files = 2'000;
  size_t bundle_from = 16;           // fewer small files are not worth one
  uint64_t large_bytes = 32u << 20;  // a file of more travels in parts
  uint64_t parts = 4;
};

// Every file once: large ones first, each as its parts in their order and then the whole. The plan
// points to the files.
std::vector<Transfer> plan_transfers(const std::vector<UploadFile>& files,
                                     const PlanLimits& limits = {});
std::vector<Transfer> plan_transfers(std::vector<UploadFile>&& files,
                                     const PlanLimits& limits = {}) = delete;

}  // namespace mortise::cli
