// UTF-8: validity, length and safe cutting. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mortise::base {

// Offset of the first byte that is not valid UTF-8 (overlong, surrogate, beyond U+10FFFF, cut);
// SIZE_MAX when all of it is valid.
size_t utf8_error_offset(std::string_view text);
size_t utf8_length(std::string_view text);  // code points of valid text
// Longest prefix of at most size_bytes_max bytes that ends between code points.
std::string_view utf8_prefix(std::string_view text, size_t size_bytes_max);
void utf8_append(std::string& out, char32_t code_point);
// Reads one code point at `at` and moves it on; U+FFFD for a bad byte (moves by one).
char32_t utf8_next(std::string_view text, size_t& at);
// Control characters as \xNN, for logs and terminals.
std::string escape_control(std::string_view text);

}  // namespace mortise::base
