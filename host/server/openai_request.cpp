// See openai_request.h. Fields and ranges are those of CreateChatCompletionRequest in OpenAI's
// description (2.3.0), and top_k, which other servers take too.
#include "server/openai_request.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string>

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr double kMany = 1e300;
constexpr size_t kStopsMax = 4, kToolsMax = 128, kToolNameMax = 64;

enum class Kind { kAny, kNumber, kInteger, kBool, kText, kArray, kObject };
enum class Use {
  kServed,   // goes to the worker
  kHere,     // read by this server
  kNeutral,  // only in the value that changes nothing, see is_neutral
  kNothing,  // cannot change the answer
};

struct Field {
  const char* name;
  Kind kind;
  Use use;
  double min = -kMany, max = kMany;
};

constexpr Field kFields[] = {
    {"model", Kind::kText, Use::kHere},
    {"messages", Kind::kArray, Use::kServed},
    {"temperature", Kind::kNumber, Use::kServed, 0, 2},
    {"top_p", Kind::kNumber, Use::kServed, 0, 1},
    {"top_k", Kind::kInteger, Use::kServed, 0, 1 << 20},
    {"seed", Kind::kInteger, Use::kServed},
    {"stop", Kind::kAny, Use::kServed},
    {"max_tokens", Kind::kInteger, Use::kServed, 1, 1 << 20},
    {"max_completion_tokens", Kind::kInteger, Use::kHere, 1, 1 << 20},
    {"tools", Kind::kArray, Use::kServed},
    {"tool_choice", Kind::kAny, Use::kHere},
    {"parallel_tool_calls", Kind::kBool, Use::kServed},
    {"stream", Kind::kBool, Use::kHere},
    {"stream_options", Kind::kObject, Use::kHere},
    {"n", Kind::kInteger, Use::kNeutral, 1, 128},
    {"frequency_penalty", Kind::kNumber, Use::kNeutral, -2, 2},
    {"presence_penalty", Kind::kNumber, Use::kNeutral, -2, 2},
    {"logit_bias", Kind::kObject, Use::kNeutral},
    {"logprobs", Kind::kBool, Use::kNeutral},
    {"top_logprobs", Kind::kInteger, Use::kNeutral, 0, 20},
    {"response_format", Kind::kObject, Use::kNeutral},
    {"modalities", Kind::kArray, Use::kNeutral},
    {"audio", Kind::kObject, Use::kNeutral},
    {"functions", Kind::kArray, Use::kNeutral},
    {"function_call", Kind::kAny, Use::kNeutral},
    {"reasoning_effort", Kind::kText, Use::kNeutral},
    {"verbosity", Kind::kText, Use::kNeutral},
    {"web_search_options", Kind::kObject, Use::kNeutral},
    {"moderation", Kind::kObject, Use::kNeutral},
    {"store", Kind::kBool, Use::kNeutral},
    {"prediction", Kind::kObject, Use::kNothing},
    {"metadata", Kind::kObject, Use::kNothing},
    {"service_tier", Kind::kText, Use::kNothing},
    {"user", Kind::kText, Use::kNothing},
    {"safety_identifier", Kind::kText, Use::kNothing},
    {"prompt_cache_key", Kind::kText, Use::kNothing},
    {"prompt_cache_retention", Kind::kText, Use::kNothing},
    {"prompt_cache_options", Kind::kObject, Use::kNothing},
};

Error bad_field(std::string message, std::string field, std::string hint = {}) {
  Error error(Code::kInvalidArgument, std::move(message), std::move(hint));
  return std::move(error.at_field(std::move(field)));
}

Error not_served(const std::string& field, const std::string& what) {
  return bad_field(what + " is not served in this version.", field, "Leave it out.");
}

bool is_of(const Json& value, Kind kind) {
  switch (kind) {
    case Kind::kAny:
      return true;
    case Kind::kNumber:
      return value.is_number();
    case Kind::kInteger:
      return value.is_integer();
    case Kind::kBool:
      return value.is_bool();
    case Kind::kText:
      return value.is_string();
    case Kind::kArray:
      return value.is_array();
    case Kind::kObject:
      return value.is_object();
  }
  return false;
}

std::string kind_text(const Field& field) {
  constexpr std::array<const char*, 7> kTexts = {"a value",  "a number", "an integer", "a boolean",
                                                 "a string", "an array", "an object"};
  std::string text = kTexts[static_cast<size_t>(field.kind)];
  if (field.min != -kMany) {
    text += " from " + Json(field.min).dump() + " to " + Json(field.max).dump();
  }
  return text;
}

