// JSON Patch (RFC 6902) over base::Json. [any]
#pragma once

#include "base/json.h"
#include "base/result.h"

namespace mortise::base {

// Applies add, remove, replace, move, copy and test in turn; all or nothing. Errors:
// INVALID_ARGUMENT naming the step (field) for an unknown or malformed one, NOT_FOUND for a place
// that is not there, FAILED_PRECONDITION for a test that fails.
Status apply_patch(Json& value, const Json& patch);

}  // namespace mortise::base
