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

Result<engine::RowMessages> conversation_of(const Json& request) {
  engine::RowMessages conversation;
  conversation.messages = Json::array();
  conversation.tools = request["tools"];
  const Json& messages = request["messages"];
  for (size_t i = 0; i < messages.size(); ++i) {
    Json message = messages.at(i);
    const std::string place = "/messages/" + std::to_string(i);
    if (message["content"].is_array()) {
      // Parts in order; an image is the placeholder that rows use too.
      std::string text;
      for (const Json& part : message["content"].items()) {
        if (part["type"].as_string() == "text") {
          text += part["text"].as_string();
        } else if (part["type"].as_string() == "image_url") {
          const Json& url = part["image_url"];
          conversation.images.push_back(url.is_object() ? url["url"].as_string() : url.as_string());
          text += "<image>\n";
        } else {
          return Error(Code::kInvalidArgument,
                       "A part has the unknown type \"" + part["type"].as_string() + "\".")
              .at_field(place + "/content");
        }
      }
      message["content"] = text;
    }
    if (message["content"].is_null()) message["content"] = "";  // a turn of tool calls alone
    if (!message["role"].is_string() || !message["content"].is_string()) {
      return Error(Code::kInvalidArgument, "A message needs a role and a content.").at_field(place);
    }
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

}  // namespace mortise::serve
