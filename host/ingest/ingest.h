// An upload becomes a checked data set: rows are read through a format pack, mapped, checked, their
// media opened, and written as canonical JSON rows with a report. Called by the worker (task
// "ingest") and by `mortise dataset check`. Knows nothing of versions, grants or blobs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "ingest/field_map.h"
#include "ingest/finding.h"
#include "ingest/media_sink.h"
#include "ingest/set_check.h"
#include "ingest/upload_files.h"
#include "plugin/media_cells.h"

namespace mortise::ingest {

// The rows of an upload one by one; plugin_rows.h reads them through a format pack.
class RowSource {
 public:
  virtual ~RowSource() = default;
  struct Row {
    std::string text;                       // one JSON object
    int64_t byte_offset = -1;               // in its file
    size_t file = 0;                        // which of IngestRequest::rows_names
    std::vector<plugin::MediaField> media;  // what came inside the rows file
    std::shared_ptr<const void> owner;      // keeps the bytes of media alive
  };
  // False at the end. Errors: as the format pack gives them, with file, row and byte.
  virtual base::Result<bool> next(Row& row) = 0;
  // Begins again at the first row; false for a source that cannot.
  virtual base::Result<bool> rewind() { return false; }
};

struct IngestRequest {
  std::string task_type;
  std::vector<std::string> rows_names;  // as the user named the files of rows
  std::vector<std::pair<std::string, std::string>> overrides;  // --map target=source
  int64_t max_bad_rows = 0;
  bool patch = false;  // apply mechanical patches; leave bad rows out up to max_bad_rows
  const UploadFiles* upload = nullptr;  // required
  RowSink* rows = nullptr;              // null: only check, keep nothing
  MediaSink* media = nullptr;
  SetCheckOptions set;
};

struct IngestHooks {
  std::function<void(int64_t rows_done)> progress;  // may be empty
  std::function<bool()> is_cancelled;               // may be empty
};

// Reads everything, then decides. Good rows and what came inside the rows file go to the sinks as
// they come. The report comes back whether the data set is accepted or not. accepted is false when
// more than max_bad_rows rows are bad, or when rows are bad and patch is off.
struct IngestResult {
  Report report;
  bool accepted = false;
  std::vector<std::string> used_media;  // sorted names
};

// An unclear mapping is a finding, and nothing more is read. Errors: those of the source;
// CANCELLED; INVALID_ARGUMENT for an unknown task type or an upload without rows.
base::Result<IngestResult> run_ingest(RowSource& source, const IngestRequest& request,
                                      const IngestHooks& hooks);

}  // namespace mortise::ingest
