// Starts a mortise-worker on a task folder: the one way there is. Called by run for stored jobs and
// by cli for verbs that name a local path. The worker gets a clean environment, a session of its
// own and no descriptor of ours but the one that its keys are read from.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mortise::job {

struct LaunchOptions {
  std::string worker_program;  // absolute; empty: mortise-worker beside this program
  std::string task_folder;     // absolute, with a task.json
  // Handed over through the descriptor kKeysDescriptor and never written down; wiped by the caller.
  std::vector<std::byte> keys;
  bool log_to_stderr = false;  // cli: what the worker logs is seen; else it goes to log.txt
};

// Errors: NOT_FOUND when there is no worker program; as Process::spawn. [any]
base::Result<base::ProcessIdentity> launch_worker(base::Process& processes,
                                                  const LaunchOptions& options);
// The absolute path of `name` beside the running program.
base::Result<std::string> sibling_program(const std::string& name);

}  // namespace mortise::job
