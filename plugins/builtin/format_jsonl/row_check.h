// Is this line one JSON object? And what stands in a file that is not?
//
// Called by row_stream.cpp, writer.cpp and plugin.cpp. Knows nothing of fields or tasks. [any]
#pragma once

#include <mortise/cpp/json_parse.hpp>

#include <string_view>

namespace mortise::format_jsonl {

// White space alone: no row.
bool is_blank(std::string_view line);

// Without white space at both ends.
std::string_view trimmed(std::string_view line);

// Throws INVALID_ARGUMENT with the byte inside the line and a hint: not UTF-8, not JSON, a key twice
// (with its field), no object.
void check_row(std::string_view line);

}  // namespace mortise::format_jsonl
