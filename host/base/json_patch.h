// JSON Patch (RFC 6902): changes of a value as a list of operations. Called by ingest, for the
// patches of findings and for edits of rows, and by hub to name what differs.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace mortise::base {

// Applies the operations in order: add, remove, replace, move, copy, test. On an error `value` is
// as it was. Errors: INVALID_ARGUMENT with the pointer as field for an unknown operation, a member
// that is missing, a place that does not exist, a test that fails. [any]
Status apply_json_patch(Json& value, const Json& patch);

// The pointers of the innermost members in which two values differ, in the order of `from` and then
// of what only `to` has. Arrays of equal length are compared item by item; others are one
// difference.
std::vector<std::string> json_differences(const Json& from, const Json& to);

}  // namespace mortise::base
