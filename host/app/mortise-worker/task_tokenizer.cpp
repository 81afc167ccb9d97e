// `mortise tokenizer encode|decode|show|train` in the worker: through the tokenizer pack, as a job
// does it.
#include <algorithm>

#include "app/mortise-worker/context.h"

namespace mortise::worker {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr const char* kTokenizerId = "mortise.tokenizer_bpe";
constexpr size_t kBatchTexts = 1024;

// arguments: {tokenizer: folder or file, pattern?}
Result<plugin::Tokenizer> open(Context& context) {
  Json config = Json::object();
  if (!context.text("pattern").empty()) config["pattern"] = context.text("pattern");
  return open_local_tokenizer(context, context.text("tokenizer"), config);
}

// Gives the lines of the spooled standard input to `take` in batches, one JSON value a line.
base::Status each_batch(Context& context,
                        const std::function<base::Status(const std::vector<Json>&)>& take) {
  job::LineFollower lines(context.files, base::join_path(context.task_folder, "input"));
  std::vector<Json> batch;
  int64_t row = 0;
  while (true) {
    MORTISE_ASSIGN(const auto read, lines.read());
    if (read.empty()) break;
    for (const std::string& line : read) {
      ++row;
      auto value = base::parse_json(line);
      if (!value.ok()) return std::move(value.error()).at_file("standard input").at_row(row);
      batch.push_back(std::move(*value));
      if (batch.size() == kBatchTexts) {
        MORTISE_TRY(take(batch));
        batch.clear();
      }
    }
  }
  return batch.empty() ? base::Status{} : take(batch);
}

// Texts of a file: one JSON string a line in .jsonl, else one line a text.
base::Result<std::vector<std::string>> texts_of(Context& context, const std::string& path) {
  MORTISE_ASSIGN(const std::string content, base::read_file(context.files, path));
  const bool is_jsonl = path.ends_with(".jsonl");
  std::vector<std::string> texts;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    const std::string line = content.substr(begin, end - begin);
    if (is_jsonl && !line.empty()) {
      auto value = base::parse_json(line);
      if (!value.ok() || !value->is_string()) {
        return Error(Code::kInvalidArgument, "A line is no JSON string.",
                     "Write one quoted text a line, or name the file .txt.")
            .at_file(path)
            .at_byte(static_cast<int64_t>(begin));
      }
      texts.push_back(value->as_string());
    } else if (!line.empty()) {
      texts.push_back(line);
    }
    begin = end + 1;
  }
  return texts;
}

// tokenizer_config.json names the tokens that training and serving need; the usual spellings are
// recognised among the special tokens.
Json tokenizer_config(const Json& special_tokens) {
  const auto first_of = [&](std::initializer_list<const char*> names) -> Json {
    for (const char* name : names) {
      for (const Json& token : special_tokens.items()) {
        if (token.as_string() == name) return token;
      }
    }
    return {};
  };
  return Json::object({{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"bos_token", first_of({"<s>", "<|begin_of_text|>"})},
                       {"eos_token", first_of({"</s>", "<|im_end|>", "<|endoftext|>"})},
                       {"pad_token", first_of({"<pad>", "<|pad|>"})},
                       {"clean_up_tokenization_spaces", false}});
}

constexpr std::string_view kGrant = "tokenizer";  // the pack's name of the folder

// What the pack says, with the path that the user gave.
Error with_path(Error error, const std::string& folder, const std::string& path) {
  if (error.code == Code::kNotFound) {
    return Error(Code::kNotFound, "There is no tokenizer.",
                 "Give a folder that holds tokenizer.json, or vocab.json with merges.txt.")
        .at_file(path);
  }
  if (error.file.starts_with(kGrant)) error.file = folder + error.file.substr(kGrant.size());
  return error;
}

}  // namespace

Result<plugin::Tokenizer> open_local_tokenizer(Context& context, const std::string& path,
                                               const Json& config) {
  const bool is_folder = context.files.list(path).ok();
  const size_t slash = path.rfind('/');
  const std::string folder = is_folder ? path : path.substr(0, slash);
  std::string uri(kGrant);
  if (!is_folder) uri += "/" + path.substr(slash + 1);
  if (auto granted = context.services.grant(kGrant, folder); !granted.ok()) {
    return with_path(granted.error(), folder, path);
  }
  auto tokenizer = context.registry.open_tokenizer(kTokenizerId, uri, config);
  if (!tokenizer.ok()) return with_path(tokenizer.error(), folder, path);
  return tokenizer;
}

