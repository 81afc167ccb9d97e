// Where the libraries whose ids must be met know another Unicode than utf8proc (14): the characters
// that came since, up to Unicode 16, and those too young for BERT's normaliser, which knows 8.
//
// Called by unicode.cpp and pattern.cpp alone. Immutable data, sorted by `first`.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace mortise::tokenizers {

struct NewRange {
  uint32_t first, last;
  char category[3];  // "Lu", "Ll", "Lm", "Lo", "N" or "M"
};
struct NewLower {
  uint32_t first, last;
  uint32_t lower;  // of `first`; the others follow
};
struct CodeRange {
  uint32_t first, last;
};

std::span<const NewRange> new_characters();
std::span<const NewLower> new_lower_cases();
std::span<const CodeRange> young_nonspacing_marks();  // after Unicode 8
std::span<const CodeRange> young_punctuation();

// The range that holds `code_point`, or nullptr.
template <class Range>
const Range* find_range(std::span<const Range> ranges, uint32_t code_point) {
  size_t begin = 0, end = ranges.size();
  while (begin < end) {
    const size_t middle = (begin + end) / 2;
    if (code_point > ranges[middle].last) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  const bool is_in = begin < ranges.size() && code_point >= ranges[begin].first;
  return is_in ? &ranges[begin] : nullptr;
}

}  // namespace mortise::tokenizers
