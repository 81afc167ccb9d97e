// The normaliser of a tokenizer: a list of changes to the text before it is cut.
//
// Made by tokenizer_json.cpp, called by tokenizer.cpp on each piece between added tokens. The names
// and effects are those of tokenizer.json. Immutable, so [parallel].
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aligned_text.h"
#include "pattern.h"
#include "unicode.h"

namespace mortise::tokenizers {

// A change that a pack brings itself. Immutable, so [parallel].
class TextChange {
 public:
  virtual ~TextChange() = default;
  virtual void apply(AlignedText& text) const = 0;
};

struct NormalizerStep {
  enum class Kind : uint8_t {
    kForm,
    kLowercase,
    kStrip,
    kStripAccents,
    kReplace,
    kPrepend,
    kClean,   // drops controls, makes white space a blank
    kPadHan,  // a blank on both sides of each Chinese character
    kChange,  // `change`
  };
  Kind kind = Kind::kForm;
  Form form = Form::kNfc;                      // kForm
  bool left = true;                            // kStrip
  bool right = true;                           // kStrip
  std::shared_ptr<const TextChange> change{};  // kChange
  bool all_marks = true;                       // kStripAccents: \p{M}, else \p{Mn} alone
  std::string content{};  // kReplace: what to put; kPrepend: what to put in front
  Pattern pattern{};      // kReplace
};

class Normalizer {
 public:
  void add(NormalizerStep step) { steps_.push_back(std::move(step)); }
  bool empty() const { return steps_.empty(); }

  // false promises that apply() leaves `text` as it is.
  bool may_change(std::string_view text) const;
  // Throws what Pattern::matches throws.
  void apply(AlignedText& text) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace mortise::tokenizers
