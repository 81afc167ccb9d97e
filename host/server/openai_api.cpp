// /v1: OpenAI's shapes over the endpoints. A request is checked here and handed to the serve worker
// over its channel; nothing is fetched, an image comes inside the request. See api.h.
#include "job/channel.h"
#include "job/error_json.h"
#include "server/api.h"
#include "server/openai_request.h"

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

std::string call_id() {
  return "call_" + base::random_hex(base::system_random(), 12);
}

// A call as two deltas: who is called, then with what; clients join the arguments.
Json call_deltas(const Json& call) {
  const Json& index = call["index"];
  const auto delta = [](Json part) {
    return Json::object({{"tool_calls", Json::array({std::move(part)})}});
  };
  return Json::array(
      {delta(
           Json::object({{"index", index},
                         {"id", call_id()},
                         {"type", "function"},
                         {"function", Json::object({{"name", call["name"]}, {"arguments", ""}})}})),
       delta(Json::object(
           {{"index", index}, {"function", Json::object({{"arguments", call["arguments"]}})}}))});
}

// A streamed reply on its way. Headers go out with the first line of the worker, so that a refusal
// of the worker is an ordinary error.
class ChatStream {
 public:
  ChatStream(const Chat& chat, Sink& sink) : chat_(chat), sink_(sink) {}

  bool has_begun() const { return has_begun_; }
  bool take(const Json& line) {
    if (sink_.is_stopping() || !begin()) return false;
    if (line.contains("delta")) return send(Json::object({{"content", line["delta"]}}), Json());
    for (const Json& call : line["tool_calls"].items()) {
      const Json deltas = call_deltas(call);
      for (const Json& delta : deltas.items()) {
        if (!send(delta, Json())) return false;
      }
    }
    return true;
  }
  void end(const Json& last) {
    begin();
    send(Json::object(), finish_of(last));
    if (chat_.wants_usage) {
      Json usage = chunk_of(chat_, Json::object(), Json());
      usage["choices"] = Json::array();
      usage["usage"] = last["usage"];
      sink_.write(sse(usage));
    }
    sink_.write("data: [DONE]\n\n");
  }
  void fail(const Error& error) { sink_.write(sse(job::openai_error_of(error, 500))); }

 private:
  bool begin() {
    if (has_begun_) return true;
    has_begun_ = true;
    return send(Json::object({{"role", "assistant"}, {"content", ""}}), Json());
  }
  bool send(const Json& delta, const Json& finish_reason) {
    Json chunk = chunk_of(chat_, delta, finish_reason);
    if (chat_.wants_usage) chunk["usage"] = Json();
    return sink_.write(sse(chunk));
  }

  const Chat& chat_;
  Sink& sink_;
  bool has_begun_ = false;
};

Status stream_chat(job::ChannelClient& worker, const Chat& chat, Sink& sink) {
  ChatStream stream(chat, sink);
  const auto last = worker.call(chat.request, kTokenTimeoutMs,
                                [&stream](const Json& line) { return stream.take(line); });
  if (last.ok()) {
    stream.end(*last);
  } else if (stream.has_begun()) {
    stream.fail(last.error());
  } else {
    return last.error();
  }
  return {};
}

Json message_of(const std::string& text, const Json& calls) {
  Json message = Json::object({{"role", "assistant"}, {"content", text}, {"refusal", Json()}});
  if (calls.size() == 0) return message;
  if (text.empty()) message["content"] = Json();
  for (const Json& call : calls.items()) {
    message["tool_calls"].push_back(Json::object(
        {{"id", call_id()},
         {"type", "function"},
         {"function", Json::object({{"name", call["name"]}, {"arguments", call["arguments"]}})}}));
  }
  return message;
}

Result<Response> whole_chat(job::ChannelClient& worker, const Chat& chat) {
  std::string text;
  Json calls = Json::array();
  MORTISE_ASSIGN(const Json last, worker.call(chat.request, kTokenTimeoutMs, [&](const Json& line) {
    text += line["delta"].as_string();
    for (const Json& call : line["tool_calls"].items()) calls.push_back(call);
    return true;
  }));
  Json choice = Json::object({{"index", 0},
                              {"message", message_of(text, calls)},
                              {"logprobs", Json()},
                              {"finish_reason", finish_of(last)}});
  return Response::json(Json::object({{"id", chat.id},
                                      {"object", "chat.completion"},
                                      {"created", chat.created},
                                      {"model", chat.model},
                                      {"choices", Json::array({std::move(choice)})},
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
  MORTISE_ASSIGN(chat.request, chat_request_of(body));
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
