// SentencePiece's two models over one vocabulary: unigram (the likeliest cut of the whole text) and
// BPE (the neighbours whose join scores best are joined first).
//
// Made by loader.cpp, called by tokenizers/tokenizer.cpp with whole normalised texts. Sums and ties
// go as in the library whose ids must be met. Immutable, so [parallel].
#pragma once

#include <array>
#include <string>
#include <vector>

#include "model_file.h"
#include "tokenizers/model.h"
#include "tokenizers/trie.h"

namespace mortise::tokenizer_sentencepiece {

class PieceModel : public tokenizers::Model {
 public:
  // Throws INVALID_ARGUMENT for a piece that stands twice, or no or two unknown pieces, or bytes
  // that are missing.
  explicit PieceModel(const ModelFile& file);

  void encode(std::string_view text, std::vector<tokenizers::Token>& out) const override;
  const tokenizers::Vocabulary& vocabulary() const override { return vocabulary_; }
  int32_t unk_id() const override { return unk_id_; }
  std::string bytes_of(int32_t id) const override;
  std::string identity() const override;

  // The user's pieces alone, which are never taken apart.
  const tokenizers::Trie& user_pieces() const { return user_pieces_; }

 private:
  using Type = ModelFile::PieceType;
  struct Cut {  // a piece of the text; id may be the unknown one
    int32_t id;
    uint32_t begin, end;
  };
  Type type(int32_t id) const { return types_[static_cast<size_t>(id)]; }
  // The id that a text may become by itself: normal, of the user or unused; -1: none.
  int32_t find_piece(std::string_view text) const;
  std::vector<Cut> cut_unigram(std::string_view text) const;
  std::vector<Cut> cut_bpe(std::string_view text) const;
  void add(const Cut& cut, std::string_view text, bool after_unknown,
           std::vector<tokenizers::Token>& out) const;

  ModelFile::Algorithm algorithm_;
  bool byte_fallback_;
  tokenizers::Vocabulary vocabulary_;
  std::vector<float> scores_;
  std::vector<Type> types_;
  int32_t unk_id_ = -1;
  std::array<int32_t, 256> byte_ids_{};
  tokenizers::Trie pieces_;
  tokenizers::Trie user_pieces_;
  float score_min_ = 0;
  float score_max_ = 0;
};

}  // namespace mortise::tokenizer_sentencepiece
