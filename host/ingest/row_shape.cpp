// See row_shape.h.
#include "ingest/row_shape.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "schemas/schemas.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

const Json& field_table() {
  static const Json parsed = [] {
    auto result = base::parse_json(schemas::text("field_map.json"));
    return result.ok() ? std::move(result).value() : Json();
  }();
  return parsed;
}

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Error unreadable(const std::string& field, const std::string& what) {
  return Error(Code::kInvalidArgument, what,
               "A turn is {\"role\": \"user\", \"content\": \"...\"} or {\"from\": \"human\", "
               "\"value\": \"...\"}.")
      .at_field(field);
}

const Json* first_of(const Json& object, const Json& names) {
  for (const Json& name : names.items()) {
    if (const Json* found = object.find(name.as_string())) return found;
  }
  return nullptr;
}

// Media that parts of messages name: {"images", "a.png"}, in order.
using Media = std::vector<std::pair<std::string, std::string>>;

// Where a part says its medium lies; "" for one that only marks the place.
std::string medium_of(const Json& part) {
  for (const Json& name : field_table()["part_names"].items()) {
    const Json& value = part[name.as_string()];
    if (value.is_string()) return value.as_string();
    if (value["url"].is_string()) return value["url"].as_string();
  }
  return "";
}

// Parts of a message (OpenAI, LLaMA-Factory v1, transformers) as one text with <image> and its kin.
Result<Json> text_of_parts(const Json& parts, const std::string& field, Media& media) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Json& part = parts.at(i);
    const std::string& type = part["type"].as_string();
    if (type == "text") {
      const Json& words = part.contains("text") ? part["text"] : part["value"];
      text += words.as_string();
      continue;
    }
    const Json* kind = field_table()["parts"].find(type);
    if (kind == nullptr) {
      return Error(Code::kInvalidArgument, "A part of the type \"" + type + "\" is not known.",
                   "Parts are text, image, audio and video.")
          .at_field(field + "/" + std::to_string(i) + "/type");
    }
    text += "<" + kind->as_string() + ">";
    const std::string medium = medium_of(part);
    if (!medium.empty()) media.emplace_back(kind->as_string() + "s", medium);
  }
  return Json(text);
}

// Earlier rows of ms-swift and Qwen-VL: <img>a.png</img> in the text is the picture itself.
Json without_img(const Json& content, Media& media) {
  constexpr std::string_view kOpen = "<img>", kClose = "</img>";
  const std::string& words = content.as_string();
  std::string text;
  for (size_t at = 0; at < words.size();) {
    const size_t open = words.find(kOpen, at);
    const size_t close = open == words.npos ? open : words.find(kClose, open);
    if (close == words.npos) return Json(text + words.substr(at));
    text += words.substr(at, open - at) + "<image>";
    const size_t name = open + kOpen.size();
    media.emplace_back("images", words.substr(name, close - name));
    at = close + kClose.size();
  }
  return Json(text);
}

// One turn of any known spelling as {role, content, ...}.
Result<Json> canonical_turn(const Json& turn, const std::string& field, Media& media) {
  if (!turn.is_object()) return unreadable(field, "A turn of the conversation is no object.");
  const Json& keys = field_table()["message_keys"];
  const Json* role = turn.find("role");
  if (role == nullptr) role = first_of(turn, keys["role"]);
  const Json* content = turn.find("content");
  if (content == nullptr) content = first_of(turn, keys["content"]);
  if (role == nullptr || !role->is_string()) return unreadable(field, "A turn has no role.");
  const Json* known = field_table()["roles"].find(lower(role->as_string()));
  if (known == nullptr) {
    return unreadable(field + "/role", "The role \"" + role->as_string() + "\" is unknown.");
  }
  Json out = Json::object({{"role", *known}});
  out["content"] = content == nullptr || content->is_null() ? Json("") : *content;
  if (out["content"].is_array()) {
    MORTISE_ASSIGN(out["content"], text_of_parts(out["content"], field + "/content", media));
  }
  for (const auto& [key, value] : turn.members()) {
    if (key == "role" || key == "from" || key == "content" || key == "value") continue;
    const Json* name = field_table()["turn_names"].find(key);
    if (!value.is_null()) out[name == nullptr ? key : name->as_string()] = value;
  }
  return out;
}

// {"human": ..., "assistant": ...} pairs or a list of turns.
Result<Json> canonical_messages(const Json& value, const std::string& field, Media& media) {
  if (!value.is_array()) return unreadable(field, "The conversation is no array.");
  Json messages = Json::array();
  for (size_t i = 0; i < value.size(); ++i) {
    const Json& turn = value.at(i);
    if (turn.contains("human") && turn.contains("assistant")) {
      messages.push_back(Json::object({{"role", "user"}, {"content", turn["human"]}}));
      messages.push_back(Json::object({{"role", "assistant"}, {"content", turn["assistant"]}}));
      continue;
    }
    MORTISE_ASSIGN(Json canonical, canonical_turn(turn, field + "/" + std::to_string(i), media));
    messages.push_back(std::move(canonical));
  }
  return messages;
}

Json take(Json& row, std::string_view key) {
  Json* found = row.find(key);
  if (found == nullptr) return {};
  Json value = std::move(*found);
  row.erase(key);
  return value;
}

Json turn(const char* role, Json content) {
  return Json::object({{"role", role}, {"content", std::move(content)}});
}