// Whether the value asks for what happens anyway.
bool is_neutral(const Json& value, std::string_view name) {
  if (name == "n") return value.as_int() == 1;
  if (name == "modalities") return value == Json::array({Json("text")});
  if (name == "response_format") return value["type"].as_string() == "text";
  return value == Json(0) || value == Json(false) || (value.is_object() && value.size() == 0);
}

Status check_field(const Json& value, const Field& field) {
  const double number = value.as_double();
  const bool is_good = is_of(value, field.kind) &&
                       (!value.is_number() || (number >= field.min && number <= field.max));
  if (!is_good) {
    return bad_field(std::string(field.name) + " must be " + kind_text(field) + ".", field.name);
  }
  if (field.use != Use::kNeutral || is_neutral(value, field.name)) return {};
  const bool is_short = !value.is_object() && !value.is_array();
  return not_served(field.name, field.name + (is_short ? " " + value.dump() : std::string()));
}

// Errors for members that are not known, as OpenAI's own server gives them.
Status check_members(const Json& object, const std::set<std::string_view>& known,
                     const std::string& where) {
  for (const auto& [name, value] : object.members()) {
    if (known.contains(name)) continue;
    const std::string field = where.empty() ? name : where + "." + name;
    return bad_field("Unknown parameter: " + base::json_quote(field) + ".", field);
  }
  return {};
}

Status check_part(const Json& part, const std::string& where) {
  const std::string& type = part["type"].as_string();
  if (type == "text" && part["text"].is_string()) return {};
  if (type == "image_url") {
    const Json& url = part["image_url"];
    const std::string& text = url.is_object() ? url["url"].as_string() : url.as_string();
    if (text.starts_with("data:image/")) return {};
    return bad_field("An image is taken only inside the request, as a data: URL.", where,
                     "Nothing is fetched here: send data:image/png;base64,...");
  }
  if (type == "input_audio") {
    const Json& audio = part["input_audio"];
    const std::string& format = audio["format"].as_string();
    if (audio["data"].is_string() && (format == "wav" || format == "mp3")) return {};
    return bad_field("Sound is {\"data\": base64, \"format\": \"wav\" or \"mp3\"}.", where);
  }
  return bad_field(
      "A part of a message is {\"type\": \"text\"}, {\"type\": \"image_url\"} or {\"type\": "
      "\"input_audio\"}.",
      where);
}

Status check_calls(const Json& calls, const std::string& where) {
  if (!calls.is_array() || calls.size() == 0) {
    return bad_field("tool_calls must be an array with at least one call.", where);
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    const Json& function = calls.at(i)["function"];
    if (function["name"].is_string() && function["arguments"].is_string()) continue;
    return bad_field(
        "A tool call is {\"id\", \"type\": \"function\", \"function\": {\"name\", "
        "\"arguments\"}}, the arguments as a string.",
        where + "[" + std::to_string(i) + "]");
  }
  return {};
}

Status check_content(const Json& message, const std::string& where) {
  const Json& content = message["content"];
  if (content.is_string() || (content.is_null() && message["tool_calls"].size() > 0)) return {};
  if (!content.is_array() || content.size() == 0) {
    return bad_field("The content of a message is a text or an array of parts.",
                     where + ".content");
  }
  for (size_t i = 0; i < content.size(); ++i) {
    MORTISE_TRY(check_part(content.at(i), where + ".content[" + std::to_string(i) + "]"));
  }
  return {};
}

Status check_message(const Json& message, const std::string& where) {
  if (!message.is_object()) return bad_field("A message is an object.", where);
  static const std::set<std::string_view> kRoles = {"system", "developer", "user", "assistant",
                                                    "tool"};
  const std::string& role = message["role"].as_string();
  if (!kRoles.contains(role)) {
    return bad_field("The role of a message is system, developer, user, assistant or tool.",
                     where + ".role");
  }
  static const std::set<std::string_view> kKnown = {
      "role", "content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning_content"};
  MORTISE_TRY(check_members(message, kKnown, where));
  for (const char* name : {"name", "tool_call_id", "refusal", "reasoning_content"}) {
    const Json& value = message[name];
    if (value.is_null() || value.is_string()) continue;
    return bad_field(std::string(name) + " must be a string.", where + "." + name);
  }
  if (role == "tool" && !message["tool_call_id"].is_string()) {
    return bad_field("A message of the role tool names the call that it answers.",
                     where + ".tool_call_id");
  }
  if (!message["tool_calls"].is_null()) {
    MORTISE_TRY(check_calls(message["tool_calls"], where + ".tool_calls"));
  }
  return check_content(message, where);
}

