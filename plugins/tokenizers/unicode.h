// Unicode as tokenizers see it: reading UTF-8, four classes of characters, case, normal forms.
//
// Called by every file of this pack. The character data come from utf8proc (Unicode 14);
// White_Space and word characters are decided as the Rust and Oniguruma libraries decide them,
// since the ids must equal theirs. Knows nothing of tokens. All functions are [any].
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::tokenizers {

struct CodePoint {
  uint32_t value = 0;
  uint32_t size_bytes = 0;  // 1 .. 4
};

// The character at `at`, which must lie inside `text`, valid UTF-8.
inline CodePoint code_point_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return static_cast<uint32_t>(static_cast<uint8_t>(text[at + i]));
  };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(first & 7) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

void append_utf8(uint32_t code_point, std::string& out);

// The byte where `text` stops being UTF-8 (no surrogates, no overlong forms), or npos.
size_t find_invalid_utf8(std::string_view text);

enum class Class : uint8_t { kOther, kSpace, kLetter, kNumber };

// What is asked of a character again and again, in one byte.
struct CharFacts {
  uint8_t bits = 0;
  Class kind() const { return static_cast<Class>(bits & 3); }
  bool may_be_upper() const { return (bits & 4) != 0; }  // Lu Lt Lm Lo M
  bool may_be_lower() const { return (bits & 8) != 0; }  // Ll Lm Lo M
  bool may_change(uint8_t form) const { return (bits >> 4 >> form & 1) != 0; }
};

// All characters in two stages: equal blocks of 256 are kept once.
class CharTable {
 public:
  static const CharTable& get();
  CharFacts operator[](uint32_t code_point) const {
    return facts_[block_at_[code_point >> 8] + (code_point & 0xFF)];
  }
  CharFacts ascii(uint8_t byte) const { return facts_[byte]; }  // byte < 0x80

 private:
  CharTable();
  std::array<uint32_t, 0x1100> block_at_{};
  std::vector<CharFacts> facts_;
};

// \s, \p{L}, \p{N} or none of them; the three do not overlap.
inline Class class_of(uint32_t code_point) {
  return CharTable::get()[code_point].kind();
}
inline bool is_space(uint32_t code_point) {
  return class_of(code_point) == Class::kSpace;
}
bool is_word(uint32_t code_point);             // \w
bool is_punctuation(uint32_t code_point);      // \p{P} as of Unicode 8 and the ASCII marks
bool is_mark(uint32_t code_point);             // \p{M}
bool is_nonspacing_mark(uint32_t code_point);  // \p{Mn} as of Unicode 8, as BERT strips it
bool is_control(uint32_t code_point);          // \p{Cc}, \p{Cf}, \p{Co} as of Unicode 8
// The blocks that BERT's tokenizer takes for Chinese characters.
bool is_han(uint32_t code_point);

// Full lower case of one character, appended ("İ" gives two characters).
void append_lower(uint32_t code_point, std::string& out);

enum class Form : uint8_t { kNfc, kNfd, kNfkc, kNfkd };

// Whether `code_point` can be changed by `form`, alone or through its neighbours. May say true for
// one that stays as it is.
inline bool may_change(Form form, uint32_t code_point) {
  return CharTable::get()[code_point].may_change(static_cast<uint8_t>(form));
}
// The same for a text: false promises that it is in `form` already.
bool may_change(Form form, std::string_view text);

// Whether text may be cut before this character without changing its normal form.
bool starts_cluster(uint32_t code_point);

// The normal form of `text`, valid UTF-8.
std::string normal_form(Form form, std::string_view text);

}  // namespace mortise::tokenizers
