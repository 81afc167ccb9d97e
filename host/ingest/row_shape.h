// Gives a row whose columns have our names the one form in which rows are kept: messages as {role,
// content}, media as lists, two answers as messages and rejected_response. Called by field_map.
// Knows nothing of layouts.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace mortise::ingest {

// schemas/field_map.json, which this file and field_map share.
const base::Json& field_table();

// Changes the row in place. Errors: INVALID_ARGUMENT with the field for a conversation, or a pair
// of answers, that cannot be read.
base::Status shape_row(base::Json& row, const std::string& task_type);

}  // namespace mortise::ingest
