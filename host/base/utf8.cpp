// UTF-8 after RFC 3629: no overlong form, no surrogate, nothing beyond U+10FFFF. See utf8.h.
#include "base/utf8.h"

#include <cstdio>
#include <cstring>

namespace mortise::base {
namespace {

unsigned char byte_at(std::string_view text, size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Bytes of the sequence that starts at `at`, 0 when it is not valid.
size_t sequence_size(std::string_view text, size_t at) {
  const unsigned char lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  size_t size = 0;
  unsigned char low = 0x80, high = 0xBF;  // range of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() - at < size) return 0;
  if (byte_at(text, at + 1) < low || byte_at(text, at + 1) > high) return 0;
  for (size_t i = 2; i < size; ++i) {
    if ((byte_at(text, at + i) & 0xC0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

size_t utf8_error_offset(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t word = 0;  // eight ASCII bytes at a time
    if (text.size() - at >= 8) {
      std::memcpy(&word, text.data() + at, 8);
      if ((word & UINT64_C(0x8080808080808080)) == 0) {
        at += 8;
        continue;
      }
    }
    const size_t size = sequence_size(text, at);
    if (size == 0) return at;
    at += size;
  }
  return SIZE_MAX;
}

size_t utf8_length(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

std::string_view utf8_prefix(std::string_view text, size_t size_bytes_max) {
  if (text.size() <= size_bytes_max) return text;
  size_t end = size_bytes_max;
  while (end > 0 && (byte_at(text, end) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

void utf8_append(std::string& out, char32_t code_point) {
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  const uint32_t c = code_point;
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

char32_t utf8_next(std::string_view text, size_t& at) {
  const size_t size = sequence_size(text, at);
  if (size == 0) {
    ++at;
    return U'�';
  }
  static constexpr unsigned char kLeadMask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t code_point = byte_at(text, at) & kLeadMask[size];
  for (size_t i = 1; i < size; ++i) {
    code_point = (code_point << 6) | (byte_at(text, at + i) & 0x3Fu);
  }
  at += size;
  return code_point;
}

std::string escape_control(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t size = sequence_size(text, at);
    const unsigned char c = byte_at(text, at);
    // C0, DEL and C1 (U+0080..U+009F) steer terminals; a stray byte is shown as it is.
    const bool c1 = size == 2 && c == 0xC2 && byte_at(text, at + 1) < 0xA0;
    if (size == 0 || c < 0x20 || c == 0x7F || c1) {
      for (size_t i = 0; i < (size == 0 ? 1 : size); ++i) {
        char escaped[5];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", byte_at(text, at + i));
        out += escaped;
      }
    } else {
      out.append(text.substr(at, size));
    }
    at += size == 0 ? 1 : size;
  }
  return out;
}

}  // namespace mortise::base
