// The section "/model" of a tokenizer.json whose type is BPE.
#pragma once

#include <mortise/cpp/json.hpp>

#include <memory>
#include <string>

#include "bpe_model.h"
#include "tokenizers/tokenizer.h"

namespace mortise::tokenizer_bpe {

// Throws UNIMPLEMENTED naming another type of model, INVALID_ARGUMENT with the JSON pointer of what
// is broken.
std::shared_ptr<const BpeModel> read_bpe_model(sdk::Json section, bool is_byte_level);

// The whole file; see tokenizers/tokenizer_json.h.
tokenizers::TokenizerParts read_tokenizer_json(const std::string& text, const std::string& file);

}  // namespace mortise::tokenizer_bpe
