// Waiting for a job, with a progress bar.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "cli/http.h"

namespace mortise::cli {

// Follows the job until it is over; the job as it is then.
base::Result<base::Json> wait_for_job(Http& http, const std::string& id);

// The error of a job that did not end well: its own, or that it was cancelled. Exit code 1.
base::Error job_error(const base::Json& job);

}  // namespace mortise::cli
