// Copies of a store: closed segments and wrapped keys into a folder of the same layout
// (segments/, keys/). Segments never change, so what is there already is not copied again. The root
// key is not copied: who has the backup alone reads nothing.
#pragma once

#include "store/store.h"

namespace mortise::store {

struct BackupFacts {
  uint64_t domains = 0, segments_copied = 0, segments_kept = 0, bytes_copied = 0;
};

// Finishes the open segments first. `domain_ids` empty: all. Every file is durable when this
// returns OK; after an error what was copied stays and the next call goes on from there.
base::Result<BackupFacts> backup(base::FileOps& files, Store& store, const std::string& target,
                                 const std::vector<std::string>& domain_ids = {});

// Copies a backup into a store's root and keys folder. Errors: ALREADY_EXISTS when either of them
// holds domains.
base::Result<BackupFacts> restore(base::FileOps& files, const std::string& source,
                                  const std::string& root, const std::string& keys_folder);

}  // namespace mortise::store
