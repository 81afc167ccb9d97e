// Values of Arrow arrays as JSON text.
//
// Called by row_group.cpp. Integers stay exact; numbers that are not finite become null; bytes that
// are no text become base64; dates, times and decimals become text as Arrow writes them; lists and
// structs nest; a map with text keys is an object.
#pragma once

#include <arrow/array.h>

#include <string>

namespace mortise::format_parquet {

// Throws INVALID_ARGUMENT for a text that is not UTF-8, UNIMPLEMENTED for a type that has no JSON,
// RESOURCE_EXHAUSTED for lists above 64 levels.
void append_value(std::string* out, const arrow::Array& array, int64_t index, int depth = 0);

std::string to_base64(std::string_view bytes);

}  // namespace mortise::format_parquet