Result<job::TaskResult> tokenizer_encode(Context& context) {
  MORTISE_ASSIGN(const plugin::Tokenizer tokenizer, open(context));
  plugin::EncodeOptions options;
  options.add_special = context.argument("special").as_bool();
  options.parse_special = options.add_special;
  MORTISE_TRY(each_batch(context, [&](const std::vector<Json>& batch) -> base::Status {
    std::vector<std::string> texts;
    for (const Json& value : batch) {
      if (!value.is_string()) {
        return Error(Code::kInvalidArgument, "A line of standard input is no JSON string.",
                     "Write one quoted text a line.");
      }
      texts.push_back(value.as_string());
    }
    MORTISE_ASSIGN(const auto encoded, tokenizer.encode_batch(texts, options));
    std::string out;
    for (const auto& ids : encoded) {
      out += '[';
      for (size_t i = 0; i < ids.size(); ++i) out += (i == 0 ? "" : ",") + std::to_string(ids[i]);
      out += "]\n";
    }
    return context.print(out);
  }));
  return done();
}

Result<job::TaskResult> tokenizer_decode(Context& context) {
  MORTISE_ASSIGN(const plugin::Tokenizer tokenizer, open(context));
  MORTISE_TRY(each_batch(context, [&](const std::vector<Json>& batch) -> base::Status {
    std::vector<std::vector<int32_t>> lists;
    for (const Json& value : batch) {
      std::vector<int32_t> ids;
      for (const Json& id : value.items()) ids.push_back(static_cast<int32_t>(id.as_int(-1)));
      lists.push_back(std::move(ids));
    }
    MORTISE_ASSIGN(const auto texts,
                   tokenizer.decode_batch(lists, context.argument("skip_special").as_bool()));
    std::string out;
    for (const std::string& text : texts) out += base::json_quote(text) + "\n";
    return context.print(out);
  }));
  return done();
}

Result<job::TaskResult> tokenizer_show(Context& context) {
  MORTISE_ASSIGN(const plugin::Tokenizer tokenizer, open(context));
  const plugin::TokenizerFacts& facts = tokenizer.facts();
  const Json shown = Json::object({{"vocab_count", static_cast<int64_t>(facts.vocab_count)},
                                   {"bos_id", facts.bos_id},
                                   {"eos_id", facts.eos_id},
                                   {"unk_id", facts.unk_id},
                                   {"pad_id", facts.pad_id},
                                   {"fingerprint", tokenizer.fingerprint()}});
  MORTISE_TRY(context.print(shown.dump(2) + "\n"));
  return done();
}

// arguments: {files [], vocab_size, pattern, special_tokens [], out}
Result<job::TaskResult> tokenizer_train(Context& context) {
  Json special = context.argument("special_tokens");
  if (special.size() == 0) {
    special = Json::array({Json("<pad>"), Json("<s>"), Json("</s>"), Json("<image>")});
  }
  const Json config = Json::object({{"vocab_size", context.argument("vocab_size")},
                                    {"pattern", context.argument("pattern")},
                                    {"special_tokens", special}});
  MORTISE_ASSIGN(auto trainer, context.registry.open_tokenizer_trainer(kTokenizerId, config));
  for (const Json& path : context.argument("files").items()) {
    MORTISE_ASSIGN(const auto texts, texts_of(context, path.as_string()));
    for (size_t begin = 0; begin < texts.size(); begin += kBatchTexts) {
      const size_t count = std::min(kBatchTexts, texts.size() - begin);
      MORTISE_TRY(trainer.add(std::span(texts).subspan(begin, count)));
    }
  }
  MORTISE_ASSIGN(const std::string tokenizer, trainer.finish());
  const std::string out = context.text("out");
  MORTISE_TRY(base::make_folders(context.files, out));
  MORTISE_TRY(
      base::write_file_durably(context.files, base::join_path(out, "tokenizer.json"), tokenizer));
  MORTISE_TRY(base::write_file_durably(context.files, base::join_path(out, "tokenizer_config.json"),
                                       tokenizer_config(special).dump(2) + "\n"));
  return done();
}

}  // namespace mortise::worker
