// A text under change that remembers, when asked to, which bytes of the original each of its bytes
// came from.
//
// Made by tokenizer.cpp for each piece of input, changed by normalizer.cpp and pre_tokenizer.cpp
// through Edit. Knows nothing of tokens. Positions are bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::tokenizers {

struct Range {
  size_t begin = 0;
  size_t end = 0;  // one past the last byte
  bool empty() const { return begin == end; }
};

class AlignedText {
 public:
  AlignedText() = default;
  // A copy of `bytes`, which stand at `base` of the original.
  AlignedText(std::string_view bytes, size_t base, bool track)
      : bytes_(bytes), base_(base), track_(track) {}

  std::string_view bytes() const { return bytes_; }
  std::string_view bytes(Range range) const {
    return std::string_view(bytes_).substr(range.begin, range.end - range.begin);
  }
  size_t size() const { return bytes_.size(); }

  // The bytes of the original behind `range`; meaningful when the text tracks.
  Range original(Range range) const;
  // Whether the first byte of `range` came from the start of the original.
  bool is_at_start(size_t begin) const;

 private:
  friend class Edit;
  std::string bytes_;
  size_t base_ = 0;
  bool track_ = false;
  bool moved_ = false;          // origin_ is in force
  bool starts_at_base_ = true;  // the first byte is the first byte of the original piece
  std::vector<Range> origin_;   // one a byte
};

// Builds the next state of a text from left to right.
class Edit {
 public:
  explicit Edit(const AlignedText& from);

  // Takes over `range` of the old text as it is.
  void keep(Range range);
  // Writes `bytes` in the place of `range`, which may be empty (an insertion).
  void put(std::string_view bytes, Range range);
  AlignedText take() { return std::move(next_); }
  size_t size() const { return next_.bytes_.size(); }

 private:
  const AlignedText& from_;
  AlignedText next_;
};

}  // namespace mortise::tokenizers