// instruction/query (+ input) and output become a conversation (alpaca, query/response rows).
void fold_into_messages(Json& row) {
  if (row.contains("messages") || !row.contains("query")) return;
  Json messages = Json::array();
  if (const Json system = take(row, "system"); !system.as_string().empty()) {
    messages.push_back(turn("system", system));
  }
  const Json history = take(row, "history");
  for (const Json& pair : history.items()) {
    messages.push_back(turn("user", pair.at(0)));
    messages.push_back(turn("assistant", pair.at(1)));
  }
  std::string query = take(row, "query").as_string();
  const std::string input = take(row, "input").as_string();
  if (!input.empty()) query += (query.empty() ? "" : "\n") + input;
  messages.push_back(turn("user", query));
  Json output = take(row, "output");
  if (output.is_array()) output = output.at(0);
  if (!output.is_null()) messages.push_back(turn("assistant", output));
  row["messages"] = std::move(messages);
}

// The turns of an answer: a text, a turn, or a list of turns.
Result<Json> turns_of(const Json& answer, const std::string& field, Media& media) {
  if (answer.is_array()) return canonical_messages(answer, field, media);
  Json turns = Json::array();
  if (answer.is_string()) {
    turns.push_back(turn("assistant", answer));
    return turns;
  }
  MORTISE_ASSIGN(Json one, canonical_turn(answer, field, media));
  turns.push_back(std::move(one));
  return turns;
}

bool is_list_of_texts(const Json& value) {
  return value.size() > 0 && value.is_array() &&
         std::all_of(value.items().begin(), value.items().end(),
                     [](const Json& item) { return item.is_string(); });
}

// output and rejected_response of any shape: the better answer ends messages, the worse one is a
// text. Where both hold the whole conversation, what they share is the messages.
Status fold_preference(Json& row, Media& media) {
  if (const Json* query = row.find("query"); query != nullptr && query->is_array()) {
    MORTISE_ASSIGN(row["messages"], canonical_messages(take(row, "query"), "/query", media));
  }
  const Json* rejected = row.find("rejected_response");
  if (!row.contains("output") || rejected == nullptr || is_list_of_texts(*rejected)) return {};
  MORTISE_ASSIGN(const Json better, turns_of(take(row, "output"), "/output", media));
  Media worse_media;  // the same ones again
  MORTISE_ASSIGN(const Json worse,
                 turns_of(take(row, "rejected_response"), "/rejected_response", worse_media));
  size_t shared = 0;
  while (shared < better.size() && shared < worse.size() && better.at(shared) == worse.at(shared)) {
    ++shared;
  }
  if (better.size() != shared + 1 || worse.size() != shared + 1) {
    return Error(Code::kInvalidArgument,
                 "The better and the worse conversation do not differ in their last turn alone.",
                 "Give one prompt and two answers.")
        .at_field("/rejected_response");
  }
  row["rejected_response"] = worse.at(shared)["content"];
  if (shared == 0 && !row.contains("messages")) {
    row["output"] = better.at(0)["content"];  // query and output are folded later
    return {};
  }
  if (!row.contains("messages")) row["messages"] = Json::array();
  for (const Json& one : better.items()) row["messages"].push_back(one);
  return {};
}

// query and output of conversations, as TRL writes them, end as messages.
Status fold_judged(Json& row, Media& media) {
  if (const Json* query = row.find("query"); query != nullptr && query->is_array()) {
    MORTISE_ASSIGN(row["messages"], canonical_messages(take(row, "query"), "/query", media));
  }
  if (!row.contains("output") || row["output"].is_string()) return {};
  MORTISE_ASSIGN(const Json answer, turns_of(take(row, "output"), "/output", media));
  if (!row.contains("messages")) {
    if (answer.size() > 0) row["output"] = answer.items().back()["content"];
    return {};  // query and output are folded later
  }
  for (const Json& one : answer.items()) row["messages"].push_back(one);
  return {};
}

bool is_image_task(const std::string& task) {
  return task == "vqa" || task == "caption" || task == "ocr" || task == "report" ||
         task == "grounding" || task == "classification";
}

// A list of one image is the image; a struct {"path": ...} is its path.
void flatten_media(Json& row, const std::string& task) {
  for (const char* name : {"image_path", "audio_path"}) {
    Json* value = row.find(name);
    if (value == nullptr) continue;
    if (value->is_array() && value->size() == 1) *value = Json(value->at(0));
    if (value->is_object() && value->contains("path")) *value = Json((*value)["path"]);
    if (value->is_array() && std::string_view(name) == "image_path" && is_image_task(task)) {
      Json images = std::move(*value);
      row.erase(name);
      row["images"] = std::move(images);
    }
  }
  for (const char* name : {"images", "audios", "videos"}) {
    Json* media = row.find(name);
    if (media == nullptr || !media->is_string()) continue;
    Json list = Json::array();
    list.push_back(*media);
    *media = std::move(list);
  }
}

}  // namespace

Status shape_row(Json& row, const std::string& task_type) {
  Media media;
  if (const Json* messages = row.find("messages")) {
    MORTISE_ASSIGN(Json canonical, canonical_messages(*messages, "/messages", media));
    row["messages"] = std::move(canonical);
  }
  if (task_type == "preference") MORTISE_TRY(fold_preference(row, media));
  if (task_type == "kto") MORTISE_TRY(fold_judged(row, media));
  if (task_type == "sft" || task_type == "preference" || task_type == "kto") {
    fold_into_messages(row);
  }
  flatten_media(row, task_type);
  if (Json* messages = row.find("messages")) {
    for (Json& message : messages->items()) {
      Json& content = message["content"];
      if (content.is_string()) content = without_img(content, media);
    }
  }
  for (auto& [list, name] : media) {
    if (!row.contains(list)) row[list] = Json::array();
    row[list].push_back(std::move(name));
  }
  return {};
}

}  // namespace mortise::ingest
