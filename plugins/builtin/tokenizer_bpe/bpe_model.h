// Byte-pair encoding of one word: symbols are merged by rank, lowest first, leftmost among equals
// (Sennrich et al. 2016), exactly as the files of the model say.
//
// Made by tokenizer_json.cpp or trainer.cpp, called by tokenizer.cpp for every word. Works on ids
// only; a word of n symbols costs O(n) in most models, O(n log n) in the others. Immutable after
// seal(), so [parallel].
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bpe_walk.h"
#include "tokenizers/large_pages.h"
#include "tokenizers/model.h"

namespace mortise::tokenizer_bpe {

using tokenizers::Token;

// What tokenizer.json says of its model beside vocabulary and merges.
struct BpeRules {
  bool byte_level = false;  // symbols are bytes in the GPT-2 alphabet, else characters
  bool byte_fallback = false;
  bool fuse_unk = false;
  bool ignore_merges = false;
  std::string unk_token;
  std::string continuing_prefix;
  std::string word_suffix;
};

class BpeModel : public tokenizers::Model {
 public:
  BpeModel() = default;
  explicit BpeModel(BpeRules rules) : rules_(std::move(rules)) {}
  // Adds one entry of the vocabulary, as spelled in the file. Throws as Vocabulary::add.
  void add_token(std::string token, int64_t id) { vocabulary_.add(std::move(token), id); }
  // Adds the next merge; its place is its rank. Throws INVALID_ARGUMENT naming a part that is not
  // in the vocabulary.
  void add_merge(const std::string& left, const std::string& right);
  // Ends the making. Throws INVALID_ARGUMENT when unk_token is not in the vocabulary.
  void seal();

  // `word` is text, not yet in the byte alphabet.
  void encode(std::string_view word, std::vector<Token>& out) const override;
  const tokenizers::Vocabulary& vocabulary() const override { return vocabulary_; }
  int32_t unk_id() const override { return unk_id_; }
  std::string bytes_of(int32_t id) const override;
  std::string identity() const override;

  int32_t find(std::string_view token) const { return vocabulary_.find(token); }
  const BpeRules& rules() const { return rules_; }
  // Every merge in order of rank, and the token that each makes.
  const std::vector<std::pair<int32_t, int32_t>>& merges() const { return merge_list_; }
  const std::vector<int32_t>& merge_results() const { return merge_results_; }

  struct Merge {
    uint32_t rank = 0;
    int32_t id = -1;
  };
  // nullptr when the two do not merge.
  const Merge* find_merge(int32_t left, int32_t right) const;
  // Whether tokens can be walked: the symbols of a word are bytes or characters, nothing else.
  bool is_plain() const { return rules_.continuing_prefix.empty() && rules_.word_suffix.empty(); }

 private:
  void index_merges();
  void first_symbols(std::string_view word, std::vector<Token>& out) const;
  void add_unknown(std::string_view piece, Token at, Token& pending, std::vector<Token>& out) const;
  void merge_short(std::vector<Token>& tokens, size_t first) const;
  void merge_long(std::vector<Token>& tokens, size_t first) const;
  bool encode_whole(std::string_view word, std::vector<Token>& out) const;
  void encode_by_walk(std::string_view word, std::vector<Token>& out) const;

  BpeRules rules_;
  tokenizers::Vocabulary vocabulary_;
  std::array<int32_t, 256> byte_ids_{};      // id of each byte, or -1
  std::array<int32_t, 256> fallback_ids_{};  // id of "<0x00>" .. "<0xFF>", or -1
  int32_t unk_id_ = -1;
  std::vector<std::pair<int32_t, int32_t>> merge_list_;
  std::vector<int32_t> merge_results_;
  struct Slot {
    uint64_t key;
    Merge merge;
  };
  tokenizers::LargeTable<Slot> merges_;  // open addressing; kNoKey where free
  tokenizers::LargeTable<uint64_t>
      merge_marks_;  // a bit for each hash of a merge: most pairs are no merge
  std::shared_ptr<const BpeWalk> walk_;
};

}  // namespace mortise::tokenizer_bpe
