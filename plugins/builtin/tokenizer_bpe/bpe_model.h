// Byte-pair encoding of one word: symbols are merged by rank, lowest first, leftmost among equals
// (Sennrich et al. 2016), exactly as the files of the model say.
//
// Made by tokenizer_json.cpp or trainer.cpp, called by tokenizer.cpp for every word. Works on ids
// only; a word of n symbols costs O(n log n) at worst. Immutable after seal(), so [parallel].
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mortise::tokenizer_bpe {

struct Token {
  int32_t id = 0;
  uint32_t begin = 0;  // bytes of the word
  uint32_t end = 0;
};

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

class BpeModel {
 public:
  BpeModel() = default;
  explicit BpeModel(BpeRules rules) : rules_(std::move(rules)) {}
  // Adds one entry of the vocabulary, as spelled in the file. Throws INVALID_ARGUMENT for an id or
  // a token that is there already, or an id outside 0 .. 2^24.
  void add_token(std::string token, int64_t id);
  // Adds the next merge; its place is its rank. Throws INVALID_ARGUMENT naming a part that is not
  // in the vocabulary.
  void add_merge(const std::string& left, const std::string& right);
  // Ends the making. Throws INVALID_ARGUMENT when unk_token is not in the vocabulary.
  void seal();

  // Appends the tokens of one word; `word` is text, not yet in the byte alphabet.
  void encode(std::string_view word, std::vector<Token>& out) const;

  // -1 when absent.
  int32_t find(std::string_view token) const;
  // As spelled in the file; nullptr for an id that is not used.
  const std::string* token(int32_t id) const;
  int32_t id_count() const { return static_cast<int32_t>(tokens_.size()); }  // highest + 1
  const BpeRules& rules() const { return rules_; }
  // Every merge in order of rank.
  const std::vector<std::pair<int32_t, int32_t>>& merges() const { return merge_list_; }

 private:
  struct Merge {
    uint32_t rank = 0;
    int32_t id = -1;
  };
  const Merge* find_merge(int32_t left, int32_t right) const;
  void index_merges();
  void first_symbols(std::string_view word, std::vector<Token>& out) const;
  void add_unknown(std::string_view piece, Token at, Token& pending, std::vector<Token>& out) const;
  void merge_short(std::vector<Token>& tokens, size_t first) const;
  void merge_long(std::vector<Token>& tokens, size_t first) const;

  BpeRules rules_;
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>> ids_;
  std::vector<const std::string*> tokens_;   // the keys of ids_; nullptr where unused
  std::array<int32_t, 256> byte_ids_{};      // id of each byte, or -1
  std::array<int32_t, 256> fallback_ids_{};  // id of "<0x00>" .. "<0xFF>", or -1
  int32_t unk_id_ = -1;
  std::vector<std::pair<int32_t, int32_t>> merge_list_;
  std::vector<int32_t> merge_results_;
  std::vector<uint64_t> merge_keys_;  // open addressing; kNoKey where free
  std::vector<Merge> merge_values_;
};

// The GPT-2 alphabet: the character that stands for each byte, and back (-1: none).
const std::array<std::string, 256>& byte_alphabet();
int32_t byte_of_character(uint32_t code_point);
// The byte that "<0xE4>" names, -1 for any other token.
int32_t byte_named_by(std::string_view token);
// The bytes that `token` stands for; false when a character is not in the alphabet.
bool bytes_of_token(std::string_view token, std::string& out);

}  // namespace mortise::tokenizer_bpe
