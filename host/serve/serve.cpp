// See serve.h. One thread advances the sequences; each connection's thread waits for the tokens of
// its own and turns them into text.
#include "serve/serve.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <span>

#include "base/log.h"
#include "serve/answer.h"

namespace mortise::serve {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

Service::Service(engine::Device& device, const engine::ChatModel& chat, ServeLimits limits)
    : device_(device), chat_(chat), limits_(limits), tool_format_(tool_format_of(chat.chat())) {}

// One request on its way. Tokens are handed over under the service's mutex.
struct Service::Talk {
  std::unique_ptr<engine::Sequence> sequence;
  AnswerOptions options;
  std::vector<int32_t> ids;  // of the sequence's tokens
  engine::Finish finish = engine::Finish::kNone;
  std::optional<Error> error;
  bool is_gone = false;  // the asker left: take it out of the batch
};

namespace {

// The error, naming the field of the request that it is about unless it knows better. An image has
// no file here, its name is its data: URL.
Error about(Error error, const char* field) {
  error.file.clear();
  if (error.code == Code::kInvalidArgument && error.field.empty()) error.at_field(field);
  return error;
}

std::vector<std::string> stops_of(const Json& stop) {
  std::vector<std::string> out;
  if (stop.is_string()) out.push_back(stop.as_string());
  for (const Json& one : stop.items()) out.push_back(one.as_string());
  std::erase(out, std::string());
  return out;
}

// What the request wants of its answer. Errors: INVALID_ARGUMENT for tools that the model's
// template does not show, or shows in a way whose calls could not be read back.
Result<AnswerOptions> answer_options_of(const Json& request, const ToolFormat* format) {
  AnswerOptions options;
  options.stop = stops_of(request["stop"]);
  if (request["tools"].size() == 0) return options;
  if (format == nullptr) {
    return Error(Code::kInvalidArgument,
                 "The chat template of this model has no tools whose calls could be read back.",
                 "Leave tools out, or serve a model of the Hermes, Qwen or Mistral families.")
        .at_field("tools");
  }
  options.tools = format;
  for (const Json& tool : request["tools"].items()) {
    options.tool_names.push_back(tool["function"]["name"].as_string());
  }
  options.one_call = !request["parallel_tool_calls"].as_bool(true);
  return options;
}

engine::SamplingOptions sampling_of(const Json& request) {
  engine::SamplingOptions sampling;
  sampling.temperature = request["temperature"].as_double(0);
  // 0 is the smallest set of all: the most probable token.
  sampling.top_p = std::max(request["top_p"].as_double(1), std::numeric_limits<double>::min());
  sampling.top_k = static_cast<int32_t>(request["top_k"].as_int(0));
  const Json& seed = request["seed"];
  sampling.seed = seed.as_uint(static_cast<uint64_t>(seed.as_int(0)));
  return sampling;
}

}  // namespace

Result<std::shared_ptr<Service::Talk>> Service::admit(const Json& request) {
  auto talk = std::make_shared<Talk>();
  MORTISE_ASSIGN(talk->options, answer_options_of(request, tool_format_));
  MORTISE_ASSIGN(const engine::RowMessages conversation, conversation_of(request));
  auto prepared = chat_.request_of(conversation, medium_of_data_url);
  if (!prepared.ok()) return about(std::move(prepared).error(), "messages");
  engine::GenerateRequest generate = std::move(prepared).value();
  const auto prompt = static_cast<int64_t>(generate.prompt.size());
  const int64_t room = chat_.model().text->config.positions_max - prompt;
  generate.new_tokens_max = request["max_tokens"].as_int(
      std::max<int64_t>(1, std::min(limits_.new_tokens_default, room)));
  generate.sampling = sampling_of(request);
  auto sequence = engine::Sequence::create(chat_.model(), std::move(generate));
  if (!sequence.ok()) {
    return about(std::move(sequence).error(), room < 1 ? "messages" : "max_tokens");
  }
  talk->sequence = std::move(sequence).value();
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= limits_.waiting_max) {
    return Error(Code::kResourceExhausted,
                 std::to_string(waiting_.size()) + " requests wait already.",
                 "Ask again in a moment.");
  }
  waiting_.push_back(talk);
  changed_.notify_all();
  return talk;
}

// The ids that have come since `seen`, which moves on; waits a moment when there is nothing.
Result<Service::Fresh> Service::fresh_of(const Talk& talk, size_t& seen) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(200), [&] {
    return talk.ids.size() > seen || talk.finish != engine::Finish::kNone || talk.error;
  });
  if (talk.error) return *talk.error;
  Fresh fresh{{talk.ids.begin() + static_cast<std::ptrdiff_t>(seen), talk.ids.end()}, talk.finish};
  seen = talk.ids.size();
  return fresh;
}

