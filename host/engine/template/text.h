// Text as Python sees it: code points, white space, case, quoting. Pure functions over UTF-8 that
// is known to be valid. Used by the values, filters and methods of engine/template.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::engine::jinja {

std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view code_points);
size_t length_of(std::string_view text);  // code points

bool is_space(char32_t c);   // str.isspace
bool is_letter(char32_t c);  // letters of the scripts that case_* knows, and all beyond ASCII that
                             // are neither space nor punctuation blocks
bool is_digit(char32_t c);
char32_t upper(char32_t c);  // Latin, Greek and Cyrillic; others stay
char32_t lower(char32_t c);

// str.strip and kin. chars empty: white space. sides: 1 left, 2 right, 3 both.
std::string strip(std::string_view text, std::string_view chars, int sides);
std::string upper_text(std::string_view text);
std::string lower_text(std::string_view text);
std::string capitalized(std::string_view text);
std::string titled(std::string_view text);  // str.title
std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     int64_t count);  // count < 0: all
// str.split. separator empty: runs of white space. count < 0: all.
std::vector<std::string> split(std::string_view text, std::string_view separator, int64_t count);
std::vector<std::string> split_right(std::string_view text, std::string_view separator,
                                     int64_t count);
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);
std::string python_quote(std::string_view text);  // repr(str)

}  // namespace mortise::engine::jinja
