// The pre-tokeniser: cuts a normalised text into words that the model treats on their own.
//
// Made by tokenizer_json.cpp, called by tokenizer.cpp and trainer.cpp. The names and effects are
// those of tokenizer.json. The byte alphabet of ByteLevel is not applied here: the model reads
// bytes itself. Immutable, so [parallel].
#pragma once

#include <string>
#include <vector>

#include "aligned_text.h"
#include "pattern.h"

namespace mortise::tokenizers {

// What happens to a match of a Split.
enum class Behavior : uint8_t {
  kIsolated,
  kRemoved,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous
};

struct PreTokenizerStep {
  enum class Kind : uint8_t {
    kSplit,
    kDigits,
    kMetaspace,
    kByteLevel,
    kWhitespace,
    kWhitespaceSplit,
    kPunctuation,
    kBert
  };
  enum class Scheme : uint8_t { kAlways, kFirst, kNever };
  Kind kind = Kind::kSplit;
  Pattern pattern;                           // kSplit
  Behavior behavior = Behavior::kIsolated;   // kSplit, kPunctuation
  bool invert = false;                       // kSplit
  bool individual_digits = false;            // kDigits
  std::string replacement = "\xE2\x96\x81";  // kMetaspace
  Scheme scheme = Scheme::kAlways;           // kMetaspace
  bool split = true;                         // kMetaspace
  bool add_prefix_space = false;             // kByteLevel
  bool use_regex = false;                    // kByteLevel
};

class PreTokenizer {
 public:
  void add(PreTokenizerStep step);

  // Cuts `text`, which may be changed on the way (a space in front). The words are in order and not
  // empty. Throws what Pattern::matches throws.
  std::vector<Range> apply(AlignedText& text) const;

  // Cuts a text just as apply() does and changes nothing; nullptr when it takes more than that.
  Scanner scanner() const { return scanner_; }

 private:
  Scanner find_only_scanner() const;

  std::vector<PreTokenizerStep> steps_;
  Scanner scanner_ = nullptr;
};

}  // namespace mortise::tokenizers
