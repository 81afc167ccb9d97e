// Added tokens, post-processor and fingerprint; the other sections are in json_rules.cpp, the model
// in the pack.
#include "tokenizer_json.h"

#include <map>

#include "json_rules.h"
#include "sha256.h"

namespace mortise::tokenizers {
namespace {

using sdk::Json;

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
                             "\" is not done by this tokenizer.")
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

std::string fingerprint_of(Json root, const Model& model) {
  std::string all = model.identity();
  for (const char* section :
       {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    append_canonical(root[section], all);
    all += '\n';
  }
  return sha256_hex(all);
}

TokenizerParts read_sections(Json root, const ReadModel& read_model) {
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
  parts.unk_id = parts.model->unk_id();
  parts.fingerprint = fingerprint_of(root, *parts.model);
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

TokenizerParts read_tokenizer_json(const std::string& text, const std::string& file,
                                   const ReadModel& read_model) {
  const sdk::JsonDocument document = sdk::JsonDocument::parse(text, {}, file);
  try {
    return read_sections(document.root(), read_model);
  } catch (const sdk::Failure& failure) {
    sdk::Failure located = failure;
    located.file = file;
    throw located;
  } catch (const std::out_of_range&) {
    throw sdk::invalid_argument("\"/post_processor\" names a token without its id.").at(file);
  }
}

}  // namespace mortise::tokenizers
