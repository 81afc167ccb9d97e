// Copies of a store: closed segments and wrapped keys into a folder of the same layout
// (segments/, keys/). Segments never change, so what is there already is not copied again. The root
// key is not copied: who has the backup alone reads nothing.
#pragma once

#include "store/store.h"

namespace mortise::store {

// Never half a file under the name: written beside it, synced, renamed. The caller syncs the
// folder.
base::Status copy_file(base::FileOps& files, const std::string& from, const std::string& to);

struct BackupFacts {
  uint64_t domains = 0, segments_copied = 0, segments_kept = 0, bytes_copied = 0;
};

// Finishes the open segments first; what is compacted into others meanwhile is copied from there.
// `domain_ids` empty: all. Every file is durable when this
// returns OK; after an error what was copied stays and the next call goes on from there.
base::Result<BackupFacts> backup(base::FileOps& files, Store& store, const std::string& target,
                                 const std::vector<std::string>& domain_ids = {});

// Copies the wrapped keys of a backup into an empty keys folder, and answers their domains.
// Errors: ALREADY_EXISTS when the folder holds keys.
base::Result<std::vector<std::string>> restore_keys(base::FileOps& files, const std::string& source,
                                                    const std::string& keys_folder);

// Copies the domains of a backup into a store's root, and nothing that lies beside them. Errors:
// ALREADY_EXISTS when it holds segments.
base::Result<BackupFacts> restore_segments(base::FileOps& files, const std::string& source,
                                           const std::string& root,
                                           const std::vector<std::string>& domain_ids);

// Both.
base::Result<BackupFacts> restore(base::FileOps& files, const std::string& source,
                                  const std::string& root, const std::string& keys_folder);

}  // namespace mortise::store
