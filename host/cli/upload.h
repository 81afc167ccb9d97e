// The one way from files here to a version of a data set: they go up one by one, each durable
// before the next, then the check runs as a job. Called by `dataset upload` and `dataset import`.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/command.h"

namespace mortise::cli {

struct UploadFile {
  std::string name, path;  // name in the upload; where it lies here
};

// options: the body of POST /api/v1/uploads. rows_path: of a rows file that was given alone, whose
// media lie beside it and are sent when the check misses them; else empty. Shows the result; what
// is wrong with rows goes to standard error. Errors: of the server; of the check's job.
base::Result<int> upload_files(const Arguments& arguments, const base::Json& options,
                               const std::vector<UploadFile>& files, const std::string& rows_path);
// The findings of a report, one a line, on standard error.
void show_findings(const base::Json& report);

}  // namespace mortise::cli
