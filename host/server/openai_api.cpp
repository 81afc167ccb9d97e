// /v1: OpenAI's shapes over the endpoints. A request is checked here and handed to the serve worker
// over its channel; nothing is fetched, an image comes inside the request. See api.h.
#include "job/channel.h"
#include "job/error_json.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr int64_t kTokenTimeoutMs = 120'000;
constexpr uint64_t kChatBytesMax = 48u << 20;

Json model_card(const hub::Endpoint& endpoint) {
  return Json::object({{"id", endpoint.name},
                       {"object", "model"},
                       {"created", endpoint.created_ns / 1'000'000'000},
                       {"owned_by", "mortise"}});
}

Error bad_field(std::string message, std::string field, std::string hint = {}) {
  Error error(Code::kInvalidArgument, std::move(message), std::move(hint));
  return std::move(error.at_field(std::move(field)));
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
  return bad_field("A part of a message is {\"type\": \"text\"} or {\"type\": \"image_url\"}.",
                   where);
}

Status check_messages(const Json& messages) {
  if (!messages.is_array() || messages.size() == 0) {
    return bad_field("messages must be an array with at least one message.", "messages");
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages.at(i);
    const std::string where = "messages[" + std::to_string(i) + "]";
    if (!message["role"].is_string()) return bad_field("A message needs a role.", where);
    const Json& content = message["content"];
    if (content.is_string() || (content.is_null() && message.contains("tool_calls"))) continue;
    if (!content.is_array() || content.size() == 0) {
      return bad_field("The content of a message is a text or an array of parts.", where);
    }
    for (size_t j = 0; j < content.size(); ++j) {
      MORTISE_TRY(check_part(content.at(j), where + ".content[" + std::to_string(j) + "]"));
    }
  }
  return {};
}

Status check_number(const Json& body, const char* key, double min, double max) {
  const Json& value = body[key];
  if (value.is_null()) return {};
  if (value.is_number() && value.as_double() >= min && value.as_double() <= max) return {};
  return bad_field(std::string(key) + " must be a number from " + Json(min).dump() + " to " +
                       Json(max).dump() + ".",
                   key);
}

// What the worker gets; the names are OpenAI's.
Result<Json> generate_request(const Json& body) {
  MORTISE_TRY(check_messages(body["messages"]));
  MORTISE_TRY(check_number(body, "temperature", 0, 2));
  MORTISE_TRY(check_number(body, "top_p", 0, 1));
  MORTISE_TRY(check_number(body, "max_tokens", 1, 65536));
  MORTISE_TRY(check_number(body, "max_completion_tokens", 1, 65536));
  if (body["n"].as_int(1) != 1) {
    return Error(Code::kUnimplemented, "n other than 1 is not done in this version.").at_field("n");
  }
  // What would change the answer and is not done is refused, never left out in silence.
  for (const char* key : {"frequency_penalty", "presence_penalty", "logprobs", "top_logprobs",
                          "logit_bias", "response_format", "functions", "audio"}) {
    const Json& value = body[key];
    const bool means_nothing = value.is_null() || value == Json(0) || value == Json(false) ||
                               value["type"].as_string() == "text" ||
                               (value.is_object() && value.size() == 0);
    if (!means_nothing) {
      return Error(Code::kUnimplemented, std::string(key) + " is not done in this version.",
                   "Leave it out.")
          .at_field(key);
    }
  }
  Json request = Json::object({{"verb", "generate"}, {"messages", body["messages"]}});
  for (const char* key : {"temperature", "top_p", "top_k", "seed", "stop", "max_tokens", "tools"}) {
    if (!body[key].is_null()) request[key] = body[key];
  }
  if (!body["max_completion_tokens"].is_null()) {
    request["max_tokens"] = body["max_completion_tokens"];
  }
  return request;
}

struct Chat {
  std::string id, model;
  int64_t created = 0;
  Json request;
  bool is_streamed = false, wants_usage = false;
};

Json chunk_of(const Chat& chat, const Json& delta, const Json& finish_reason) {
  Json choice = Json::object({{"index", 0}, {"delta", delta}, {"finish_reason", finish_reason}});
  Json choices = Json::array();
  choices.push_back(std::move(choice));
  return Json::object({{"id", chat.id},
                       {"object", "chat.completion.chunk"},
                       {"created", chat.created},
                       {"model", chat.model},
                       {"choices", std::move(choices)}});
}

std::string sse(const Json& value) {
  return "data: " + value.dump() + "\n\n";
}

Json finish_of(const Json& last) {
  return last["finish_reason"].is_string() ? last["finish_reason"] : Json("stop");
}

// Headers go out with the first token, so that a refusal of the worker is an ordinary error.
Status stream_chat(job::ChannelClient& worker, const Chat& chat, Sink& sink) {
  bool begun = false;
  const auto begin = [&] {
    begun = true;
    return sink.write(
        sse(chunk_of(chat, Json::object({{"role", "assistant"}, {"content", ""}}), Json())));
  };
  const auto last = worker.call(chat.request, kTokenTimeoutMs, [&](const Json& line) {
    if (sink.is_stopping() || (!begun && !begin())) return false;
    const Json delta = Json::object({{"content", line["delta"]}});
    return sink.write(sse(chunk_of(chat, delta, Json())));
  });
  if (!last.ok()) {
    if (!begun) return last.error();
    sink.write(sse(job::openai_error_of(last.error(), 500)));
    return {};
  }
  if (!begun) begin();
  sink.write(sse(chunk_of(chat, Json::object(), finish_of(*last))));
  if (chat.wants_usage) {
    Json usage = chunk_of(chat, Json::object(), Json());
    usage["choices"] = Json::array();
    usage["usage"] = (*last)["usage"];
    sink.write(sse(usage));
  }
  sink.write("data: [DONE]\n\n");
  return {};
}

Result<Response> whole_chat(job::ChannelClient& worker, const Chat& chat) {
  std::string text;
  MORTISE_ASSIGN(const Json last,
                 worker.call(chat.request, kTokenTimeoutMs, [&text](const Json& line) {
                   text += line["delta"].as_string();
                   return true;
                 }));
  Json choice = Json::object({{"index", 0},
                              {"message", Json::object({{"role", "assistant"}, {"content", text}})},
                              {"finish_reason", finish_of(last)}});
  if (last.contains("logprobs")) choice["logprobs"] = last["logprobs"];
  Json choices = Json::array();
  choices.push_back(std::move(choice));
  return Response::json(Json::object({{"id", chat.id},
                                      {"object", "chat.completion"},
                                      {"created", chat.created},
                                      {"model", chat.model},
                                      {"choices", std::move(choices)},
                                      {"usage", last["usage"]}}));
}

Result<hub::Endpoint> ready_endpoint(Api& api, const std::string& name) {
  auto endpoint = api.hub->endpoints().get(name);
  if (!endpoint.ok()) {
    return Error(Code::kNotFound, "The model " + base::json_quote(name) + " is not served.",
                 "/v1/models lists what is; mortise endpoint start serves one.")
        .at_field("model");
  }
  if (endpoint->state == "ready") return endpoint;
  return Error(Code::kUnavailable,
               "The endpoint " + base::json_quote(name) + " is " + endpoint->state + ".",
               endpoint->state == "starting" ? "Ask again in a moment." : "Start it again.");
}

}  // namespace

