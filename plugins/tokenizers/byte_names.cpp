// Both spellings, and back.
#include "byte_names.h"

#include "unicode.h"

namespace mortise::tokenizers {

std::string fallback_name(unsigned byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

const std::array<std::string, 256>& byte_alphabet() {
  static const auto alphabet = [] {
    std::array<std::string, 256> made;
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
      append_utf8(printable ? byte : next++, made[byte]);
    }
    return made;
  }();
  return alphabet;
}

int32_t byte_of_character(uint32_t code_point) {
  constexpr uint32_t kAlphabetEnd = 256 + 68;  // 68 bytes have no printable character
  static const auto bytes = [] {
    std::array<int32_t, kAlphabetEnd> made;
    made.fill(-1);
    for (int32_t byte = 0; byte < 256; ++byte) {
      made[code_point_at(byte_alphabet()[static_cast<size_t>(byte)], 0).value] = byte;
    }
    return made;
  }();
  return code_point < kAlphabetEnd ? bytes[code_point] : -1;
}

int32_t byte_named_by(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  const int high = digit(token[3]);
  const int low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool bytes_of_token(std::string_view token, std::string& out) {
  out.clear();
  for (size_t i = 0; i < token.size();) {
    const CodePoint c = code_point_at(token, i);
    const int32_t byte = byte_of_character(c.value);
    if (byte < 0) return false;
    out.push_back(static_cast<char>(byte));
    i += c.size_bytes;
  }
  return true;
}

std::string with_spaces(std::string_view token) {
  constexpr std::string_view kMark = "\xE2\x96\x81";
  std::string out;
  size_t at = 0;
  for (size_t mark = token.find(kMark); mark != token.npos; mark = token.find(kMark, at)) {
    out += token.substr(at, mark - at);
    out += ' ';
    at = mark + kMark.size();
  }
  out += token.substr(at);
  return out;
}

}  // namespace mortise::tokenizers
