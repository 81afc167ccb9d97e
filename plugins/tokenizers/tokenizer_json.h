// tokenizer.json, as the tokenizers library writes it, to the parts of a tokenizer.
//
// Called by the loaders of the packs. Whatever the file asks for is done or refused by name with
// UNIMPLEMENTED; "truncation" and "padding" alone are left to the caller of encode, as transformers
// does. Knows nothing of files.
#pragma once

#include <mortise/cpp/json_parse.hpp>

#include <functional>
#include <memory>
#include <string>

#include "tokenizer.h"

namespace mortise::tokenizers {

// Makes the model of the section "/model"; is_byte_level: its words are read as bytes. Throws
// UNIMPLEMENTED for another type of model.
using ReadModel =
    std::function<std::shared_ptr<const Model>(sdk::Json section, bool is_byte_level)>;

// `text` is the content of `file`, which is named in messages. bos, eos and pad stay -1: they stand
// in other files. Throws INVALID_ARGUMENT with the JSON pointer of what is broken, UNIMPLEMENTED
// with the name of what is not done.
TokenizerParts read_tokenizer_json(const std::string& text, const std::string& file,
                                   const ReadModel& read_model);

// One entry of an "added_tokens" list, or of an "added_tokens_decoder" map without its id.
AddedToken read_added_token(sdk::Json entry);

}  // namespace mortise::tokenizers
