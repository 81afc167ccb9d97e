// Exit codes of the command line and of the worker (contract section 3).
#pragma once

#include "base/result.h"

namespace mortise::job {

enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,  // the thing asked about failed
  kUsage = 2,
  kNotFound = 3,
  kDenied = 4,
  kNotReachable = 5,  // the server
  kConflict = 6,
  kCannotHere = 7,  // no device, memory, space; not in this build
};

// The code for an error of a command. UNAVAILABLE counts as "server not reachable".
ExitCode exit_code_of(const base::Error& error);

}  // namespace mortise::job
