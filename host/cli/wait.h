// Long work with a progress bar: sending files, waiting for a job.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/http.h"

namespace mortise::cli {

// Sends each {name, path} as a file of the upload.
base::Status send_files(Http& http, const std::string& upload_id,
                        const std::vector<std::pair<std::string, std::string>>& files);

// Follows the job until it is over; the job as it is then.
base::Result<base::Json> wait_for_job(Http& http, const std::string& id);

// The error of a job that did not end well: its own, or that it was cancelled. Exit code 1.
base::Error job_error(const base::Json& job);

}  // namespace mortise::cli
