// The files of a WordPiece tokenizer, in a folder or alone, to a Tokenizer.
//
// Called by plugin.cpp. Reads tokenizer.json, or else vocab.txt with BERT's rules, and the files
// beside them (tokenizers/side_files.h).
#pragma once

#include <mortise/cpp/json_parse.hpp>

#include <string>

#include "tokenizers/side_files.h"
#include "tokenizers/tokenizer.h"

namespace mortise::tokenizer_wordpiece {

// uri: a folder, a tokenizer.json or a vocab.txt (one token a line, its id is the line's number
// from 0). config: "lowercase", "strip_accents", "split_chinese" (for vocab.txt; they win over
// tokenizer_config.json's do_lower_case, strip_accents and tokenize_chinese_chars) and "bos_token",
// "eos_token", "pad_token". Throws NOT_FOUND naming what was sought, INVALID_ARGUMENT with the
// line.
tokenizers::Tokenizer load_tokenizer(const std::string& uri, sdk::Json config,
                                     const tokenizers::ReadFile& read);

}  // namespace mortise::tokenizer_wordpiece
