// The files of a tokenizer, in a folder or alone, to a Tokenizer.
//
// Called by plugin.cpp. Reads tokenizer.json, or else vocab.json and merges.txt, and beside them
// tokenizer_config.json, special_tokens_map.json and added_tokens.json where they exist. How a file
// is opened is the caller's business.
#pragma once

#include <mortise/cpp/json_parse.hpp>

#include <string>

#include "tokenizers/side_files.h"
#include "tokenizers/tokenizer.h"

namespace mortise::tokenizer_bpe {

// uri: a folder, a tokenizer.json or a vocab.json. config: "pattern" (how vocab.json and merges.txt
// cut words: gpt2, qwen2, llama3, o200k or an expression) and "bos_token", "eos_token", "pad_token"
// (win over the files). Throws NOT_FOUND naming what was sought; otherwise as read_tokenizer_json.
tokenizers::Tokenizer load_tokenizer(const std::string& uri, sdk::Json config,
                                     const tokenizers::ReadFile& read);

// A tokenizer.json from its older form. pattern: a name or an expression; nfc: normalise first.
// added: a JSON array of added tokens. Throws INVALID_ARGUMENT naming the line of a bad merge.
std::string assemble_tokenizer_json(const std::string& vocab_json, const std::string& merges_txt,
                                    std::string_view pattern, bool nfc, const std::string& added);

}  // namespace mortise::tokenizer_bpe
