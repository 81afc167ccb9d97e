// Media that came inside a format's files: names them, writes the names into the row, has the bytes
// checked and hands them to the sink. One medium is in memory at a time. Called by ingest.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "ingest/media_check.h"
#include "ingest/media_sink.h"
#include "plugin/media_cells.h"

namespace mortise::ingest {

class MediaIntake {  // [serial]
 public:
  // sink: null keeps nothing.
  MediaIntake(const UploadFiles& uploaded, MediaCheck& check, MediaSink* sink)
      : uploaded_(uploaded), check_(check), sink_(sink) {}

  // Sets row[field] to the name, or the list of names, of each medium; answers the names that were
  // made. A range that is a whole file of the upload keeps that file's name and makes none.
  // row_number: from 1. Errors: INVALID_ARGUMENT for a member that leaves the upload, DATA_LOSS for
  // a range past its end, RESOURCE_EXHAUSTED above 1 GiB; those of files and sink.
  base::Result<std::vector<std::string>> take(base::Json& row,
                                              const std::vector<plugin::MediaField>& media,
                                              int64_t row_number);
  base::Status drop(const std::vector<std::string>& names);  // of a row that is left out

 private:
  struct Place;
  base::Result<base::Json> take_cell(const plugin::MediumCell& cell, const Place& place,
                                     std::vector<std::string>& made);
  base::Result<bool> read_range(const plugin::MediumCell& cell);
  base::Result<std::string> name_of(const plugin::MediumCell& cell, base::ByteView bytes,
                                    const Place& place);
  base::Result<bool> is_free(const std::string& name) const;

  const UploadFiles& uploaded_;
  MediaCheck& check_;
  MediaSink* sink_;
  std::set<std::string> names_, folders_;  // taken
  std::string buffer_;                     // the medium of a range
};

// The usual ending of a file with these bytes ("png", "wav"), or "" for unknown ones.
std::string media_ending(base::ByteView bytes);

}  // namespace mortise::ingest
