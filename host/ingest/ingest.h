// An upload becomes a checked data set: rows are read through a format pack, mapped, checked, their
// media opened, and written as canonical JSON rows with a report. Called by the worker (task
// "ingest") and by `mortise dataset check`. Knows nothing of versions, grants or blobs.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "ingest/field_map.h"
#include "ingest/finding.h"

namespace mortise::ingest {

// The rows of an upload one by one; plugin_rows.h reads them through a format pack.
class RowSource {
 public:
  virtual ~RowSource() = default;
  struct Row {
    std::string text;          // one JSON object
    int64_t byte_offset = -1;  // in its file
    size_t file = 0;           // which of IngestRequest::rows_names
  };
  // False at the end. Errors: as the format pack gives them, with file, row and byte.
  virtual base::Result<bool> next(Row& row) = 0;
};

struct IngestRequest {
  std::string task_type;
  std::vector<std::string> rows_names;       // as the user named the files of rows
  std::map<std::string, std::string> media;  // name in the rows -> file on this machine
  std::vector<std::pair<std::string, std::string>> overrides;  // --map target=source
  int64_t max_bad_rows = 0;
  bool patch = false;         // apply mechanical patches; leave bad rows out up to max_bad_rows
  std::string output_folder;  // empty: only check, write nothing
};

struct IngestHooks {
  std::function<void(int64_t rows_done)> progress;  // may be empty
  std::function<bool()> is_cancelled;               // may be empty
};

// Reads everything, then decides. Writes rows.jsonl (canonical rows, one a line) and report.json
// into output_folder, durably. The report comes back whether the data set is accepted or not.
// accepted is false when more than max_bad_rows rows are bad, or when rows are bad and patch is
// off.
struct IngestResult {
  Report report;
  bool accepted = false;
  std::vector<std::string> used_media;  // sorted names
};

// Errors: those of the source; CANCELLED; INVALID_ARGUMENT for an unknown task type, an unclear
// mapping or an upload without rows.
base::Result<IngestResult> run_ingest(base::FileOps& files, RowSource& source,
                                      const IngestRequest& request, const IngestHooks& hooks);

}  // namespace mortise::ingest
