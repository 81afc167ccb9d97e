// Opens one shared library: the one door to Boost.DLL. The bytes are hashed again at each load and
// the file may not change while it is opened. RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND, and never unloaded:
// handles are kept until the process ends. Called by plugin.cpp only; knows nothing of tables.
#pragma once

#include <mortise/entry.h>

#include <string>

#include "base/result.h"

namespace mortise::plugin {

using EntryFunction = mortise_status (*)(const mortise_hello*, mortise_hello_reply*);

// Opens `path` (absolute) when its SHA-256 is `sha256` (64 hex digits) and returns its
// mortise_entry_1. The same path and hash give the same library again. Errors: NOT_FOUND;
// DATA_LOSS naming both hashes when the file is not what the manifest says, or was exchanged while
// it was opened; PERMISSION_DENIED for a symbolic link or a file that others may write;
// FAILED_PRECONDITION with the linker's words when it does not load; INVALID_ARGUMENT when it has
// no mortise_entry_1. [any]
base::Result<EntryFunction> open_library(const std::string& path, const std::string& sha256);

// The checks of open_library on the bytes alone; for the private libraries of a pack.
base::Status check_library(const std::string& path, const std::string& sha256);

}  // namespace mortise::plugin
