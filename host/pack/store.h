// The content-addressed store of installed packs: <root>/<sha256 of pack.json>/. Called by
// `mortise plugin install|remove`. What is in it was verified once, is read-only, and is hashed
// again at every load (plugin/library).
#pragma once

#include <string>

#include "base/file_ops.h"
#include "base/result.h"
#include "pack/find.h"
#include "pack/manifest.h"
#include "pack/signature.h"

namespace mortise::pack {

// Hashes every file that the manifest lists and refuses a file that it does not list. Links and
// special files are refused. Errors: DATA_LOSS naming file and both hashes; NOT_FOUND naming a
// listed file that is missing; INVALID_ARGUMENT naming one that is not listed.
base::Status verify_files(base::FileOps& files, const Manifest& manifest);

struct Installed {
  Manifest manifest;  // root is the folder in the store
  std::string signer;
  bool was_there = false;  // the same bytes were installed before
};

// Verifies the signature (as `signatures` says) and all files of the pack in `source`, copies them
// into `store` under a temporary name, verifies the copy, makes it read-only and renames it. After
// an error nothing new is there. Errors: as verify and verify_files; RESOURCE_EXHAUSTED.
base::Result<Installed> install(base::FileOps& files, const std::string& source,
                                const std::string& store, SignaturePolicy signatures,
                                const Keyring& keyring, int64_t now_ns);

// Errors: NOT_FOUND; INVALID_ARGUMENT when sha256 is not 64 hex digits.
base::Status uninstall(base::FileOps& files, const std::string& store, const std::string& sha256);

}  // namespace mortise::pack
