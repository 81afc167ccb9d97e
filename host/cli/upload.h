// The one way from files here to an upload on the server, and from there to a version of a data
// set. Called by `dataset upload`, `dataset import` and `model import`.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/command.h"
#include "cli/upload_plan.h"
#include "cli/upload_record.h"
#include "cli/upload_send.h"

namespace mortise::cli {

// The place of the record of a command: told apart by what it does, the server, the options of the
// upload and the paths. Errors: as RecordPlace::open.
base::Result<RecordPlace> record_place(const std::string& verb, const base::Json& options,
                                       const std::vector<std::string>& paths);

// Makes an upload that holds the files, or goes on with the one of the record; its id. place:
// nullptr for an upload that is never gone on with; else the caller drops the record when the
// upload has served. Errors: of the server, of reading; what was sent stays.
base::Result<std::string> bring_files(const base::Json& options,
                                      const std::vector<UploadFile>& files,
                                      const RecordPlace* place, const SendSettings& settings = {});

struct DatasetUpload {
  base::Json options;  // the body of POST /api/v1/uploads
  std::vector<UploadFile> files;
  // Of a rows file that was given alone, whose media lie beside it and are sent when the check
  // misses them; else empty.
  std::string rows_path;
  const RecordPlace* place = nullptr;  // as of bring_files
  SendSettings settings = {};
};

// Files, check, version. Shows the result; what is wrong with rows goes to standard error. Errors:
// of bring_files; of the check's job.
base::Result<int> upload_files(const Arguments& arguments, const DatasetUpload& wanted);
// The findings of a report, one a line, on standard error.
void show_findings(const base::Json& report);

}  // namespace mortise::cli
