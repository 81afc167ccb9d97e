// Added tokens: pieces of text that are one token whatever the model would make of them.
//
// Made by tokenizer_json.cpp, called by tokenizer.cpp. Finds the leftmost, then longest token at
// each place; rules as in tokenizer.json: single_word, lstrip, rstrip, special. Immutable, so
// [parallel].
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "aligned_text.h"

namespace mortise::tokenizer_bpe {

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

  // Cuts `text` into pieces in order; together they cover it. Without parse_special, special tokens
  // are text.
  std::vector<Piece> split(std::string_view text, bool parse_special) const;

 private:
  struct Entry {
    AddedToken token;
    std::string spelling;
  };
  const Entry* longest_at(std::string_view text, size_t at) const;

  // By first byte, longest first: there are few tokens, and few texts that begin like one.
  std::map<char, std::vector<Entry>> by_first_;
  bool is_first_[256] = {};
};

}  // namespace mortise::tokenizer_bpe
