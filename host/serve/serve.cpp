// See serve.h. One thread advances the sequences; each connection's thread waits for the tokens of
// its own and turns them into text.
#include "serve/serve.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace mortise::serve {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

// One request on its way. Tokens are handed over under the service's mutex.
struct Service::Talk {
  std::unique_ptr<engine::Sequence> sequence;
  std::vector<std::string> stop;
  size_t tokens_ready = 0;  // of sequence->tokens(), copied to `ids`
  std::vector<int32_t> ids;
  engine::Finish finish = engine::Finish::kNone;
  std::optional<Error> error;
  bool is_gone = false;  // the asker left: take it out of the batch
};

namespace {

std::vector<std::string> stops_of(const Json& stop) {
  std::vector<std::string> out;
  if (stop.is_string()) out.push_back(stop.as_string());
  for (const Json& one : stop.items()) out.push_back(one.as_string());
  std::erase(out, std::string());
  return out;
}

// Text that has been decoded and not sent yet, held back while it may be the start of a stop text.
class Held {
 public:
  explicit Held(const std::vector<std::string>& stops) : stops_(stops) {}

  // What can be sent now. is_stopped() afterwards: a stop text came, the rest is dropped.
  std::string take(const std::string& piece) {
    text_ += piece;
    size_t cut = std::string::npos;
    for (const std::string& stop : stops_) cut = std::min(cut, text_.find(stop));
    if (cut != std::string::npos) {
      is_stopped_ = true;
      std::string out = text_.substr(0, cut);
      text_.clear();
      return out;
    }
    size_t keep = 0;
    for (const std::string& stop : stops_) {
      for (size_t size = std::min(stop.size() - 1, text_.size()); size > keep; --size) {
        if (text_.ends_with(std::string_view(stop).substr(0, size))) keep = size;
      }
    }
    std::string out = text_.substr(0, text_.size() - keep);
    text_.erase(0, text_.size() - keep);
    return out;
  }
  std::string rest() { return is_stopped_ ? std::string() : std::exchange(text_, {}); }
  bool is_stopped() const { return is_stopped_; }

 private:
  const std::vector<std::string>& stops_;
  std::string text_;
  bool is_stopped_ = false;
};

}  // namespace

Result<std::shared_ptr<Service::Talk>> Service::admit(const Json& request) {
  MORTISE_ASSIGN(const engine::RowMessages conversation, conversation_of(request));
  MORTISE_ASSIGN(engine::GenerateRequest generate,
                 chat_.request_of(conversation, bytes_of_data_url));
  generate.new_tokens_max = request["max_tokens"].as_int(limits_.new_tokens_default);
  if (const auto& text = chat_.model().config.text) {
    const int64_t room = text->positions_max - static_cast<int64_t>(generate.prompt.size());
    if (!request.contains("max_tokens")) {
      generate.new_tokens_max = std::max<int64_t>(1, std::min(generate.new_tokens_max, room));
    }
  }
  generate.sampling.temperature = request["temperature"].as_double(0);
  generate.sampling.top_p = request["top_p"].as_double(1);
  generate.sampling.top_k = static_cast<int32_t>(request["top_k"].as_int(0));
  generate.sampling.seed = request["seed"].as_uint(0);
  auto talk = std::make_shared<Talk>();
  talk->stop = stops_of(request["stop"]);
  MORTISE_ASSIGN(talk->sequence, engine::Sequence::create(chat_.model(), std::move(generate)));
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

Result<Json> Service::follow(Talk& talk, job::ChannelReply& reply) {
  MORTISE_ASSIGN(plugin::Decoder decoder, chat_.tokenizer().decoder(/*skip_special=*/true));
  Held held(talk.stop);
  size_t seen = 0;
  engine::Finish finish = engine::Finish::kNone;
  const auto send = [&](const std::string& text) {
    return text.empty() || reply.send(Json::object({{"delta", text}}));
  };
  while (finish == engine::Finish::kNone && !held.is_stopped()) {
    std::vector<int32_t> fresh;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(200), [&] {
        return talk.ids.size() > seen || talk.finish != engine::Finish::kNone || talk.error;
      });
      if (talk.error) return *talk.error;
      fresh.assign(talk.ids.begin() + static_cast<std::ptrdiff_t>(seen), talk.ids.end());
      seen = talk.ids.size();
      finish = talk.finish;
    }
    bool is_here = reply.is_connected();
    for (size_t i = 0; i < fresh.size() && is_here && !held.is_stopped(); ++i) {
      MORTISE_ASSIGN(const std::string piece, decoder.push(fresh[i]));
      is_here = send(held.take(piece));
    }
    if (!is_here) return Error(Code::kCancelled, "The asker has gone.");
  }
  MORTISE_ASSIGN(const std::string tail, decoder.flush());
  send(held.take(tail) + held.rest());
  const int64_t prompt = talk.sequence->prompt_tokens();
  const auto answer = static_cast<int64_t>(seen);
  return Json::object(
      {{"finish_reason",
        finish == engine::Finish::kLength && !held.is_stopped() ? "length" : "stop"},
       {"usage", Json::object({{"prompt_tokens", prompt},
                               {"completion_tokens", answer},
                               {"total_tokens", prompt + answer}})}});
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

void Service::advance(const std::vector<std::shared_ptr<Talk>>& batch) {
  std::vector<engine::Sequence*> sequences;
  for (const auto& talk : batch) sequences.push_back(talk->sequence.get());
  const Status stepped = engine::generate_step(device_, chat_.model(), sequences);
  const std::lock_guard lock(mutex_);
  for (const auto& talk : batch) {
    if (!stepped.ok()) talk->error = stepped.error();
    const auto& tokens = talk->sequence->tokens();
    for (; talk->tokens_ready < tokens.size(); ++talk->tokens_ready) {
      talk->ids.push_back(tokens[talk->tokens_ready].id);
    }
    talk->finish = talk->sequence->finish();
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
