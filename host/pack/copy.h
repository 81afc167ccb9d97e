// The steps that install and archive share: a pack's own texts, its list of files, and a copy that
// is hashed on the way. Knows nothing of where the copy goes.
#pragma once

#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "pack/manifest.h"

namespace mortise::pack {

struct PackText {
  std::string manifest;   // exact bytes of pack.json
  std::string signature;  // of pack.json.sig; empty when there is none
};
base::Result<PackText> read_pack_text(base::FileOps& files, const std::string& root);

// "files" and "libraries" together, each path once, sorted.
std::vector<FileEntry> listed_files(const Manifest& manifest);

// Appends the content of `from` to `to`. Errors: NOT_FOUND; INVALID_ARGUMENT for a link or special
// file; DATA_LOSS when the bytes do not have this hash (they are written all the same).
base::Status copy_hashed(base::FileOps& files, const std::string& from, base::File& to,
                         const std::string& sha256);

}  // namespace mortise::pack
