// Records of a CSV text (RFC 4180), one after the other.
//
// Called by folder_rows.cpp for metadata.csv. Knows commas, quotes and line ends, nothing of types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::format_mediafolder {

// The record at `*at`, which moves behind it; false at the end. Blank lines are no records. Throws
// INVALID_ARGUMENT with the byte of a quote that does not end or is followed by text.
bool next_record(std::string_view text, uint64_t* at, std::vector<std::string>* cells);

}  // namespace mortise::format_mediafolder
