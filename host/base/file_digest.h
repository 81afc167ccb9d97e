// The digest of a file that is read through a FileOps, so of the bytes that its reader sees: of a
// sealed file, the plain ones. Called by whoever records or checks artifacts.
#pragma once

#include <string>

#include "base/crypto.h"
#include "base/file_ops.h"

namespace mortise::base {

// Errors: as FileOps::open and File::read_at. [any]
Result<Digest> sha256_file(FileOps& files, const std::string& path);

}  // namespace mortise::base
