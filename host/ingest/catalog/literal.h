// Python literals, as some sets keep lists in a cell: read, never run. Called by the word parse().
// Knows no names, calls or operators; what is not a literal is refused.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace mortise::ingest::catalog {

// A Python list, tuple, dictionary with text keys, text, number, True, False or None as JSON.
// Errors: INVALID_ARGUMENT naming the byte, also above a depth of 64. [any]
base::Result<base::Json> parse_literal(std::string_view text);

}  // namespace mortise::ingest::catalog
