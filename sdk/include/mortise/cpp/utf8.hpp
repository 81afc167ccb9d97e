// mortise/cpp/utf8.hpp: is it UTF-8, and if not, what is shown instead.
//
// Used by json.hpp, tokenizers and formats. Source of the rules: Unicode 15, table 3-7, and the
// practice of replacing each maximal part of an ill-formed sequence by one U+FFFD (section 3.9).
#ifndef MORTISE_CPP_UTF8_HPP
#define MORTISE_CPP_UTF8_HPP

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mortise::sdk {

// The character at the start of a text.
struct Utf8Step {
  uint32_t size_bytes;  // of the character, or of the maximal ill-formed part; 0 for an empty text
  bool is_valid;
  bool is_cut;  // ill-formed only because the text ends; more bytes may complete it
};

inline Utf8Step utf8_step(std::string_view text) {
  if (text.empty()) return {0, false, true};
  const auto at = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = at(0);
  if (lead < 0x80) return {1, true, false};
  const uint32_t want = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (want == 0) return {1, false, false};
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (uint32_t i = 1; i < want; ++i) {
    if (i >= text.size()) return {i, false, true};
    const uint8_t byte = at(i);
    if (byte < (i == 1 ? low : 0x80) || byte > (i == 1 ? high : 0xBF)) return {i, false, false};
  }
  return {want, true, false};
}

// Offset of the first byte that is not UTF-8, or -1.
inline int64_t find_invalid_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    if (i + 8 <= text.size()) {  // eight bytes of ASCII at once
      uint64_t eight;
      std::memcpy(&eight, text.data() + i, 8);
      if ((eight & 0x8080808080808080U) == 0) {
        i += 8;
        continue;
      }
    }
    if (static_cast<uint8_t>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const Utf8Step step = utf8_step(text.substr(i));
    if (!step.is_valid) return static_cast<int64_t>(i);
    i += step.size_bytes;
  }
  return -1;
}

inline bool is_utf8(std::string_view text) {
  return find_invalid_utf8(text) < 0;
}

// Appends a code point, 0 .. 0x10FFFF without surrogates, as UTF-8.
inline void append_utf8(std::string* out, uint32_t code_point) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      put(0xE0 | code_point >> 12);
    } else {
      put(0xF0 | code_point >> 18);
      put(0x80 | (code_point >> 12 & 0x3F));
    }
    put(0x80 | (code_point >> 6 & 0x3F));
  }
  put(0x80 | (code_point & 0x3F));
}

// Takes bytes in any pieces and gives whole characters; each maximal ill-formed part becomes one
// U+FFFD. What push and flush give together does not depend on how the bytes were cut.
class Utf8Assembler {
 public:
  // Appends to *out the text that is now certain.
  void push(std::string_view bytes, std::string* out) {
    pending_.append(bytes);
    take(out, false);
  }
  // Appends what is left; the assembler is then as new.
  void flush(std::string* out) { take(out, true); }

 private:
  void take(std::string* out, bool is_last) {
    size_t i = 0;
    while (i < pending_.size()) {
      const Utf8Step step = utf8_step(std::string_view(pending_).substr(i));
      if (step.is_cut && !is_last) break;
      if (step.is_valid) {
        out->append(pending_, i, step.size_bytes);
      } else {
        out->append("\xEF\xBF\xBD");
      }
      i += step.size_bytes;
    }
    pending_.erase(0, i);
  }

  std::string pending_;
};

}  // namespace mortise::sdk

#endif
