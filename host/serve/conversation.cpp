// OpenAI's messages as the chat templates here take them. See serve.h.
#include "base/crypto.h"
#include "serve/serve.h"

namespace mortise::serve {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Result<std::string> bytes_of_data_url(const std::string& url) {
  const size_t comma = url.find(";base64,");
  if (!url.starts_with("data:image/") || comma == std::string::npos) {
    return Error(Code::kInvalidArgument, "An image comes as data:image/png;base64,... or jpeg.",
                 "Nothing is fetched: put the image into the request.");
  }
  auto bytes = base::from_base64(std::string_view(url).substr(comma + 8));
  if (!bytes.ok()) return std::move(bytes.error());
  return std::string(base::as_text(*bytes));
}

namespace {

// base64 as input_audio has it, which the name of the medium is.
Result<ingest::Medium> sound_of_base64(const std::string& data,
                                       const ingest::MediaOptions& options) {
  auto bytes = base::from_base64(data);
  if (!bytes.ok()) return std::move(bytes.error());
  MORTISE_ASSIGN(auto reader,
                 ingest::AudioReader::open(ingest::ByteSource::of_bytes(*bytes), options.audio));
  MORTISE_ASSIGN(auto samples, ingest::read_audio(reader, options.audio_rate));
  return ingest::Medium(ingest::Sound{options.audio_rate, std::move(samples)});
}

}  // namespace

Result<ingest::Medium> medium_of_data_url(const engine::MediaField& medium,
                                          const ingest::MediaOptions& options) {
  if (medium.kind == ingest::MediaKind::kAudio) {
    return sound_of_base64(medium.names.front(), options);
  }
  MORTISE_ASSIGN(const std::string bytes, bytes_of_data_url(medium.names.front()));
  MORTISE_ASSIGN(ingest::Image image, ingest::decode_image(base::as_bytes(bytes), options.image));
  return ingest::Medium(std::move(image));
}

namespace {

// Parts in order, neighbouring texts as one, so that no control token can be put together from two
// of them; the images' data: URLs and the sounds' base64 go to `media`.
Result<Json> parts_of(const Json& content, const std::string& place,
                      std::vector<engine::MediaField>& media) {
  Json parts = Json::array();
  for (const Json& part : content.items()) {
    const std::string& type = part["type"].as_string();
    if (type == "image_url") {
      const Json& url = part["image_url"];
      const std::string& text = url.is_object() ? url["url"].as_string() : url.as_string();
      media.push_back({ingest::MediaKind::kImage, {}, {text}});
      parts.push_back(Json::object({{"type", "image"}}));
    } else if (type == "input_audio") {
      media.push_back({ingest::MediaKind::kAudio, {}, {part["input_audio"]["data"].as_string()}});
      parts.push_back(Json::object({{"type", "audio"}, {"audio", ""}}));
    } else if (type != "text") {
      return Error(Code::kInvalidArgument,
                   "A part has the unknown type " + base::json_quote(type) + ".",
                   "text, image_url and input_audio are served.")
          .at_field(place + ".content");
    } else if (parts.size() > 0 && parts.items().back().contains("text")) {
      Json& text = parts.items().back()["text"];
      text = text.as_string() + part["text"].as_string();
    } else {
      parts.push_back(Json::object({{"type", "text"}, {"text", part["text"].as_string()}}));
    }
  }
  return parts;
}

// Templates write the arguments of a call as JSON, so they must be a value and not a text.
Result<Json> calls_of(const Json& calls, const std::string& place) {
  Json out = calls;
  for (size_t i = 0; i < out.size(); ++i) {
    Json& arguments = out.items()[i]["function"]["arguments"];
    if (!arguments.is_string()) continue;
    auto parsed = base::parse_json(arguments.as_string());
    if (!parsed.ok() || !parsed->is_object()) {
      return Error(Code::kInvalidArgument, "The arguments of a tool call are not a JSON object.",
                   "Send back what the model gave, unchanged.")
          .at_field(place + ".tool_calls[" + std::to_string(i) + "].function.arguments");
    }
    arguments = std::move(*parsed);
  }
  return out;
}

// What the templates call a role; empty for one that is not served.
std::string role_of(const Json& message) {
  const std::string& role = message["role"].as_string();
  if (role == "developer") return "system";
  const bool is_known = role == "system" || role == "user" || role == "assistant" || role == "tool";
  return is_known ? role : std::string();
}

}  // namespace

Result<engine::RowMessages> conversation_of(const Json& request) {
  engine::RowMessages conversation;
  conversation.is_plain = true;
  conversation.messages = Json::array();
  conversation.tools = request["tools"];
  const Json& messages = request["messages"];
  for (size_t i = 0; i < messages.size(); ++i) {
    Json message = messages.at(i);
    const std::string place = "messages[" + std::to_string(i) + "]";
    message["role"] = role_of(message);
    if (message["role"].as_string().empty()) {
      return Error(Code::kInvalidArgument,
                   "The role of a message is system, developer, user, assistant or tool.")
          .at_field(place + ".role");
    }
    Json& content = message["content"];
    if (content.is_null()) content = "";  // a turn of tool calls alone
    if (content.is_array()) {
      MORTISE_ASSIGN(content, parts_of(content, place, conversation.media));
    } else if (!content.is_string()) {
      return Error(Code::kInvalidArgument,
                   "The content of a message is a text or an array of parts.")
          .at_field(place + ".content");
    }
    if (const Json* calls = message.find("tool_calls"); calls != nullptr) {
      MORTISE_ASSIGN(message["tool_calls"], calls_of(*calls, place));
    }
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

}  // namespace mortise::serve
