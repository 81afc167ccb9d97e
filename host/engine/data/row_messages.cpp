// The task types as conversations.
#include "engine/data/row_encoder.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

Json message(const char* role, Json content) {
  return Json::object({{"role", role}, {"content", std::move(content)}});
}

base::Result<std::string> want_text(const Json& row, const char* field) {
  const Json& value = row[field];
  if (value.is_string()) return value.as_string();
  if (value.is_number()) return value.dump();  // a label may be a number
  return Error(Code::kInvalidArgument, std::string("The row has no text \"") + field + "\".")
      .at_field(std::string("/") + field);
}

// Parts as one text with "<image>", "<audio>" and "<video>" in their places.
base::Result<std::string> tagged(const Json& parts, const std::string& field) {
  std::string text;
  for (const Json& part : parts.items()) {
    const std::string& type = part["type"].as_string();
    if (type == "text") {
      text += part["text"].as_string();
    } else if (type == "image" || type == "image_url") {
      text += "<image>";
    } else if (type == "video" || type == "audio") {
      text += "<" + type + ">";
    } else {
      return Error(Code::kInvalidArgument,
                   "A part has the unknown type " + base::json_quote(type) + ".",
                   "Parts are text, image, audio and video; the files stand in images, audios and "
                   "videos.")
          .at_field(field);
    }
  }
  return text;
}

// [system], the history, and the question before the answer.
void add_context(const Json& row, Json& messages) {
  if (row["system"].is_string()) messages.push_back(message("system", row["system"]));
  for (const Json& turn : row["history"].items()) {
    messages.push_back(message("user", turn.at(0)));
    messages.push_back(message("assistant", turn.at(1)));
  }
}

// Roles of tool use as chat templates call them.
base::Result<Json> conversation(const Json& row) {
  if (!row["messages"].is_array()) {
    return Error(Code::kInvalidArgument, "The row has no \"messages\".").at_field("/messages");
  }
  Json messages = Json::array();
  const bool has_system = row["messages"].at(0)["role"].as_string() == "system";
  if (row["system"].is_string() && !has_system) {
    messages.push_back(message("system", row["system"]));
  }
  for (size_t i = 0; i < row["messages"].size(); ++i) {
    const Json& one = row["messages"].at(i);
    Json copy = one;
    if (one["role"].as_string() == "tool_call") copy["role"] = "assistant";
    if (one["role"].as_string() == "tool_response") copy["role"] = "tool";
    if (one["content"].is_array()) {
      const std::string field = "/messages/" + std::to_string(i) + "/content";
      MORTISE_ASSIGN(copy["content"], tagged(one["content"], field));
    }
    messages.push_back(std::move(copy));
  }
  return messages;
}

base::Result<Json> tools_of(const Json& row) {
  if (!row["tools"].is_string()) return row["tools"];
  auto parsed = base::parse_json(row["tools"].as_string());
  if (!parsed.ok()) return std::move(parsed.error().at_field("/tools"));
  return parsed;
}

base::Result<Json> report_text(const Json& row) {
  MORTISE_ASSIGN(const std::string findings, want_text(row, "findings"));
  if (!row["impression"].is_string()) return Json(findings);
  return Json(findings + "\n" + row["impression"].as_string());
}

}  // namespace

base::Result<RowMessages> messages_of(const Json& row, const std::string& task_type) {
  RowMessages out;
  out.media = media_fields(row);
  if (task_type == "sft" || task_type == "chat" || task_type == "preference" ||
      task_type == "kto") {
    MORTISE_ASSIGN(out.messages, conversation(row));
    MORTISE_ASSIGN(out.tools, tools_of(row));
    return out;
  }
  out.messages = Json::array();
  add_context(row, out.messages);
  std::string question;
  Json answer;
  if (task_type == "vqa" || task_type == "video_qa" || task_type == "audio_qa") {
    MORTISE_ASSIGN(question, want_text(row, "question"));
    MORTISE_ASSIGN(answer, want_text(row, "output"));
  } else if (task_type == "caption" || task_type == "ocr") {
    MORTISE_ASSIGN(answer, want_text(row, "output"));
  } else if (task_type == "asr") {
    if (row["question"].is_string()) question = row["question"].as_string();
    MORTISE_ASSIGN(answer, want_text(row, "text"));
  } else if (task_type == "report") {
    MORTISE_ASSIGN(answer, report_text(row));
  } else if (task_type == "classification") {
    if (row["text"].is_string()) question = row["text"].as_string();
    MORTISE_ASSIGN(answer, want_text(row, "label"));
  } else {
    return Error(Code::kUnimplemented,
                 "Rows of the task type \"" + task_type + "\" cannot be trained on yet.",
                 "sft, chat, preference, kto, vqa, video_qa, audio_qa, asr, caption, ocr, report, "
                 "classification, pretrain and tokens can.");
  }
  out.messages.push_back(message("user", question));
  out.messages.push_back(message("assistant", std::move(answer)));
  return out;
}

}  // namespace mortise::engine
