// See exit_code.h.
#include "job/exit_code.h"

namespace mortise::job {

ExitCode exit_code_of(const base::Error& error) {
  switch (error.code) {
    case base::Code::kOk:
      return ExitCode::kDone;
    case base::Code::kNotFound:
      return ExitCode::kNotFound;
    case base::Code::kPermissionDenied:
    case base::Code::kUnauthenticated:
      return ExitCode::kDenied;
    case base::Code::kUnavailable:
      return ExitCode::kNotReachable;
    case base::Code::kAlreadyExists:
    case base::Code::kAborted:
    case base::Code::kFailedPrecondition:
      return ExitCode::kConflict;
    case base::Code::kResourceExhausted:
    case base::Code::kUnimplemented:
      return ExitCode::kCannotHere;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace mortise::job
