// Which separator has this text, and is it separated text at all?
//
// Called by plugin.cpp. Looks at the first records of a file only. [any]
#pragma once

#include <mortise/cpp/format.hpp>

#include <string_view>

namespace mortise::format_csv {

struct Guess {
  char separator = ',';
  size_t width = 1;            // cells of the first record
  size_t records = 0;          // that were looked at
  bool is_consistent = false;  // every record has this width
};

// head: the beginning of a file; is_whole: all of it. Among comma, semicolon, tab and bar the one
// that gives all records the same, greatest width; a width of 1 counts when none gives more.
Guess guess_separator(std::string_view head, bool is_whole, bool has_quotes);

sdk::ProbeResult probe_separated(std::string_view name, std::string_view head, bool is_whole);

}  // namespace mortise::format_csv
