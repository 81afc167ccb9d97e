// From a stored job to a task folder: references become folders and files that a worker can read.
// Called by runner. Knows where hub keeps things; knows nothing of processes.
#pragma once

#include <string>
#include <vector>

#include "hub/hub.h"
#include "job/task.h"

namespace mortise::run {

struct TaskDefaults {
  std::vector<std::string> pack_folders;
  int threads = 1;
  int64_t lease_ms = 0;
  std::string log_level = "info";
};

// Writes the task folder of the job's current attempt (dataset.json, task.json last) and closes the
// segments that the worker will read. What the job is going to make gets a domain of its own.
// Errors: NOT_FOUND naming the model or data set that is gone; as FileOps.
base::Result<job::Task> prepare_task(hub::Hub& hub, const hub::Job& job,
                                     const TaskDefaults& defaults);

// The keys of the task's domains end to end, as launch hands them over. The caller wipes them.
base::Result<std::vector<std::byte>> keys_of(hub::Hub& hub, const job::Task& task);

// The newest folder checkpoints/checkpoint-N of any attempt of the job; empty when there is none.
std::string newest_checkpoint(hub::Hub& hub, const hub::Job& job);
// The same, else that of the job it resumes, and so on back; empty when none has one. Errors: as
// Jobs::get.
base::Result<std::string> checkpoint_to_resume(hub::Hub& hub, const hub::Job& job);

}  // namespace mortise::run
