// Added tokens: pieces of text that are one token whatever the model would make of them.
//
// Made by tokenizer_json.cpp, called by tokenizer.cpp. Finds the leftmost, then longest token at
// each place; rules as in tokenizer.json: single_word, lstrip, rstrip, special. Immutable, so
// [parallel].
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aligned_text.h"
#include "trie.h"

namespace mortise::tokenizers {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool normalized = false;  // sought after normalisation
  bool single_word = false;
  bool lstrip = false;  // takes the white space on its left
  bool rstrip = false;
};

// A piece of text: a token, or text for the model (id -1).
struct Piece {
  int32_t id = -1;
  Range range;
};

class AddedTokenFinder {
 public:
  // `spelling` is what to look for; an empty one is never found.
  void add(const AddedToken& token, std::string spelling);
  // Ends the making.
  void seal();
  bool empty() const { return tokens_.empty(); }

  // Cuts `text` into pieces in order; together they cover it. Without parse_special, special tokens
  // are text.
  std::vector<Piece> split(std::string_view text, bool parse_special) const;

 private:
  size_t next_first(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  std::vector<std::pair<std::string, int32_t>> spellings_;  // and the place of its token
  Trie trie_;
  std::array<bool, 256> is_first_{};  // some spelling begins with this byte
  int32_t only_first_ = -1;           // the one such byte, -1 when there are more
  bool all_special_ = true;
};

}  // namespace mortise::tokenizers
