// A merge is written as one string or, since version 0.20 of the library, as a list of two.
#include "bpe_json.h"

#include <mortise/cpp/status.hpp>

#include "tokenizers/tokenizer_json.h"

namespace mortise::tokenizer_bpe {
namespace {

using sdk::Json;

std::string optional_text(Json object, std::string_view key) {
  return std::string(object.get(key, ""));
}

BpeRules read_bpe_rules(Json model, bool is_byte_level) {
  const std::string_view type = model.get("type", "BPE");
  if (type != "BPE") {
    throw sdk::unimplemented("The model is \"" + std::string(type) +
                             "\"; mortise.tokenizer_bpe does BPE alone.")
        .at("", -1, -1, "/model/type")
        .with_hint(
            "Unigram is done by mortise.tokenizer_sentencepiece, WordPiece by "
            "mortise.tokenizer_wordpiece.");
  }
  if (model.get("dropout", 0.0) != 0.0) {
    throw sdk::unimplemented("The model has a dropout, so its ids are random; set it to null.")
        .at("", -1, -1, "/model/dropout");
  }
  BpeRules rules;
  rules.byte_level = is_byte_level;
  rules.byte_fallback = model.get("byte_fallback", false);
  rules.fuse_unk = model.get("fuse_unk", false);
  rules.ignore_merges = model.get("ignore_merges", false);
  rules.unk_token = optional_text(model, "unk_token");
  rules.continuing_prefix = optional_text(model, "continuing_subword_prefix");
  rules.word_suffix = optional_text(model, "end_of_word_suffix");
  return rules;
}

void read_merge(Json entry, BpeModel& model) {
  if (entry.is_array()) {
    const std::vector<Json> parts = entry.items();
    if (parts.size() != 2) {
      throw sdk::invalid_argument("A merge has " + std::to_string(parts.size()) +
                                  " parts; it must have two.")
          .at("", -1, -1, entry.pointer());
    }
    model.add_merge(std::string(parts[0].as_text()), std::string(parts[1].as_text()));
    return;
  }
  const std::string_view both = entry.as_text();
  const size_t space = both.find(' ');
  if (space == both.npos || both.find(' ', space + 1) != both.npos) {
    throw sdk::invalid_argument("The merge \"" + std::string(both) +
                                "\" is not two parts with one space between.")
        .at("", -1, -1, entry.pointer());
  }
  model.add_merge(std::string(both.substr(0, space)), std::string(both.substr(space + 1)));
}

}  // namespace

std::shared_ptr<const BpeModel> read_bpe_model(Json section, bool is_byte_level) {
  auto made = std::make_shared<BpeModel>(read_bpe_rules(section, is_byte_level));
  BpeModel& model = *made;
  section["vocab"].for_each_member([&](std::string_view token, Json id) {
    model.add_token(std::string(token), id.as_integer());
  });
  section["merges"].for_each_item([&](Json merge) { read_merge(merge, model); });
  model.seal();
  return made;
}

tokenizers::TokenizerParts read_tokenizer_json(const std::string& text, const std::string& file) {
  return tokenizers::read_tokenizer_json(text, file, read_bpe_model);
}

}  // namespace mortise::tokenizer_bpe
