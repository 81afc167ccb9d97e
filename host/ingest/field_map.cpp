// See field_map.h.
#include "ingest/field_map.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "schemas/schemas.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

const Json& table() {
  static const Json parsed = [] {
    auto result = base::parse_json(schemas::text("field_map.json"));
    return result.ok() ? std::move(result).value() : Json();
  }();
  return parsed;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::vector<std::string> columns_of(const std::vector<Json>& sample) {
  std::vector<std::string> columns;
  std::set<std::string> seen;
  for (const Json& row : sample) {
    for (const auto& [name, value] : row.members()) {
      if (seen.insert(name).second) columns.push_back(name);
    }
  }
  return columns;
}

// Columns that could feed `target`, best first: its own name alone, else every synonym.
std::vector<std::string> candidates(const std::string& target, const Json& synonyms,
                                    const std::vector<std::string>& columns) {
  if (std::find(columns.begin(), columns.end(), target) != columns.end()) return {target};
  std::vector<std::string> found;
  for (const Json& synonym : synonyms.items()) {
    for (const std::string& column : columns) {
      if (lower(column) == lower(synonym.as_string())) found.push_back(column);
    }
  }
  return found;
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

// One turn of any known spelling as {role, content, ...}.
Result<Json> canonical_turn(const Json& turn, const std::string& field) {
  if (!turn.is_object()) return unreadable(field, "A turn of the conversation is no object.");
  const Json& keys = table()["message_keys"];
  const Json* role = turn.find("role");
  if (role == nullptr) role = first_of(turn, keys["role"]);
  const Json* content = turn.find("content");
  if (content == nullptr) content = first_of(turn, keys["content"]);
  if (role == nullptr || !role->is_string()) return unreadable(field, "A turn has no role.");
  const Json* known = table()["roles"].find(lower(role->as_string()));
  if (known == nullptr) {
    return unreadable(field + "/role", "The role \"" + role->as_string() + "\" is unknown.");
  }
  Json out = Json::object({{"role", *known}});
  out["content"] = content == nullptr || content->is_null() ? Json("") : *content;
  for (const auto& [key, value] : turn.members()) {
    if (key == "role" || key == "from" || key == "content" || key == "value") continue;
    if (!value.is_null()) out[key] = value;
  }
  return out;
}

// {"human": ..., "assistant": ...} pairs or a list of turns.
Result<Json> canonical_messages(const Json& value, const std::string& field) {
  if (!value.is_array()) return unreadable(field, "The conversation is no array.");
  Json messages = Json::array();
  for (size_t i = 0; i < value.size(); ++i) {
    const Json& turn = value.at(i);
    if (turn.contains("human") && turn.contains("assistant")) {
      messages.push_back(Json::object({{"role", "user"}, {"content", turn["human"]}}));
      messages.push_back(Json::object({{"role", "assistant"}, {"content", turn["assistant"]}}));
      continue;
    }
    MORTISE_ASSIGN(Json canonical, canonical_turn(turn, field + "/" + std::to_string(i)));
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
  for (const Json& pair : take(row, "history").items()) {
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
  if (Json* images = row.find("images"); images != nullptr && images->is_string()) {
    Json list = Json::array();
    list.push_back(*images);
    *images = std::move(list);
  }
}

}  // namespace

Json FieldMap::to_json() const {
  Json out = Json::object();
  for (const auto& [target, source] : columns) out[target] = source;
  return out;
}

Result<FieldMap> propose_field_map(
    const std::string& task_type, const std::vector<Json>& sample,
    const std::vector<std::pair<std::string, std::string>>& overrides) {
  const Json* targets = table()["tasks"].find(task_type);
  if (targets == nullptr) {
    std::string known;
    for (const auto& [name, unused] : table()["tasks"].members()) known += " " + name;
    return Error(Code::kInvalidArgument, "The task type \"" + task_type + "\" is unknown.",
                 "Known are:" + known + ".");
  }
  const std::vector<std::string> columns = columns_of(sample);
  FieldMap map{task_type, {}};
  std::set<std::string> used;
  for (const auto& [target, source] : overrides) {
    if (std::find(columns.begin(), columns.end(), source) == columns.end()) {
      return Error(Code::kInvalidArgument,
                   "--map " + target + "=" + source + " names a column that no row has.")
          .at_field(source);
    }
    map.columns.emplace_back(target, source);
    used.insert(source);
  }
  const auto is_mapped = [&](const std::string& target) {
    return std::any_of(map.columns.begin(), map.columns.end(),
                       [&](const auto& column) { return column.first == target; });
  };
  for (const auto& [target, synonyms] : targets->members()) {
    if (is_mapped(target)) continue;
    std::vector<std::string> found = candidates(target, synonyms, columns);
    std::erase_if(found, [&](const std::string& column) {
      return used.contains(column) || (column != target && targets->contains(column));
    });
    if (found.size() > 1) {
      return Error(Code::kInvalidArgument,
                   "The columns \"" + found[0] + "\" and \"" + found[1] + "\" could both be \"" +
                       target + "\".",
                   "Choose with --map " + target + "=" + found[0] + ".")
          .at_field(found[0]);
    }
    if (found.empty()) continue;
    map.columns.emplace_back(target, found[0]);
    used.insert(found[0]);
  }
  return map;
}

Result<Json> apply_field_map(const FieldMap& map, const Json& row) {
  Json out = Json::object();
  for (const auto& [name, value] : row.members()) {
    const auto mapped = std::find_if(map.columns.begin(), map.columns.end(),
                                     [&](const auto& column) { return column.second == name; });
    out[mapped == map.columns.end() ? name : mapped->first] = value;
  }
  if (const Json* messages = out.find("messages")) {
    MORTISE_ASSIGN(Json canonical, canonical_messages(*messages, "/messages"));
    out["messages"] = std::move(canonical);
  }
  if (map.task_type == "sft" || map.task_type == "preference") fold_into_messages(out);
  flatten_media(out, map.task_type);
  return out;
}

}  // namespace mortise::ingest
