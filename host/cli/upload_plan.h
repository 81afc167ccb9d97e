// What an upload consists of, as transfers: large files in parts that travel side by side, small
// ones together in bundles (tar), the rest one by one. The same files give the same plan, byte for
// byte, which is what lets an upload go on after a cut.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "cli/sealed_scratch.h"

namespace mortise::cli {

// Where files come from; those of one folder or archive share it.
struct UploadSource {
  std::string path;        // of the file itself, of the folder it lies below, or of its archive
  bool is_folder = false;  // the file's name goes on from the path
  std::shared_ptr<const SealedScratch> unpacked = nullptr;  // the bytes of an archive's files
};

struct UploadFile {
  std::string name;  // in the upload
  std::shared_ptr<const UploadSource> source;
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
  uint64_t begin_bytes = 0;  // in source->unpacked

  std::string path() const {  // where it, or the archive that holds it, lies here
    return source->is_folder ? base::join_path(source->path, name) : source->path;
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
  const UploadFile* file = nullptr;
  bool is_entry = false;
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
