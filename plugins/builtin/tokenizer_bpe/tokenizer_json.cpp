// Model, added tokens, post-processor and fingerprint; the other sections are in json_rules.cpp.
#include "tokenizer_json.h"

#include <map>

#include "json_rules.h"
#include "sha256.h"

namespace mortise::tokenizer_bpe {
namespace {

using sdk::Json;

// Changes when the algorithm changes the ids that it gives for some file.
constexpr std::string_view kAlgorithm = "mortise.tokenizer_bpe/1\n";

std::string optional_text(Json object, std::string_view key) {
  return std::string(object.get(key, ""));
}

BpeRules read_model_rules(Json model, bool is_byte_level) {
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

BpeModel read_model(Json section, bool is_byte_level) {
  BpeModel model(read_model_rules(section, is_byte_level));
  section["vocab"].for_each_member([&](std::string_view token, Json id) {
    model.add_token(std::string(token), id.as_integer());
  });
  section["merges"].for_each_item([&](Json merge) { read_merge(merge, model); });
  model.seal();
  return model;
}

// What one post-processor puts around what is there.
void read_processor(Json rule, TokenizerParts& parts) {
  const std::string_view type = rule["type"].as_text();
  std::vector<int32_t> front, back;
  const auto id_of = [](Json id) { return static_cast<int32_t>(id.as_integer()); };
  if (type == "Sequence") {
    rule["processors"].for_each_item([&](Json inner) { read_processor(inner, parts); });
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    front.push_back(id_of(rule["cls"].items().at(1)));
    back.push_back(id_of(rule["sep"].items().at(1)));
  } else if (type == "TemplateProcessing") {
    bool seen = false;
    rule["single"].for_each_item([&](Json item) {
      if (item["Sequence"].exists()) {
        if (seen || item["Sequence"]["id"].as_text() != "A") {
          throw sdk::invalid_argument("A single template holds the sequence A once.")
              .at("", -1, -1, item.pointer());
        }
        seen = true;
        return;
      }
      const std::string_view name = item["SpecialToken"]["id"].as_text();
      rule["special_tokens"][name]["ids"].for_each_item(
          [&](Json id) { (seen ? back : front).push_back(id_of(id)); });
    });
  } else if (type != "ByteLevel") {  // ByteLevel trims offsets; ours cover every byte of a token
    throw sdk::unimplemented("The post_processor \"" + std::string(type) +
                             "\" is not done by mortise.tokenizer_bpe.")
        .at("", -1, -1, rule.pointer());
  }
  parts.front_ids.insert(parts.front_ids.begin(), front.begin(), front.end());
  parts.back_ids.insert(parts.back_ids.end(), back.begin(), back.end());
}

// The value with sorted keys and no blanks, so that equal rules give equal bytes.
void append_canonical(Json value, std::string& out) {
  if (value.is_object()) {
    std::map<std::string_view, Json> members;
    value.for_each_member([&](std::string_view key, Json member) { members[key] = member; });
    out += '{';
    for (const auto& [key, member] : members) {
      out += std::to_string(key.size()) + ":" + std::string(key) + "=";
      append_canonical(member, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    value.for_each_item([&](Json item) { append_canonical(item, out); });
    out += ']';
  } else if (value.is_text()) {
    out += std::to_string(value.as_text().size()) + "\"" + std::string(value.as_text());
  } else if (value.is_bool()) {
    out += value.as_bool() ? 't' : 'f';
  } else if (value.is_number()) {
    out += std::to_string(value.as_double()) + ';';
  } else {
    out += '-';
  }
}

std::string fingerprint_of(Json root, const BpeModel& model) {
  std::string all(kAlgorithm);
  for (const char* section :
       {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    append_canonical(root[section], all);
    all += '\n';
  }
  const BpeRules& rules = model.rules();
  for (const bool flag :
       {rules.byte_level, rules.byte_fallback, rules.fuse_unk, rules.ignore_merges}) {
    all += flag ? '1' : '0';
  }
  for (const std::string& text : {rules.unk_token, rules.continuing_prefix, rules.word_suffix}) {
    all += std::to_string(text.size()) + ":" + text;
  }
  for (int32_t id = 0; id < model.id_count(); ++id) {
    const std::string* token = model.token(id);
    if (token != nullptr) all += std::to_string(id) + ":" + *token + '\n';
  }
  for (const auto& [left, right] : model.merges()) {
    all += std::to_string(left) + ' ' + std::to_string(right) + '\n';
  }
  return sha256_hex(all);
}

TokenizerParts read_parts(Json root) {
  bool is_byte_level = false;
  TokenizerParts parts;
  parts.normalizer = read_normalizer(root["normalizer"]);
  parts.pre_tokenizer = read_pre_tokenizer(root["pre_tokenizer"], is_byte_level);
  if (!root["model"].is_object()) throw sdk::invalid_argument("There is no \"/model\".");
  parts.model = read_model(root["model"], is_byte_level);
  parts.decoder = read_decoder(root["decoder"]);
  const Json added = root["added_tokens"];
  if (added.exists() && !added.is_null()) {
    added.for_each_item([&](Json entry) {
      AddedToken token = read_added_token(entry);
      token.id = static_cast<int32_t>(entry["id"].as_integer());
      if (token.id < 0 || token.id > 1 << 24) {
        throw sdk::invalid_argument("The id of an added token lies outside 0 .. 2^24.")
            .at("", -1, -1, entry.pointer());
      }
      parts.added.push_back(std::move(token));
    });
  }
  const Json processor = root["post_processor"];
  if (processor.exists() && !processor.is_null()) read_processor(processor, parts);
  parts.unk_id = parts.model.find(parts.model.rules().unk_token);
  parts.fingerprint = fingerprint_of(root, parts.model);
  return parts;
}

}  // namespace

AddedToken read_added_token(Json entry) {
  AddedToken token;
  token.content = entry["content"].as_text();
  token.special = entry.get("special", false);
  token.normalized = entry.get("normalized", !token.special);
  token.single_word = entry.get("single_word", false);
  token.lstrip = entry.get("lstrip", false);
  token.rstrip = entry.get("rstrip", false);
  return token;
}

TokenizerParts read_tokenizer_json(const std::string& text, const std::string& file) {
  const sdk::JsonDocument document = sdk::JsonDocument::parse(text, {}, file);
  try {
    return read_parts(document.root());
  } catch (const sdk::Failure& failure) {
    sdk::Failure located = failure;
    located.file = file;
    throw located;
  } catch (const std::out_of_range&) {
    throw sdk::invalid_argument("\"/post_processor\" names a token without its id.").at(file);
  }
}

}  // namespace mortise::tokenizer_bpe
