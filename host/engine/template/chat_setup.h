// The chat template of a model folder and the variables it may use. Called by engine/train, serve,
// evaluate and `mortise template render`, so that training and serving see the same text.
#pragma once

#include <string>
#include <string_view>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/template/template.h"

namespace mortise::engine {

struct ChatSetup {
  Template chat_template;
  base::Json variables;     // bos_token, eos_token, ...: those the tokenizer's files name
  bool is_default = false;  // the folder has no template of its own
};

// chat_template.jinja, else chat_template.json, else "chat_template" of tokenizer_config.json (of
// several the one named "default"), else default_chat_template(). The variables come from
// tokenizer_config.json and special_tokens_map.json. Errors: those of Template::parse with the
// file; INVALID_ARGUMENT for a file that is not JSON.
base::Result<ChatSetup> read_chat_setup(base::FileOps& files, const std::string& folder);

// For models without one: "USER: ...\nASSISTANT: ...</s>\n" with image placeholders in front of the
// text of their message; needs no special token but eos_token.
std::string_view default_chat_template();

}  // namespace mortise::engine
