// See row_check.h.
#include "ingest/row_check.h"

#include <algorithm>

#include "schemas/schemas.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

Finding finding(std::string code, std::string field, std::string message, std::string hint) {
  Finding made;
  made.code = std::move(code);
  made.field = std::move(field);
  made.message = std::move(message);
  made.hint = std::move(hint);
  return made;
}

Json replace_patch(const std::string& pointer, Json value) {
  Json patch = Json::array();
  patch.push_back(
      Json::object({{"op", "replace"}, {"path", pointer}, {"value", std::move(value)}}));
  return patch;
}

size_t count_of(std::string_view text, std::string_view tag) {
  size_t count = 0;
  for (size_t at = text.find(tag); at != std::string_view::npos; at = text.find(tag, at + 1)) {
    ++count;
  }
  return count;
}

// Hints for what people get wrong most often; other keywords explain themselves.
std::string hint_for(const base::SchemaFinding& found, const std::string& task_type) {
  if (found.keyword == "required" || found.keyword == "anyOf") {
    return "Add the field, or name the column that holds it with --map TARGET=SOURCE; \"" +
           task_type + "\" rows are described in schemas/rows/" + task_type + ".json.";
  }
  if (found.keyword == "minLength" || found.keyword == "pattern") {
    return "Fill the field, or drop the row with --max-bad-rows and --patch.";
  }
  return "Change the value so that it fits schemas/rows/" + task_type + ".json.";
}

// user and assistant take turns; a system message comes first only.
void check_turns(const Json& messages, std::vector<Finding>& out) {
  std::string last;
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string role = messages.at(i)["role"].as_string();
    const std::string field = "/messages/" + std::to_string(i);
    if (role == "system" && i > 0) {
      out.push_back(finding("role_order", field, "A system message stands inside the conversation.",
                            "Move it to the beginning."));
    }
    if ((role == "user" || role == "assistant") && role == last) {
      out.push_back(finding("role_order", field, "Two turns of \"" + role + "\" follow each other.",
                            "Join them into one turn."));
    }
    if (role == "assistant" && messages.at(i)["content"].is_string() &&
        messages.at(i)["content"].as_string().find_first_not_of(" \t\r\n") == std::string::npos &&
        !messages.at(i).contains("tool_calls")) {
      out.push_back(finding("empty_answer", field + "/content", "The answer is empty.",
                            "Fill it, or drop the row."));
    }
    if (role != "system") last = role;
  }
}

void check_media_tags(const Json& row, std::vector<Finding>& out) {
  size_t tags = 0;
  for (const Json& message : row["messages"].items()) {
    tags += count_of(message["content"].as_string(), "<image>");
  }
  tags += count_of(row["question"].as_string(), "<image>");
  const size_t images = row["images"].size() + (row.contains("image_path") ? 1 : 0);
  if (tags > 0 && tags != images) {
    out.push_back(finding("media_count", "/images",
                          "The text holds " + std::to_string(tags) +
                              " <image> tags, the row names " + std::to_string(images) + " images.",
                          "Name one image for each tag."));
  }
}

void check_tools(const Json& row, std::vector<Finding>& out) {
  const Json* tools = row.find("tools");
  if (tools == nullptr || !tools->is_string()) return;
  const auto parsed = base::parse_json(tools->as_string());
  if (parsed.ok() && parsed->is_array()) return;
  out.push_back(finding("tools_unreadable", "/tools", "The tools are no JSON array of functions.",
                        "Write the OpenAI form: [{\"type\": \"function\", \"function\": {...}}]."));
}

// A value with blanks around it is mended mechanically: models learn the blanks otherwise.
void check_blanks(const Json& row, std::vector<Finding>& out) {
  for (const char* name : {"output", "question"}) {
    const std::string& text = row[name].as_string();
    if (text.empty()) continue;
    const size_t begin = text.find_first_not_of(" \t\r\n");
    const size_t end = text.find_last_not_of(" \t\r\n");
    if (begin == std::string::npos || (begin == 0 && end + 1 == text.size())) continue;
    Finding made = finding("blanks", std::string("/") + name,
                           std::string("The ") + name + " begins or ends with blanks.",
                           "Take the patch, or leave it as it is.");
    made.severity = "warning";
    made.patch = replace_patch(made.field, text.substr(begin, end - begin + 1));
    out.push_back(std::move(made));
  }
}

}  // namespace

RowCheck::RowCheck(std::string task_type, base::Schema schema)
    : task_type_(std::move(task_type)), schema_(std::move(schema)) {}

Result<RowCheck> RowCheck::open(const std::string& task_type) {
  const std::string_view text = schemas::text("rows/" + task_type + ".json");
  if (text.empty()) {
    return Error(Code::kInvalidArgument, "The task type \"" + task_type + "\" is unknown.",
                 "The task types are listed by `mortise dataset upload --help`.");
  }
  MORTISE_ASSIGN(const Json document, base::parse_json(text));
  MORTISE_ASSIGN(base::Schema schema, base::Schema::load(document));
  return RowCheck(task_type, std::move(schema));
}

std::vector<Finding> RowCheck::check(const Json& row) const {
  std::vector<Finding> out;
  for (const base::SchemaFinding& found : schema_.check(row)) {
    out.push_back(finding("schema_" + found.keyword, found.pointer, found.message,
                          hint_for(found, task_type_)));
  }
  if (!out.empty()) return out;  // the rules below count on the shapes
  check_turns(row["messages"], out);
  check_media_tags(row, out);
  check_tools(row, out);
  check_blanks(row, out);
  return out;
}

std::vector<std::pair<std::string, std::string>> media_of(const Json& row) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const char* name : {"image_path", "audio_path", "video", "tensors"}) {
    const Json& value = row[name];
    const std::string pointer = std::string("/") + name;
    if (value.is_string()) found.emplace_back(pointer, value.as_string());
    for (size_t i = 0; i < value.items().size(); ++i) {
      found.emplace_back(pointer + "/" + std::to_string(i), value.at(i).as_string());
    }
  }
  for (const char* name : {"images", "audios", "videos"}) {
    const Json& list = row[name];
    for (size_t i = 0; i < list.items().size(); ++i) {
      const std::string pointer = std::string("/") + name + "/" + std::to_string(i);
      if (list.at(i).is_string()) found.emplace_back(pointer, list.at(i).as_string());
      for (size_t k = 0; k < list.at(i).items().size(); ++k) {  // a video as a list of frames
        found.emplace_back(pointer + "/" + std::to_string(k), list.at(i).at(k).as_string());
      }
    }
  }
  return found;
}

}  // namespace mortise::ingest
