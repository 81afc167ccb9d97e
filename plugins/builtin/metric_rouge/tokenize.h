// Texts to tokens: rouge-score's own rule, characters, or words between white space.
//
// Called by rouge.cpp. Knows nothing of scores. [any]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::metric_rouge {

enum class Tokenizer : uint8_t {
  kDefault,     // lower case; every run of characters other than a-z, 0-9 separates
  kCharacters,  // every character that is not white space
  kWords,       // lower case, between white space
  kNone         // between white space, as it stands
};

// use_stemmer: only with kDefault; tokens of more than 3 letters are stemmed.
std::vector<std::string> tokenize(Tokenizer tokenizer, bool use_stemmer, std::string_view text);

// The lines of a text that are not empty: the sentences of rougeLsum.
std::vector<std::string_view> sentences(std::string_view text);

}  // namespace mortise::metric_rouge
