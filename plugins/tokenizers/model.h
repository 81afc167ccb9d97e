// What a tokenizer's model does: it cuts a word into tokens of its vocabulary.
//
// Implemented by the packs (BPE, unigram, WordPiece), called by tokenizer.cpp for each word that is
// not in its cache. Immutable once made, so every call is [parallel].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vocabulary.h"

namespace mortise::tokenizers {

struct Token {
  int32_t id = 0;
  uint32_t begin = 0;  // bytes of the word
  uint32_t end = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  // Appends the tokens of one word, which is valid UTF-8 and less than 4 GiB.
  virtual void encode(std::string_view word, std::vector<Token>& out) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  // The id for what is not in the vocabulary; -1: none.
  virtual int32_t unk_id() const = 0;
  // The bytes that the token `id` of the vocabulary stands for.
  virtual std::string bytes_of(int32_t id) const = 0;
  // Everything that decides the ids, beginning with the name of the algorithm and its version.
  virtual std::string identity() const = 0;
};

}  // namespace mortise::tokenizers
