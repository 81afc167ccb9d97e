// The older form becomes the text of a tokenizer.json first, so there is one way to read rules.
#include "loader.h"

#include <map>

#include "pattern.h"
#include "tokenizer_json.h"

namespace mortise::tokenizer_bpe {
namespace {

using sdk::Json;
using sdk::JsonDocument;

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() || folder.back() == '/' ? folder + name : folder + "/" + name;
}

// The folder of a file, "" when it stands alone.
std::string folder_of(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == file.npos ? "" : file.substr(0, slash + 1);
}

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

// The files beside the tokenizer that say which token is bos, eos, pad.
class SideFiles {
 public:
  SideFiles(const std::string& folder, const ReadFile& read)
      : config_(read_json(join(folder, "tokenizer_config.json"), read)),
        map_(read_json(join(folder, "special_tokens_map.json"), read)),
        added_(read_json(join(folder, "added_tokens.json"), read)) {}

  std::string special(const std::string& name) const {
    std::string text;
    if (config_) text = special_text(config_->root()[name]);
    if (text.empty() && map_) text = special_text(map_->root()[name]);
    return text;
  }

  // gpt2 or qwen2 by the class of transformers, empty for others.
  std::string pattern() const {
    const std::string_view name = config_ ? config_->root().get("tokenizer_class", "") : "";
    if (name.starts_with("GPT2")) return "gpt2";
    if (name.starts_with("Qwen2")) return "qwen2";
    return {};
  }

  // A JSON array of the added tokens, by id.
  std::string added_tokens() const {
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

 private:
  std::optional<JsonDocument> config_;
  std::optional<JsonDocument> map_;
  std::optional<JsonDocument> added_;
};

int32_t find_special(const std::string& name, Json config, const SideFiles& files,
                     const TokenizerParts& parts) {
  std::string text(config.get(name, ""));
  const bool asked = !text.empty();
  if (!asked) text = files.special(name);
  if (text.empty()) return -1;
  for (const AddedToken& token : parts.added) {
    if (token.content == text) return token.id;
  }
  const int32_t id = parts.model.find(text);
  if (id < 0 && asked) {
    throw sdk::invalid_argument("The configuration names " + name + " \"" + text +
                                "\", which is not in the vocabulary.")
        .at("", -1, -1, "/" + name);
  }
  return id;
}

TokenizerParts read_vocab_and_merges(const std::string& folder, const std::string& vocab_name,
                                     const std::string& vocab, Json config, const SideFiles& files,
                                     const ReadFile& read) {
  const std::string merges_name = join(folder, "merges.txt");
  const std::optional<std::string> merges = read(merges_name);
  if (!merges) {
    throw sdk::Failure(MORTISE_STATUS_NOT_FOUND,
                       merges_name + " is missing; it belongs to " + vocab_name + ".")
        .at(merges_name);
  }
  std::string pattern(config.get("pattern", ""));
  if (pattern.empty()) pattern = files.pattern();
  if (pattern.empty()) {
    throw sdk::invalid_argument(vocab_name + " does not say how words are cut.")
        .at(vocab_name, -1, -1, "/pattern")
        .with_hint("Give the configuration {\"pattern\": \"gpt2\"}, or qwen2, llama3, o200k.");
  }
  const bool nfc = pattern == "qwen2";
  const std::string text =
      assemble_tokenizer_json(vocab, *merges, pattern, nfc, files.added_tokens());
  return read_tokenizer_json(text, vocab_name);
}

TokenizerParts read_parts(const std::string& uri, const std::string& folder, Json config,
                          const SideFiles& files, const ReadFile& read) {
  const bool is_file = uri.ends_with(".json");
  const bool is_vocab = uri.ends_with("vocab.json");
  const std::string whole = is_file ? uri : join(uri, "tokenizer.json");
  if (!is_vocab) {
    if (const std::optional<std::string> text = read(whole))
      return read_tokenizer_json(*text, whole);
  }
  const std::string vocab_name = is_vocab ? uri : join(folder, "vocab.json");
  const std::optional<std::string> vocab = is_file && !is_vocab ? std::nullopt : read(vocab_name);
  if (!vocab) {
    throw sdk::Failure(MORTISE_STATUS_NOT_FOUND, "There is no tokenizer at " + uri + ": neither " +
                                                     whole +
                                                     " nor vocab.json with merges.txt exists.")
        .at(uri);
  }
  return read_vocab_and_merges(folder, vocab_name, *vocab, config, files, read);
}

}  // namespace

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

std::string assemble_tokenizer_json(const std::string& vocab_json, const std::string& merges_txt,
                                    std::string_view pattern, bool nfc, const std::string& added) {
  std::string merges = "[";
  size_t line_number = 0;
  for (size_t at = 0; at < merges_txt.size();) {
    size_t end = merges_txt.find('\n', at);
    if (end == merges_txt.npos) end = merges_txt.size();
    std::string_view line = std::string_view(merges_txt).substr(at, end - at);
    at = end + 1;
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    const size_t space = line.find(' ');
    if (space == 0 || space == line.npos || space + 1 == line.size() ||
        line.find(' ', space + 1) != line.npos) {
      throw sdk::invalid_argument("merges.txt line " + std::to_string(line_number) +
                                  " is not two parts with one space between.")
          .at("merges.txt", static_cast<int64_t>(line_number));
    }
    if (merges.size() > 1) merges += ',';
    merges += quote_json(line);
  }
  merges += ']';
  const std::string_view known = known_expression(pattern);
  const std::string expression(known.empty() ? pattern : known);
  const std::string byte_level =
      R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false})";
  const std::string split = R"({"type":"Split","pattern":{"Regex":)" + quote_json(expression) +
                            R"(},"behavior":"Isolated","invert":false})";
  std::string text = R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":)" + added;
  text += R"(,"normalizer":)" + std::string(nfc ? R"({"type":"NFC"})" : "null");
  text += R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[)" + split + "," + byte_level;
  text += R"(]},"post_processor":)" + byte_level + R"(,"decoder":)" + byte_level;
  text += R"(,"model":{"type":"BPE","dropout":null,"unk_token":null,)"
          R"("continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,)"
          R"("byte_fallback":false,"ignore_merges":false,"vocab":)";
  return text + vocab_json + ",\"merges\":" + merges + "}}";
}

Tokenizer load_tokenizer(const std::string& uri, Json config, const ReadFile& read) {
  const std::string folder = uri.ends_with(".json") ? folder_of(uri) : uri;
  const SideFiles files(folder, read);
  TokenizerParts parts = read_parts(uri, folder, config, files, read);
  parts.bos_id = find_special("bos_token", config, files, parts);
  parts.eos_id = find_special("eos_token", config, files, parts);
  parts.pad_id = find_special("pad_token", config, files, parts);
  if (parts.unk_id < 0) parts.unk_id = find_special("unk_token", config, files, parts);
  return Tokenizer(std::move(parts));
}

}  // namespace mortise::tokenizer_bpe
