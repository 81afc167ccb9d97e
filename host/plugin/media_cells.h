// Columns of media in a format's batch (the convention is in sdk/include/mortise/kind/format.h).
// Called by format.cpp; ingest takes what it gives. Knows nothing of files or names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugin/arrow_rows.h"

namespace mortise::plugin {

// One medium: bytes, or the bytes [offset, offset + length) of member.
struct MediumCell {
  bool is_null = false;    // a gap in a list
  std::string name;        // suggested; may be empty, unsafe or taken
  std::string_view bytes;  // valid as long as the batch
  std::string member;      // as the format was given it; empty when bytes count
  int64_t offset = 0, length = 0;
};

// What one row has in one column.
struct MediaField {
  std::string field;
  bool is_list = false;
  std::vector<MediumCell> items;  // exactly one when is_list is false
};

bool is_media(const Column& column);  // by its extension
// Errors: DATA_LOSS naming the column whose extension is one of ours and whose type is not.
base::Status check_media_column(const Column& column);
// A row of a checked array that is not null there. Errors: DATA_LOSS naming the column for a medium
// that has neither bytes nor a range, or both, or a negative range.
base::Result<MediaField> media_at(const Column& column, const ArrowArray& array, int64_t row);

}  // namespace mortise::plugin
