// Care for what is stored: compaction, backup, destruction of a data set (scrub.h and verify.h
// read it). Called by server (the store's routes) and at start. Each may be cut at any call and
// done again.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "hub/home_files.h"
#include "hub/hub.h"
#include "store/keyring.h"
#include "store/upkeep.h"

namespace mortise::hub {

// Takes the dead chunks of all domains out of their segments. Live is what versions that are not
// shredded, and uploads that are not removed, name. Domains that a running job uses are left, those
// into which something is being stored for longer than the grace, and segments younger than it.
struct CompactFacts : store::CompactFacts {
  uint64_t domains_busy = 0;  // left
};
base::Result<CompactFacts> compact(Hub& hub, const store::CompactOptions& options);

// Database snapshot, wrapped keys, segments, models and what jobs left (home_files.h) into a
// folder; the root key is not among them. What is there from an earlier backup is not copied again.
// The database comes first: all that it names is in what follows. It takes the place of the
// earlier one last: until then, and after an error, the earlier backup is whole. Segments that are
// compacted meanwhile are looked for again; folders of models that are deleted stay until a start.
// Errors: INVALID_ARGUMENT for a folder in the home; as copy_home_files.
base::Result<BackupFacts> backup(Hub& hub, const std::string& target);

// Destroys the key of a data set's domain, and with it every byte of all its versions and uploads;
// under "job:ID" that of a job, and with it its checkpoints, artifacts and models.
// Answers the certificate, which is kept: {dataset, domain, key_id, kek_version, versions
// [{reference, digest, state, row_count}], segments, chunks, stored_bytes, begun_at, shredded_at}.
// Errors: NOT_FOUND; FAILED_PRECONDITION while a job uses it.
base::Result<base::Json> shred(Hub& hub, const std::string& dataset);
// The certificates of a name, oldest first.
base::Result<base::Json> certificates(Hub& hub, const std::string& dataset);

// At start: data sets whose key is gone, for a shred was cut after it, are marked so. Their
// certificate says "found_at_start" in place of what was counted.
base::Status note_shredded(Hub& hub);

}  // namespace mortise::hub
