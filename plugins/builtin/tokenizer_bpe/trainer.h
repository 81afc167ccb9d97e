// Learns a byte-level BPE from texts: words are counted, then the most frequent neighbours become
// one token, again and again (Sennrich et al. 2016, algorithm 1).
//
// Called by plugin.cpp. The result depends on the texts as a multiset only: ties go to the pair
// with the lower ids. Knows nothing of Arrow. [serial]
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizers/added_tokens.h"
#include "tokenizers/pattern.h"

namespace mortise::tokenizer_bpe {

using WordCounts = std::unordered_map<std::string, uint64_t>;

class Trainer {
 public:
  // vocab_size counts the special tokens, which get the lowest ids, and the 256 bytes. pattern: a
  // name of known_expression or an expression. Throws INVALID_ARGUMENT naming the field.
  Trainer(int64_t vocab_size, std::vector<std::string> special_tokens, const std::string& pattern);

  // Adds the words of `text`, valid UTF-8, to `counts`. Special tokens written in it count as
  // borders. [parallel]
  void count(std::string_view text, WordCounts& counts) const;
  // Takes over what was counted. Throws RESOURCE_EXHAUSTED over the limit, and then nothing
  // changed.
  void add(const WordCounts& counts);

  // The text of tokenizer.json. Asks whether to stop. May be called again.
  std::string finish() const;

 private:
  int64_t merges_max_;
  std::vector<std::string> special_tokens_;
  std::string pattern_name_;
  tokenizers::Pattern pattern_;
  tokenizers::AddedTokenFinder special_finder_;
  std::map<std::string, uint64_t> words_;  // sorted, so that nothing depends on the order of texts
  uint64_t words_bytes_ = 0;
};

}  // namespace mortise::tokenizer_bpe
