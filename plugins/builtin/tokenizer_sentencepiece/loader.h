// The files of a SentencePiece tokenizer, in a folder or alone, to a Tokenizer.
//
// Called by plugin.cpp. Reads tokenizer.model and the files beside it (tokenizers/side_files.h).
#pragma once

#include <mortise/cpp/json_parse.hpp>

#include <string>

#include "tokenizers/side_files.h"
#include "tokenizers/tokenizer.h"

namespace mortise::tokenizer_sentencepiece {

// uri: a folder or the model file itself. config: "add_bos", "add_eos" (what encode adds when asked
// for special tokens; else tokenizer_config.json's add_bos_token and add_eos_token, else bos alone)
// and "bos_token", "eos_token", "pad_token", "unk_token". Throws NOT_FOUND naming what was sought;
// otherwise as read_model_file and PieceModel.
tokenizers::Tokenizer load_tokenizer(const std::string& uri, sdk::Json config,
                                     const tokenizers::ReadFile& read);

}  // namespace mortise::tokenizer_sentencepiece
