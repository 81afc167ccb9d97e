// vocab.txt becomes the text of a tokenizer.json first, so there is one way to read rules.
#include "loader.h"

#include <mortise/cpp/utf8.hpp>

#include <algorithm>

#include "tokenizers/tokenizer_json.h"
#include "wordpiece_model.h"

namespace mortise::tokenizer_wordpiece {

using namespace tokenizers;

namespace {

using sdk::Json;

constexpr const char* kSpecials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

// What `config` says, else what the file says under its own name, else `otherwise`: JSON.
std::string flag(Json config, const char* name, const SideFiles& files, const char* files_name,
                 const char* otherwise) {
  Json value = config[name];
  if (!value.exists() && files.config()) value = (*files.config())[files_name];
  if (!value.exists() || value.is_null()) return otherwise;
  return value.as_bool() ? "true" : "false";
}

std::string normalizer_json(Json config, const SideFiles& files) {
  return R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":)" +
         flag(config, "split_chinese", files, "tokenize_chinese_chars", "true") +
         ",\"strip_accents\":" + flag(config, "strip_accents", files, "strip_accents", "null") +
         ",\"lowercase\":" + flag(config, "lowercase", files, "do_lower_case", "true") + "}";
}

std::string assemble(const std::string& vocab_txt, const std::string& normalizer,
                     const std::string& file) {
  Vocabulary known;  // finds what stands twice
  std::string vocab;
  int64_t id = 0;
  for (size_t at = 0; at < vocab_txt.size(); ++id) {
    const size_t end = std::min(vocab_txt.find('\n', at), vocab_txt.size());
    std::string_view line = std::string_view(vocab_txt).substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = end + 1;
    if (known.find(line) >= 0) {
      throw sdk::invalid_argument("Line " + std::to_string(id + 1) + " of vocab.txt, \"" +
                                  std::string(line) + "\", is line " +
                                  std::to_string(known.find(line) + 1) + " again.")
          .at(file, id + 1);
    }
    known.add(std::string(line), id);
    vocab += (id > 0 ? "," : "") + quote_json(line) + ":" + std::to_string(id);
  }
  std::string added;
  for (const char* special : kSpecials) {
    if (known.find(special) < 0) continue;
    // [UNK] is a word like others: decoded text that holds it gives the same ids again.
    const bool is_special = std::string_view(special) != "[UNK]";
    added += std::string(added.empty() ? "" : ",") +
             "{\"id\":" + std::to_string(known.find(special)) + ",\"content\":\"" + special +
             "\",\"special\":" + (is_special ? "true" : "false") + ",\"normalized\":false}";
  }
  const int32_t cls = known.find("[CLS]"), sep = known.find("[SEP]");
  const std::string processor =
      cls < 0 || sep < 0 ? "null"
                         : R"({"type":"BertProcessing","sep":["[SEP]",)" + std::to_string(sep) +
                               R"(],"cls":["[CLS]",)" + std::to_string(cls) + "]}";
  return R"({"version":"1.0","added_tokens":[)" + added + R"(],"normalizer":)" + normalizer +
         R"(,"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":)" + processor +
         R"(,"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},)"
         R"("model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",)"
         R"("max_input_chars_per_word":100,"vocab":{)" +
         vocab + "}}}";
}

TokenizerParts read_parts(const std::string& uri, Json config, const SideFiles& files,
                          const ReadFile& read) {
  const bool is_vocab = uri.ends_with(".txt");
  const std::string whole = uri.ends_with(".json") ? uri : join(uri, "tokenizer.json");
  if (!is_vocab) {
    if (const std::optional<std::string> text = read(whole)) {
      return read_tokenizer_json(*text, whole, read_wordpiece_model);
    }
  }
  const std::string name = is_vocab ? uri : join(uri, "vocab.txt");
  const std::optional<std::string> vocab = uri.ends_with(".json") ? std::nullopt : read(name);
  if (!vocab) {
    throw sdk::Failure(MORTISE_STATUS_NOT_FOUND, "There is no tokenizer at " + uri + ": neither " +
                                                     whole + " nor vocab.txt exists.")
        .at(uri);
  }
  const int64_t invalid = sdk::find_invalid_utf8(*vocab);
  if (invalid >= 0) {
    throw sdk::invalid_argument("It is not UTF-8 at byte " + std::to_string(invalid) + ".")
        .at(name, -1, invalid);
  }
  return read_tokenizer_json(assemble(*vocab, normalizer_json(config, files), name), name,
                             read_wordpiece_model);
}

}  // namespace

Tokenizer load_tokenizer(const std::string& uri, Json config, const ReadFile& read) {
  const bool is_file = uri.ends_with(".json") || uri.ends_with(".txt");
  const SideFiles files(is_file ? folder_of(uri) : uri, read);
  TokenizerParts parts = read_parts(uri, config, files, read);
  files.find_specials(config, parts);
  return Tokenizer(std::move(parts));
}

}  // namespace mortise::tokenizer_wordpiece
