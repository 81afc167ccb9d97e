// The older form becomes the text of a tokenizer.json first, so there is one way to read rules.
#include "loader.h"

#include "bpe_json.h"
#include "tokenizers/pattern.h"

namespace mortise::tokenizer_bpe {

using namespace tokenizers;

namespace {

using sdk::Json;

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
  files.find_specials(config, parts);
  return Tokenizer(std::move(parts));
}

}  // namespace mortise::tokenizer_bpe
