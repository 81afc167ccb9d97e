// The files beside a tokenizer that say which token is bos, eos, pad, and which tokens were added.
//
// Called by the loaders of the packs. Reads tokenizer_config.json, special_tokens_map.json and
// added_tokens.json where they exist; how a file is opened is the caller's business. Immutable.
#pragma once

#include <mortise/cpp/json_parse.hpp>

#include <functional>
#include <optional>
#include <string>

#include "tokenizer.h"

namespace mortise::tokenizers {

// The content of a file, or nothing when there is none of that name. Throws other failures.
using ReadFile = std::function<std::optional<std::string>(const std::string& name)>;

std::string join(const std::string& folder, const std::string& name);
// The folder of a file with its slash, "" when it stands alone.
std::string folder_of(const std::string& file);
// `text` as a JSON string with its quotes.
std::string quote_json(std::string_view text);

class SideFiles {
 public:
  // Throws INVALID_ARGUMENT naming a file that is no JSON.
  SideFiles(const std::string& folder, const ReadFile& read);

  // "bos_token" and the like; empty when no file names it.
  std::string special(const std::string& name) const;
  // gpt2 or qwen2 by the class of transformers, empty for others.
  std::string pattern() const;
  // A JSON array of the added tokens, by id.
  std::string added_tokens() const;
  // tokenizer_config.json; nothing when there is none.
  std::optional<sdk::Json> config() const;

  // Fills bos_id, eos_id, pad_id and unk_id where it is -1: what `config` names wins over the
  // files. Throws INVALID_ARGUMENT when a token that `config` names is not in the vocabulary.
  void find_specials(sdk::Json config, TokenizerParts& parts) const;

 private:
  std::optional<sdk::JsonDocument> config_;
  std::optional<sdk::JsonDocument> map_;
  std::optional<sdk::JsonDocument> added_;
};

}  // namespace mortise::tokenizers
