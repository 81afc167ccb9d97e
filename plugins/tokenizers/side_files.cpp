// What is read here is small; a file that is not there is no failure.
#include "side_files.h"

#include <map>

#include "tokenizer_json.h"

namespace mortise::tokenizers {

using sdk::Json;
using sdk::JsonDocument;

namespace {

std::optional<JsonDocument> read_json(const std::string& name, const ReadFile& read) {
  std::optional<std::string> text = read(name);
  if (!text) return std::nullopt;
  return JsonDocument::parse(std::move(*text), {}, name);
}

// A special token is a text, or an added token with its content.
std::string special_text(Json value) {
  if (value.is_text()) return std::string(value.as_text());
  if (value.is_object()) return std::string(value.get("content", ""));
  return {};
}

int32_t find_special(const std::string& name, Json config, const SideFiles& files,
                     const TokenizerParts& parts) {
  std::string text(config.get(name, ""));
  const bool asked = !text.empty();
  if (!asked) text = files.special(name);
  if (text.empty()) return -1;
  for (const AddedToken& token : parts.added) {
    if (token.content == text) return token.id;
  }
  const int32_t id = parts.model->vocabulary().find(text);
  if (id < 0 && asked) {
    throw sdk::invalid_argument("The configuration names " + name + " \"" + text +
                                "\", which is not in the vocabulary.")
        .at("", -1, -1, "/" + name);
  }
  return id;
}

}  // namespace

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() || folder.back() == '/' ? folder + name : folder + "/" + name;
}

std::string folder_of(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == file.npos ? "" : file.substr(0, slash + 1);
}

std::string quote_json(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      const auto byte = static_cast<uint8_t>(c);
      quoted += "\\u00";
      quoted += "0123456789abcdef"[byte >> 4];
      quoted += "0123456789abcdef"[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

SideFiles::SideFiles(const std::string& folder, const ReadFile& read)
    : config_(read_json(join(folder, "tokenizer_config.json"), read)),
      map_(read_json(join(folder, "special_tokens_map.json"), read)),
      added_(read_json(join(folder, "added_tokens.json"), read)) {}

std::string SideFiles::special(const std::string& name) const {
  std::string text;
  if (config_) text = special_text(config_->root()[name]);
  if (text.empty() && map_) text = special_text(map_->root()[name]);
  return text;
}
std::string SideFiles::pattern() const {
  const std::string_view name = config_ ? config_->root().get("tokenizer_class", "") : "";
  if (name.starts_with("GPT2")) return "gpt2";
  if (name.starts_with("Qwen2")) return "qwen2";
  return {};
}
std::string SideFiles::added_tokens() const {
  std::map<int64_t, std::string> by_id;
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  const auto add = [&](int64_t id, const AddedToken& token) {
    by_id[id] = "{\"id\":" + std::to_string(id) + ",\"content\":" + quote_json(token.content) +
                ",\"single_word\":" + flag(token.single_word) +
                ",\"lstrip\":" + flag(token.lstrip) + ",\"rstrip\":" + flag(token.rstrip) +
                ",\"normalized\":" + flag(token.normalized) +
                ",\"special\":" + flag(token.special) + "}";
  };
  if (added_) {
    added_->root().for_each_member([&](std::string_view content, Json id) {
      AddedToken token;
      token.content = content;
      token.special = true;
      add(id.as_integer(), token);
    });
  }
  if (config_ && config_->root()["added_tokens_decoder"].is_object()) {
    config_->root()["added_tokens_decoder"].for_each_member([&](std::string_view id, Json entry) {
      const std::string digits(id);
      if (digits.empty() || digits.size() > 8 ||
          digits.find_first_not_of("0123456789") != digits.npos) {
        throw sdk::invalid_argument("\"" + digits + "\" is not an id.")
            .at("tokenizer_config.json", -1, -1, entry.pointer());
      }
      add(std::stoll(digits), read_added_token(entry));
    });
  }
  std::string list = "[";
  for (const auto& [id, text] : by_id) list += (list.size() > 1 ? "," : "") + text;
  return list + "]";
}

std::optional<Json> SideFiles::config() const {
  if (!config_) return std::nullopt;
  return config_->root();
}

void SideFiles::find_specials(Json config, TokenizerParts& parts) const {
  parts.bos_id = find_special("bos_token", config, *this, parts);
  parts.eos_id = find_special("eos_token", config, *this, parts);
  parts.pad_id = find_special("pad_token", config, *this, parts);
  if (parts.unk_id < 0) parts.unk_id = find_special("unk_token", config, *this, parts);
}

}  // namespace mortise::tokenizers