Answer openai_models(Api& api, Request&) {
  MORTISE_ASSIGN(const auto endpoints, api.hub->endpoints().list());
  Json data = Json::array();
  for (const hub::Endpoint& endpoint : endpoints) {
    if (endpoint.state == "ready") data.push_back(model_card(endpoint));
  }
  return Response::json(Json::object({{"object", "list"}, {"data", std::move(data)}}));
}

Answer openai_model(Api& api, Request& request) {
  MORTISE_ASSIGN(const auto endpoint, ready_endpoint(api, request.parameter("name")));
  return Response::json(model_card(endpoint));
}

Answer openai_chat(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json(kChatBytesMax));
  Chat chat;
  MORTISE_ASSIGN(chat.request, generate_request(body));
  MORTISE_ASSIGN(const hub::Endpoint endpoint, ready_endpoint(api, body["model"].as_string()));
  chat.id = "chatcmpl-" + base::random_hex(base::system_random(), 12);
  chat.model = endpoint.name;
  chat.created = api.hub->clock().now_ns() / 1'000'000'000;
  chat.is_streamed = body["stream"].as_bool();
  chat.wants_usage = body["stream_options"]["include_usage"].as_bool();
  MORTISE_ASSIGN(auto worker, job::ChannelClient::connect(
                                  api.hub->task_folder(endpoint.job_id, endpoint.attempt)));
  if (!chat.is_streamed) return whole_chat(*worker, chat);
  Response response;
  response.content_type = "text/event-stream";
  response.stream = [worker = std::shared_ptr<job::ChannelClient>(std::move(worker)),
                     chat](Sink& sink) { return stream_chat(*worker, chat, sink); };
  return response;
}

}  // namespace mortise::server