Result<Json> Service::follow(const Talk& talk, job::ChannelReply& reply) {
  MORTISE_ASSIGN(Answer answer, Answer::create(chat_.tokenizer(), talk.options));
  const auto send = [&reply](const std::vector<Json>& lines) {
    return std::all_of(lines.begin(), lines.end(),
                       [&reply](const Json& line) { return reply.send(line); });
  };
  size_t seen = 0, taken = 0;
  engine::Finish finish = engine::Finish::kNone;
  while (finish == engine::Finish::kNone && !answer.is_over()) {
    MORTISE_ASSIGN(const Fresh fresh, fresh_of(talk, seen));
    finish = fresh.finish;
    bool is_here = reply.is_connected();
    for (size_t i = 0; i < fresh.ids.size() && is_here && !answer.is_over(); ++i, ++taken) {
      MORTISE_ASSIGN(const auto lines, answer.take(fresh.ids[i]));
      is_here = send(lines);
    }
    if (!is_here) return Error(Code::kCancelled, "The asker has gone.");
  }
  const bool was_cut = finish == engine::Finish::kLength && !answer.is_over();
  MORTISE_ASSIGN(const auto lines, answer.finish());
  send(lines);
  const int64_t prompt = talk.sequence->prompt_tokens();
  const auto completion = static_cast<int64_t>(taken);
  const char* reason = was_cut ? "length" : answer.has_calls() ? "tool_calls" : "stop";
  return Json::object({{"finish_reason", reason},
                       {"usage", Json::object({{"prompt_tokens", prompt},
                                               {"completion_tokens", completion},
                                               {"total_tokens", prompt + completion}})}});
}

Result<Json> Service::generate(const Json& request, job::ChannelReply& reply) {
  const auto ending = [] { return Error(Code::kCancelled, "The endpoint is being stopped."); };
  {
    const std::lock_guard lock(mutex_);
    if (is_ending_) return ending();
    ++inside_;
  }
  Result<Json> answer = ending();
  if (auto talk = admit(request); talk.ok()) {
    answer = follow(**talk, reply);
    const std::lock_guard lock(mutex_);
    (*talk)->is_gone = true;
  } else {
    answer = std::move(talk.error());
  }
  const std::lock_guard lock(mutex_);
  --inside_;
  changed_.notify_all();
  return answer;
}

// Talks that are over leave, waiting ones come in; what is to advance now.
std::vector<std::shared_ptr<Service::Talk>> Service::next_batch() {
  std::unique_lock lock(mutex_);
  const auto is_over = [](const std::shared_ptr<Talk>& talk) {
    return talk->is_gone || talk->error || talk->finish != engine::Finish::kNone;
  };
  std::erase_if(running_, is_over);
  while (running_.size() < limits_.sequences_max && !waiting_.empty()) {
    if (!is_over(waiting_.front())) running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (running_.empty()) changed_.wait_for(lock, std::chrono::milliseconds(50));
  return running_;
}

// One step for all; when that fails, one for each alone, so that only those whose own step fails
// end with an error.
void Service::advance(const std::vector<std::shared_ptr<Talk>>& batch) {
  std::vector<engine::Sequence*> sequences;
  for (const auto& talk : batch) sequences.push_back(talk->sequence.get());
  std::vector<Status> stepped(batch.size());
  const Status together = engine::generate_step(device_, chat_.model(), sequences);
  if (!together.ok()) {
    base::log(base::LogLevel::kWarning, "A step of several answers failed; each is tried alone.",
              {{"answers", std::to_string(batch.size())}, {"error", together.error().text()}});
    for (size_t i = 0; i < batch.size(); ++i) {
      stepped[i] = engine::generate_step(device_, chat_.model(), std::span(&sequences[i], 1));
    }
  }
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < batch.size(); ++i) {
    Talk& talk = *batch[i];
    if (!stepped[i].ok()) talk.error = stepped[i].error();
    const auto& tokens = talk.sequence->tokens();
    for (size_t t = talk.ids.size(); t < tokens.size(); ++t) talk.ids.push_back(tokens[t].id);
    talk.finish = talk.sequence->finish();
  }
  changed_.notify_all();
}

// What the requests hold (this object, the model, the device) dies after run() has returned.
void Service::end_all() {
  std::unique_lock lock(mutex_);
  is_ending_ = true;
  const Error ending(Code::kCancelled, "The endpoint was stopped.");
  for (const auto& talk : running_) talk->error = ending;
  for (const auto& talk : waiting_) talk->error = ending;
  changed_.notify_all();
  // A request that is being admitted comes into waiting_ a moment later.
  while (inside_ > 0) {
    changed_.wait_for(lock, std::chrono::milliseconds(20));
    for (const auto& talk : waiting_) talk->error = ending;
  }
}

Status Service::run(const std::function<bool()>& should_stop) {
  while (!should_stop()) {
    const auto batch = next_batch();
    if (!batch.empty()) advance(batch);
  }
  end_all();
  return {};
}

}  // namespace mortise::serve
