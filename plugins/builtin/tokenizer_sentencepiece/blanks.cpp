// Walks the text once; what is put remembers the characters that it came from.
#include "blanks.h"

#include <mortise/cpp/status.hpp>

#include <cstring>

#include "tokenizers/unicode.h"

namespace mortise::tokenizer_sentencepiece {

using tokenizers::AlignedText;
using tokenizers::Edit;
using tokenizers::Range;

CharacterMap::CharacterMap(std::string_view bytes) {
  if (bytes.empty()) return;
  uint32_t size = 0;
  if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
  if (bytes.size() < 4 || size % 4 != 0 || size == 0 || size > bytes.size() - 4) {
    throw sdk::invalid_argument("The character map of the normaliser is cut off or broken.");
  }
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data() + 4, size);
  texts_ = bytes.substr(4 + size);
  if (texts_.empty() || texts_.back() != '\0') texts_ += '\0';
}

std::pair<size_t, std::string_view> CharacterMap::longest(std::string_view text) const {
  std::pair<size_t, std::string_view> best{0, {}};
  if (units_.empty()) return best;
  const auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); };
  size_t at = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    at ^= byte;
    if (at >= units_.size()) break;
    const uint32_t unit = units_[at];
    if ((unit & ((1U << 31) | 0xFF)) != byte) break;
    at ^= offset(unit);
    if (at >= units_.size()) break;
    if ((unit >> 8 & 1) != 0) {
      const size_t value = units_[at] & 0x7FFFFFFF;
      if (value >= texts_.size()) break;
      best = {i + 1, std::string_view(texts_.data() + value)};  // up to its zero byte
    }
  }
  return best;
}

BlankNormalizer::BlankNormalizer(const ModelFile& model, tokenizers::Trie user_pieces)
    : map_(model.character_map),
      user_pieces_(std::move(user_pieces)),
      add_dummy_prefix_(model.add_dummy_prefix),
      remove_extra_(model.remove_extra_blanks),
      as_suffix_(model.space_as_suffix),
      blank_(model.escape_blanks ? "\xE2\x96\x81" : " ") {}

// How many bytes the next unit of `text` has and what becomes of it.
std::pair<size_t, std::string_view> BlankNormalizer::next(std::string_view text) const {
  if (const size_t size = user_pieces_.longest(text).size_bytes)
    return {size, text.substr(0, size)};
  const auto mapped = map_.longest(text);
  if (mapped.first > 0) return mapped;
  const size_t size = tokenizers::code_point_at(text, 0).size_bytes;
  return {size, text.substr(0, size)};
}

void BlankNormalizer::apply(AlignedText& text) const {
  const std::string_view bytes = text.bytes();
  size_t at = 0;
  while (remove_extra_ && at < bytes.size()) {
    const auto [size, made] = next(bytes.substr(at));
    if (made != " ") break;
    at += size;
  }
  Edit edit(text);
  if (at == bytes.size()) {
    text = edit.take();
    return;
  }
  if (add_dummy_prefix_ && !as_suffix_) edit.put(blank_, {at, at});
  bool after_blank = remove_extra_;
  while (at < bytes.size()) {
    auto [size, made] = next(bytes.substr(at));
    const Range range{at, at + size};
    at = range.end;
    while (after_blank && made.starts_with(' ')) made.remove_prefix(1);
    if (made.empty()) continue;
    for (const char c : made) {
      if (c == ' ') {
        edit.put(blank_, range);
      } else {
        edit.put(std::string_view(&c, 1), range);
      }
    }
    after_blank = remove_extra_ && made.ends_with(' ');
  }
  AlignedText made = edit.take();
  size_t end = made.size();
  while (remove_extra_ && made.bytes().substr(0, end).ends_with(blank_)) end -= blank_.size();
  Edit cut(made);
  cut.keep({0, end});
  if (add_dummy_prefix_ && as_suffix_) cut.put(blank_, {end, end});
  text = cut.take();
}

}  // namespace mortise::tokenizer_sentencepiece
