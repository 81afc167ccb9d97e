// What jobs made, as readable files: the folders that the job's task sealed, opened with their
// keys. Called by run, which checks and publishes it, and by server, which gives it out.
#pragma once

#include <string>

#include "hub/hub.h"
#include "job/task.h"
#include "store/sealed_files.h"

namespace mortise::hub {

// The domain that the checkpoints and artifacts of a job are sealed in, all its attempts alike;
// made when it is new. Errors: FAILED_PRECONDITION when the keys are locked.
base::Result<std::string> domain_of_job(Hub& hub, const std::string& job_id);

struct MadeFiles {
  store::SealedFiles files;
  std::string domain;  // of what was made; empty: it was made before that was sealed
};
// By the attempt's task.json. Errors: as read_task; NOT_FOUND when the key was destroyed,
// FAILED_PRECONDITION when the keys are locked.
base::Result<MadeFiles> files_of_attempt(Hub& hub, const std::string& job_id, int64_t attempt);
// The same for the folder of a model.
base::Result<store::SealedFiles> files_of_model(Hub& hub, const Model& model);

}  // namespace mortise::hub
