// SentencePiece's normaliser: characters are replaced by the map of the model, blanks are joined
// and marked, and one stands in front.
//
// Made by loader.cpp, called by tokenizers/normalizer.cpp. Immutable, so [parallel].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_file.h"
#include "tokenizers/normalizer.h"
#include "tokenizers/trie.h"

namespace mortise::tokenizer_sentencepiece {

// The precompiled map of a model: a double array as the Darts library lays it out, then the texts
// that it points to, each with a zero byte behind.
class CharacterMap {
 public:
  CharacterMap() = default;
  // Throws INVALID_ARGUMENT when the sizes do not fit each other.
  explicit CharacterMap(std::string_view bytes);

  // The longest key that `text` begins with: its size, 0 when there is none, and what to put there.
  std::pair<size_t, std::string_view> longest(std::string_view text) const;

 private:
  std::vector<uint32_t> units_;
  std::string texts_;
};

class BlankNormalizer : public tokenizers::TextChange {
 public:
  // user_pieces: texts that stay as they are.
  BlankNormalizer(const ModelFile& model, tokenizers::Trie user_pieces);
  void apply(tokenizers::AlignedText& text) const override;

 private:
  std::pair<size_t, std::string_view> next(std::string_view text) const;

  CharacterMap map_;
  tokenizers::Trie user_pieces_;
  bool add_dummy_prefix_;
  bool remove_extra_;
  bool as_suffix_;
  std::string blank_;
};

}  // namespace mortise::tokenizer_sentencepiece
