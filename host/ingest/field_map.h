// From other people's column names to ours: proposes a mapping from the first rows, applies it to
// each row. The table of names is schemas/field_map.json. Called by ingest and by `dataset check`.
// Knows nothing of schemas or media.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::ingest {

// Which source column feeds which target; targets that are absent from the rows are left out.
struct FieldMap {
  std::string task_type;
  std::string layout;      // whose rows these are, "Alpaca"; empty when only names were compared
  int64_t confidence = 0;  // of the layout, 0 .. 100
  std::vector<std::pair<std::string, std::string>> columns;  // {target, source}; "a.b": inside a
  std::vector<std::pair<std::string, std::string>> made;     // {target, text with {columns}}

  base::Json to_json() const;  // {"question": "query", "output": {"template": "..."}, ...}
};

// sample: the first rows (objects). overrides: {target, source} chosen by the user, they win.
// Errors: INVALID_ARGUMENT for an unknown task type, for an override whose source is in no sample
// row, when two columns would feed one target and when two layouts fit equally well (the message
// names both, the hint --map).
base::Result<FieldMap> propose_field_map(
    const std::string& task_type, const std::vector<base::Json>& sample,
    const std::vector<std::pair<std::string, std::string>>& overrides);

// The row in canonical form: mapped names, messages with {role, content}, a single image as
// image_path for the tasks that have one, instruction and output folded into messages for sft and
// preference. Columns that are not mapped are kept as they are. Errors: INVALID_ARGUMENT with the
// field for a conversation whose turns cannot be read.
base::Result<base::Json> apply_field_map(const FieldMap& map, const base::Json& row);

}  // namespace mortise::ingest