Status check_messages(const Json& messages) {
  if (!messages.is_array() || messages.size() == 0) {
    return bad_field("messages must be an array with at least one message.", "messages");
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    MORTISE_TRY(check_message(messages.at(i), "messages[" + std::to_string(i) + "]"));
  }
  return {};
}

Status check_stop(const Json& stop) {
  const Json list = stop.is_array() ? stop : Json::array({stop});
  const bool is_good = list.size() <= kStopsMax &&
                       std::all_of(list.items().begin(), list.items().end(), [](const Json& one) {
                         return one.is_string() && !one.as_string().empty();
                       });
  if (is_good) return {};
  return bad_field("stop must be a string or an array of up to four strings, none of them empty.",
                   "stop");
}

// Whole numbers beyond 64 bits come as doubles, and would not be the seed that was asked for.
Status check_seed(const Json& seed) {
  if (seed.kind() != Json::Kind::kDouble) return {};
  return bad_field("seed must be an integer of 64 bits.", "seed");
}

bool is_tool_name(const std::string& name) {
  return !name.empty() && name.size() <= kToolNameMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

Status check_tools(const Json& tools) {
  if (tools.size() > kToolsMax) return bad_field("At most 128 tools are taken.", "tools");
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string where = "tools[" + std::to_string(i) + "]";
    const Json& function = tools.at(i)["function"];
    if (tools.at(i)["type"].as_string() != "function") {
      return bad_field("Only tools of the type \"function\" are served.", where + ".type");
    }
    if (!is_tool_name(function["name"].as_string())) {
      return bad_field("The name of a function has 1 to 64 of a-z, A-Z, 0-9, _ and -.",
                       where + ".function.name");
    }
    if (!function["parameters"].is_null() && !function["parameters"].is_object()) {
      return bad_field("The parameters of a function are a JSON Schema.",
                       where + ".function.parameters");
    }
    if (function["strict"].as_bool()) {
      return not_served(where + ".function.strict", "Keeping strictly to a function's schema");
    }
  }
  return {};
}

// auto and none can be kept; that a model calls a tool cannot be promised.
Status check_tool_choice(const Json& body) {
  const Json& choice = body["tool_choice"];
  if (choice.is_null() || choice == Json("none")) return {};
  if (choice == Json("auto")) {
    if (body["tools"].size() > 0) return {};
    return bad_field("tool_choice is only allowed when tools are given.", "tool_choice");
  }
  if (choice == Json("required") || choice.is_object()) {
    return bad_field("A tool call cannot be guaranteed in this version.", "tool_choice",
                     "Use \"auto\" or \"none\".");
  }
  return bad_field(
      "tool_choice must be \"none\", \"auto\", \"required\" or an object that names a "
      "function.",
      "tool_choice");
}

Status check_stream_options(const Json& body) {
  const Json& options = body["stream_options"];
  if (options.is_null()) return {};
  if (!body["stream"].as_bool()) {
    return bad_field("stream_options is only allowed when stream is true.", "stream_options");
  }
  MORTISE_TRY(check_members(options, {"include_usage", "include_obfuscation"}, "stream_options"));
  for (const auto& [name, value] : options.members()) {
    if (value.is_bool() || value.is_null()) continue;
    return bad_field("stream_options." + name + " must be a boolean.", "stream_options." + name);
  }
  return {};
}

Status check_body(const Json& body) {
  if (!body.is_object()) return bad_field("The request must be a JSON object.", "");
  std::set<std::string_view> known;
  for (const Field& field : kFields) {
    known.insert(field.name);
    const Json& value = body[field.name];
    if (!value.is_null()) MORTISE_TRY(check_field(value, field));
  }
  MORTISE_TRY(check_members(body, known, ""));
  if (body["model"].as_string().empty()) {
    return bad_field("You must provide a model parameter.", "model", "/v1/models lists them.");
  }
  MORTISE_TRY(check_messages(body["messages"]));
  if (!body["stop"].is_null()) MORTISE_TRY(check_stop(body["stop"]));
  MORTISE_TRY(check_seed(body["seed"]));
  MORTISE_TRY(check_tools(body["tools"]));
  MORTISE_TRY(check_tool_choice(body));
  return check_stream_options(body);
}

}  // namespace

Result<Json> chat_request_of(const Json& body) {
  MORTISE_TRY(check_body(body));
  Json request = Json::object({{"verb", "generate"}});
  for (const Field& field : kFields) {
    const Json& value = body[field.name];
    if (field.use == Use::kServed && !value.is_null()) request[field.name] = value;
  }
  if (!body["max_completion_tokens"].is_null()) {
    request["max_tokens"] = body["max_completion_tokens"];
  }
  if (body["tool_choice"] == Json("none")) request.erase("tools");
  return request;
}

}  // namespace mortise::server
