// Rows between base::Json and the Arrow C structs, and the check of arrays that come from a plugin.
// Called by the typed wrappers, ingest and evaluate. Formats known: u U z Z b c C s S i I l L f g
// and +s +l +L; another one is refused by name.
#pragma once

#include <mortise/arrow.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/arrow_own.h"

namespace mortise::plugin {

// A column's shape: format as in the Arrow C data interface, children for +s (its members) and +l
// (one item).
struct Column {
  std::string name;
  std::string format;
  bool is_nullable = true;
  std::vector<Column> children;
  std::string extension;  // ARROW:extension:name, or empty
};

// Errors: INVALID_ARGUMENT naming the column for an unknown format, a missing child, a name that is
// not UTF-8, or more than 64 levels.
base::Result<Column> read_schema(const ArrowSchema& schema);
OwnedSchema make_schema(const Column& column);

// A struct array with one row a value; each value is an object with the columns' names. A missing
// member is null. Binary columns take base64 text. Errors: INVALID_ARGUMENT with row (from 1) and
// column for a value of another kind, or a null where the schema allows none.
base::Result<OwnedArray> make_rows(const Column& schema, std::span<const base::Json> rows);
OwnedArray make_texts(std::span<const std::string> texts);              // "u"
OwnedArray make_id_lists(std::span<const std::vector<int32_t>> lists);  // "+l" of "i"

// Checks a whole array against its column before anything in it is read: counts of buffers and
// children, lengths, offsets that grow, null_count. What C cannot check is the size of a buffer.
// Errors: DATA_LOSS naming column and rule. Cost: one pass over offsets.
base::Status check_array(const Column& column, const ArrowArray& array);

// One row of a checked array as JSON; bytes become base64 text. [any]
base::Json row_of(const Column& column, const ArrowArray& array, int64_t row);
// Of a checked utf8 or binary array; the view lives as long as the array. Empty for a null.
std::string_view text_at(const Column& column, const ArrowArray& array, int64_t row);
bool is_null_at(const ArrowArray& array, int64_t row);
// Of a checked "l" array.
int64_t int64_at(const ArrowArray& array, int64_t row);
// Where the items of a row of a checked "+l" or "+L" array begin and end in its child.
std::pair<int64_t, int64_t> list_range_at(const Column& column, const ArrowArray& array,
                                          int64_t row);
// Of a checked "+l" of "i" array.
std::vector<int32_t> int32_list_at(const ArrowArray& array, int64_t row);

}  // namespace mortise::plugin
