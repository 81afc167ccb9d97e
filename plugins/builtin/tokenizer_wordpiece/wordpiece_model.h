// WordPiece: the longest token that a word begins with, then the longest that goes on, to its end.
//
// Made by loader.cpp, called by tokenizers/tokenizer.cpp for every word. A word that is too long or
// cannot be covered is the unknown token. Immutable once made, so [parallel].
#pragma once

#include <mortise/cpp/json.hpp>

#include <memory>
#include <string>
#include <vector>

#include "tokenizers/model.h"
#include "tokenizers/trie.h"

namespace mortise::tokenizer_wordpiece {

class WordPieceModel : public tokenizers::Model {
 public:
  struct Rules {
    std::string unk_token = "[UNK]";
    std::string prefix = "##";  // of the tokens that go on
    int64_t word_characters_max = 100;
  };

  // Throws INVALID_ARGUMENT when unk_token is not in the vocabulary.
  WordPieceModel(Rules rules, tokenizers::Vocabulary vocabulary);

  void encode(std::string_view word, std::vector<tokenizers::Token>& out) const override;
  const tokenizers::Vocabulary& vocabulary() const override { return vocabulary_; }
  int32_t unk_id() const override { return unk_id_; }
  std::string bytes_of(int32_t id) const override;
  std::string identity() const override;

 private:
  Rules rules_;
  tokenizers::Vocabulary vocabulary_;
  int32_t unk_id_ = -1;
  tokenizers::Trie first_;  // tokens as they are
  tokenizers::Trie next_;   // tokens with the prefix, without it
};

// The section "/model" of a tokenizer.json. Throws UNIMPLEMENTED naming another type of model.
std::shared_ptr<const tokenizers::Model> read_wordpiece_model(sdk::Json section,
                                                              bool is_byte_level);

}  // namespace mortise::tokenizer_wordpiece
