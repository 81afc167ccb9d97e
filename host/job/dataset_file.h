// dataset.json: one version of a data set as a worker gets it. Written by run (from hub) and by
// cli for local files, read by engine/data and evaluate.
#pragma once

#include <map>
#include <string>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

struct DatasetFile {
  std::string name;
  int64_t version = 0;                       // 0: not stored, a local file
  std::string task_type;                     // "vqa"
  // Either plain files (tests, local commands) or objects of the task's domain.
  std::string rows_file;                     // canonical JSON rows, one a line; absolute
  std::map<std::string, std::string> media;  // name in the rows -> file; absolute
  std::string domain;                        // of the objects
  std::string rows_object, media_object;     // a row table and a name table of the store
  std::string digest;                        // "sha256:..." of the version's manifest
  int64_t row_count = 0;

  base::Json to_json() const;
};

// Errors: as FileOps; INVALID_ARGUMENT naming file and field.
base::Result<DatasetFile> read_dataset_file(base::FileOps& files, const std::string& path);
base::Status write_dataset_file(base::FileOps& files, const std::string& path,
                                const DatasetFile& dataset);

}  // namespace mortise::job
