// What lies beside the store in a home, models/ and jobs/: which of its files the database names,
// and copies of them from a home into a backup and back. Called by upkeep (backup), restore and
// verify. Bytes are copied as they rest; what jobs made stays sealed, and no key is needed.
//
// Copied: the files of each model that is ready; of each attempt its task, log and metrics, the
// artifacts that the database names, and whole checkpoints. Of an attempt under way only what a
// server that finds its worker gone can use: task, log and metrics as far as they go, and the
// newest checkpoint. It has no status there, so the job is queued again and goes on from that
// checkpoint. Left out: models without a row, scratch (adapter/ and model/ of a task folder, half
// checkpoints, segments that were not adopted), and what was sealed with a key that was shredded.
#pragma once

#include <string>
#include <vector>

#include "base/file_ops.h"
#include "hub/database.h"
#include "job/result.h"
#include "store/backup.h"

namespace mortise::hub {

struct ModelFiles {
  std::string id, reference, job_id, domain;  // domain: see Model
  std::vector<job::Artifact> files;
  std::string folder() const { return "models/" + id; }
};
struct JobFiles {
  std::string id, domain;
  int64_t attempt = 0;  // the newest; there may be files of those before
  bool is_running = false, is_shredded = false;
  std::vector<job::Artifact> artifacts;  // of the newest attempt, once the job is done
  std::string folder(int64_t of_attempt) const {
    return "jobs/" + id + "/" + std::to_string(of_attempt);
  }
};
struct HomeFiles {  // sorted by id
  std::vector<ModelFiles> models;
  std::vector<JobFiles> jobs;
};
base::Result<HomeFiles> read_home_files(Connection& connection);

struct BackupFacts : store::BackupFacts {
  uint64_t models = 0, jobs = 0, files_copied = 0, files_kept = 0;
};

// Files that the database names and that are not there, or have another size.
enum class Missing {
  kError,     // a backup: it would not hold what it says
  kLeaveOut,  // a restore: all else is brought back, and verify names what is missing
};

// From one folder that has models/ and jobs/ into another. A file comes under its name when it is
// whole, a checkpoint when all its files are; what is there with the same size is kept, since none
// of these files changes but by growing. Checkpoints that the job has dropped for newer ones go.
// Symbolic links are not followed. Every file is durable when this returns OK; after an error what
// was copied stays and the next call goes on from there. Adds to `facts`.
// Errors: DATA_LOSS naming the model or job and its file; of the disk.
base::Status copy_home_files(base::FileOps& files, const HomeFiles& named, const std::string& from,
                             const std::string& to, Missing missing, BackupFacts& facts);

}  // namespace mortise::hub
