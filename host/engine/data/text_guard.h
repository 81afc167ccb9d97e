// Strangers' words on their way through a chat template: a text that spells a control token
// ("<|im_end|>", "<image>") stays text. Every such spelling is cut by a mark before the template
// runs; afterwards the rendering is tokenised piece by piece between the marks, so that the
// template's own control tokens are the only ones. A template that escapes or repeats the mark can
// only make the spelling less of a token. Called by row_encoder. Knows nothing of roles or images.
//
// transformers tokenises the whole rendering and lets such spellings through as control tokens;
// here a prompt without any has the same ids as there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/data/encoder.h"

namespace mortise::engine {

class TextGuard {  // [parallel]
 public:
  // `words`: all that guarded() will be asked about; the mark is a character that is not in them.
  // control_ids count as control tokens whatever the tokenizer says. The encoder outlives this.
  // Errors: INVALID_ARGUMENT when the words leave no mark free.
  static base::Result<TextGuard> create(const Encoder& encoder, std::vector<int32_t> control_ids,
                                        const base::Json& words);

  // The value with every string and key in it guarded. Errors: INVALID_ARGUMENT for a text that
  // spells more than 4096 control tokens, or one that is a single character.
  base::Result<base::Json> guarded(const base::Json& value) const;
  // The ids of a rendering. Errors: those of the tokenizer.
  base::Result<std::vector<int32_t>> encode(const std::string& rendered) const;

 private:
  TextGuard(const Encoder& encoder, std::vector<int32_t> control_ids, std::string mark)
      : encoder_(&encoder), control_ids_(std::move(control_ids)), mark_(std::move(mark)) {}

  base::Result<std::string> guarded_text(const std::string& text) const;
  base::Result<bool> cut_at_controls(const std::string& text,
                                     std::vector<std::string>& pieces) const;

  const Encoder* encoder_;
  std::vector<int32_t> control_ids_;
  std::string mark_;
};

}  // namespace mortise::engine
