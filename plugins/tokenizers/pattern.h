// What a Split, a Replace or a pre-tokeniser looks for: a literal, a well-known expression with a
// scanner of its own, or any regular expression.
//
// Called by normalizer.cpp, pre_tokenizer.cpp and trainer.cpp. The scanners (scanner.cpp) give what
// the expression would give, in one pass; all other expressions go to PCRE2 with a bound on steps,
// so hostile text cannot hold a worker. Knows nothing of tokens. Immutable, so [parallel].
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aligned_text.h"
#include "scanner.h"

namespace mortise::tokenizers {

class Pattern {
 public:
  static Pattern literal(std::string text);
  // Throws INVALID_ARGUMENT saying why `expression` cannot be understood.
  static Pattern expression(const std::string& expression);

  // All matches in `text`, from left to right, not overlapping; an empty match is left out. Throws
  // RESOURCE_EXHAUSTED when the expression takes too many steps.
  std::vector<Range> matches(std::string_view text) const;

  // What cuts as this expression does; nullptr for one that has no scanner.
  Scanner scanner() const { return scanner_; }
  const std::string& source() const { return source_; }

 private:
  struct Compiled;
  std::vector<Range> literal_matches(std::string_view text) const;
  std::vector<Range> compiled_matches(std::string_view text) const;

  std::string source_;
  Scanner scanner_ = nullptr;
  std::shared_ptr<const Compiled> compiled_;  // shared: a pattern is copied with its rule
};

// The expression behind a short name: "gpt2", "qwen2", "llama3", "o200k"; empty for another name.
std::string_view known_expression(std::string_view name);

}  // namespace mortise::tokenizers
