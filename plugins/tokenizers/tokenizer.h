// A whole tokenizer: added tokens, normaliser, pre-tokeniser, model, post-processor, decoder.
//
// Made by the loaders of the packs, called by their plugin.cpp. Immutable once made, so
// every function is [parallel]. Knows nothing of Arrow or files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "added_tokens.h"
#include "decode_chain.h"
#include "model.h"
#include "normalizer.h"
#include "pre_tokenizer.h"
#include "word_cache.h"

namespace mortise::tokenizers {

// Everything that the files say.
struct TokenizerParts {
  std::shared_ptr<const Model> model;
  std::vector<AddedToken> added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::vector<int32_t> front_ids;  // what the post-processor puts before the text
  std::vector<int32_t> back_ids;   // and behind it
  DecodeRules decoder;
  int32_t bos_id = -1;
  int32_t eos_id = -1;
  int32_t pad_id = -1;
  int32_t unk_id = -1;
  std::string fingerprint;  // 64 hex digits
};

struct EncodeOptions {
  bool add_special = false;    // what the post-processor adds
  bool parse_special = false;  // special tokens written in the text are tokens
  bool offsets = false;
  uint32_t length_tokens_max =
      0;  // 0: no bound; the text is cut, what the post-processor adds stays
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets;  // begin, end of each token in bytes of the text; may be empty
};

class Tokenizer {
 public:
  // Throws INVALID_ARGUMENT when an added token's id belongs to another token.
  explicit Tokenizer(TokenizerParts parts);

  // `text` is valid UTF-8. Throws what Pattern::matches throws.
  Encoding encode(std::string_view text, const EncodeOptions& options, WordCache& cache) const;

  // Throws OUT_OF_RANGE naming an id that is not used.
  std::string decode(const int32_t* ids, size_t count, bool skip_special) const;

  // The spelling that the decoder works on; nullptr for an id that is not used.
  const std::string* token(int32_t id) const;
  // The same, but throws OUT_OF_RANGE.
  const std::string& known_token(int32_t id) const;
  bool is_special(int32_t id) const;
  // The bytes that an id stands for; false for an id that is not used.
  bool token_bytes(int32_t id, std::string& out) const;

  int32_t id_count() const { return id_count_; }  // highest + 1
  const TokenizerParts& parts() const { return parts_; }

 private:
  struct Work;
  void encode_piece(std::string_view piece, size_t base, Work& work) const;
  void encode_words(AlignedText& text, Work& work) const;
  void encode_word(std::string_view text, Range word, const WordCache::Place& place,
                   Work& work) const;
  template <class NextWord>
  void encode_ranges(std::string_view text, Work& work, NextWord&& next_word) const;
  // false: the piece must be copied and changed first.
  bool encode_in_place(std::string_view piece, size_t base, Work& work) const;

  TokenizerParts parts_;
  AddedTokenFinder raw_added_;
  AddedTokenFinder normalized_added_;
  std::unordered_map<int32_t, size_t> added_by_id_;
  int32_t id_count_ = 0;
};

}  // namespace mortise::tokenizers
