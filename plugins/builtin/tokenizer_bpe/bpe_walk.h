// Byte-pair encoding without merging: tokens are taken from left to right, the longest first, and a
// token is kept when it can stand beside the one before (Hendrik van Antwerpen and Alexander
// Neubeck, "So many tokens, so little time", 2024).
//
// Two tokens can stand side by side when no merge across their border comes before the merges that
// made them. Whoever finds no token to go on with goes back, and no place is left behind twice, so
// a word of n bytes costs O(n). The ids are exactly those of merging by rank, provided that a merge
// needs only parts of lower ranks: make() refuses other models. Immutable, so [parallel].
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizers/model.h"
#include "tokenizers/trie.h"

namespace mortise::tokenizer_bpe {

class BpeModel;

class BpeWalk {
 public:
  // nullptr for a model that must be merged: decorated symbols, bytes without a token, merges whose
  // parts come later.
  static std::shared_ptr<const BpeWalk> make(const BpeModel& model);

  // Appends the tokens of `word` from `at` on, up to its end or to where no token begins; that
  // place. model: the one it was made of, sealed.
  size_t run(const BpeModel& model, std::string_view word, size_t at,
             std::vector<tokenizers::Token>& out) const;
  bool begins_at(std::string_view text) const { return trie_.longest(text).value >= 0; }

 private:
  // A token that some text gives.
  struct Piece {
    int32_t left = -1;  // what it was merged from
    int32_t right = -1;
    uint32_t rank = 0;  // of that merge from 1; 0: a symbol
    uint32_t size_bytes = 0;
    int32_t shorter = -1;  // the longest piece that it begins with, -1: none
    bool is_piece = false;
    bool is_left = false;  // of some merge
    bool is_right = false;
  };

  BpeWalk() = default;
  const Piece& piece(int32_t id) const { return pieces_[static_cast<size_t>(id)]; }
  bool add_symbols(const BpeModel& model);
  bool add_merges(const BpeModel& model);
  void index(const BpeModel& model);
  // Whether `right` can follow `left` while only merges of ranks below `limit` are done.
  bool can_follow(const BpeModel& model, int32_t left, int32_t right,
                  uint32_t limit = UINT32_MAX) const;

  tokenizers::LargeTable<Piece> pieces_;  // by id
  tokenizers::Trie trie_;
};

}  // namespace mortise::tokenizer_bpe
