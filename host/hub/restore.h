// A home, wherever it is to be, from a backup: wrapped keys, segments, database, models and what
// jobs left, and the root key that was kept apart. No server runs meanwhile; the caller holds the
// lock of the home. Called by app/mortised.
#pragma once

#include <string>

#include "base/file_ops.h"
#include "hub/home_files.h"
#include "hub/key_lock.h"

namespace mortise::hub {

struct RestoreOptions {
  std::string source;      // the folder that hub::backup wrote; only read
  std::string root_key;    // the 32 bytes of keys/root.key; "": the source of the key has it
  std::string passphrase;  // of RootKeySource::Kind::kPassphrase
  RootKeySource key_source;
};

// The home may hold run/ and nothing else, or what a restore that was cut has left: it is begun
// anew. The root key is tried before the first segment is copied; the home is whole and opens when
// this returns OK, and does not open before. What the backup lacks is left out, for verify to name.
// Jobs that were running have no process in this home; the next start queues them again.
// Errors: NOT_FOUND when the source is no backup; ALREADY_EXISTS when the home is not empty;
// UNAUTHENTICATED, PERMISSION_DENIED for another root key or passphrase; of the disk.
base::Result<BackupFacts> restore(base::FileOps& files, base::Clock& clock, base::Random& random,
                                  const std::string& home, const RestoreOptions& options);

// FAILED_PRECONDITION while a restore into the home is unfinished.
base::Status check_restored(base::FileOps& files, const std::string& home);

}  // namespace mortise::hub
