// The rules of tokenizer.json that change or cut text, one function a section.
//
// Called by tokenizer_json.cpp only. Each function throws UNIMPLEMENTED with the section and the
// type that it does not know.
#pragma once

#include <mortise/cpp/json.hpp>

#include "decode_chain.h"
#include "normalizer.h"
#include "pre_tokenizer.h"

namespace mortise::tokenizers {

Normalizer read_normalizer(sdk::Json section);
// is_byte_level: whether the words are read as bytes.
PreTokenizer read_pre_tokenizer(sdk::Json section, bool& is_byte_level);
DecodeRules read_decoder(sdk::Json section);

}  // namespace mortise::tokenizers
