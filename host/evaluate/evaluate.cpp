// See evaluate.h.
#include "evaluate/evaluate.h"

#include <algorithm>
#include <numeric>

#include "engine/op/counter_rng.h"
#include "plugin/guard.h"

namespace mortise::evaluate {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

struct Answer {
  uint64_t row = 0;
  Json question;
  std::string prediction, reference;
};

class Run {
 public:
  Run(base::FileOps& files, plugin::Registry& registry, engine::Device& device,
      const engine::ChatModel& chat, const engine::Dataset& dataset, const EvaluateRequest& request,
      const EvaluateHooks& hooks)
      : files_(files),
        registry_(registry),
        device_(device),
        chat_(chat),
        dataset_(dataset),
        request_(request),
        hooks_(hooks) {}

  Status answer_all();
  Result<Json> score();

 private:
  Status answer_batch(size_t begin, size_t end);
  Result<engine::GenerateRequest> prepare(size_t index, const Question& question,
                                          const std::vector<size_t>& sources) const;
  Result<Question> question_at(size_t index) const;
  Status keep_predictions(const std::vector<std::vector<double>>& per_row) const;

  base::FileOps& files_;
  plugin::Registry& registry_;
  engine::Device& device_;
  const engine::ChatModel& chat_;
  const engine::Dataset& dataset_;
  const EvaluateRequest& request_;
  const EvaluateHooks& hooks_;
  std::vector<Answer> answers_;
};

Error at_row(Error error, uint64_t row) {
  return error.row >= 0 ? std::move(error) : std::move(error.at_row(static_cast<int64_t>(row) + 1));
}

Result<Question> Run::question_at(size_t index) const {
  MORTISE_ASSIGN(const Json row, dataset_.row(request_.rows[index]));
  auto question = question_of(row, dataset_.task_type());
  if (!question.ok()) return at_row(std::move(question.error()), request_.rows[index]);
  return question;
}

Result<engine::GenerateRequest> Run::prepare(size_t index, const Question& question,
                                             const std::vector<size_t>& sources) const {
  engine::RowMessages conversation = question.conversation;
  if (request_.permutes_images) {
    MORTISE_ASSIGN(const Question other, question_at(sources[index]));
    conversation.media = other.conversation.media;
  }
  MORTISE_ASSIGN(engine::GenerateRequest request,
                 chat_.request_of(conversation, engine::media_in(dataset_)));
  request.new_tokens_max = request_.new_tokens_max;
  request.sampling = request_.sampling;
  request.sampling.seed = request_.seed + request_.rows[index];
  return request;
}

Status Run::answer_batch(size_t begin, size_t end) {
  const std::vector<size_t> sources = request_.permutes_images
                                          ? image_permutation(request_.rows.size(), request_.seed)
                                          : std::vector<size_t>();
  std::vector<std::unique_ptr<engine::Sequence>> sequences;
  std::vector<engine::Sequence*> running;
  for (size_t i = begin; i < end; ++i) {
    MORTISE_ASSIGN(Question question, question_at(i));
    auto prepared = prepare(i, question, sources);
    if (!prepared.ok()) return at_row(std::move(prepared.error()), request_.rows[i]);
    MORTISE_ASSIGN(auto sequence, engine::Sequence::create(chat_.model(), std::move(*prepared)));
    running.push_back(sequence.get());
    sequences.push_back(std::move(sequence));
    answers_.push_back(
        {request_.rows[i], question.conversation.messages, {}, std::move(question.reference)});
  }
  while (!running.empty()) {
    if (hooks_.is_cancelled && hooks_.is_cancelled()) {
      return Error(Code::kCancelled, "The evaluation was cancelled.");
    }
    MORTISE_TRY(engine::generate_step(device_, chat_.model(), running));
    std::erase_if(running, [](const engine::Sequence* sequence) {
      return sequence->finish() != engine::Finish::kNone;
    });
  }
  for (size_t i = begin; i < end; ++i) {
    std::vector<int32_t> ids;
    for (const engine::GeneratedToken& token : sequences[i - begin]->tokens()) {
      ids.push_back(token.id);
    }
    MORTISE_ASSIGN(answers_[i].prediction, chat_.text_of(ids));
  }
  return {};
}

Status Run::answer_all() {
  const size_t total = request_.rows.size();
  const auto step = static_cast<size_t>(std::max<int64_t>(request_.batch_rows, 1));
  for (size_t begin = 0; begin < total; begin += step) {
    MORTISE_TRY(answer_batch(begin, std::min(begin + step, total)));
    if (hooks_.progress) {
      hooks_.progress(static_cast<int64_t>(answers_.size()), static_cast<int64_t>(total));
    }
  }
  return {};
}

Status Run::keep_predictions(const std::vector<std::vector<double>>& per_row) const {
  if (!request_.keep_predictions) return {};
  std::string lines;
  for (size_t i = 0; i < answers_.size(); ++i) {
    const Answer& answer = answers_[i];
    Json scores = Json::object();
    for (size_t m = 0; m < per_row.size(); ++m) {
      if (i < per_row[m].size()) scores[request_.metrics[m].id] = per_row[m][i];
    }
    lines += Json::object({{"row", static_cast<int64_t>(answer.row) + 1},
                           {"messages", answer.question},
                           {"prediction", answer.prediction},
                           {"reference", answer.reference},
                           {"scores", std::move(scores)}})
                 .dump() +
             "\n";
  }
  return request_.keep_predictions(lines);
}

Result<Json> Run::score() {
  std::vector<Json> rows;
  for (const Answer& answer : answers_) {
    rows.push_back(Json::object({{"prediction", answer.prediction},
                                 {"reference", answer.reference},
                                 {"references", Json::array({Json(answer.reference)})}}));
  }
  Json scores = Json::array();
  std::vector<std::vector<double>> per_row(request_.metrics.size());
  for (size_t m = 0; m < request_.metrics.size(); ++m) {
    const MetricUse& use = request_.metrics[m];
    MORTISE_ASSIGN(plugin::Metric metric, registry_.open_metric(use.id, use.config));
    const plugin::InputNote note("answers 1.." + std::to_string(rows.size()));
    MORTISE_TRY(metric.update(rows, metric.facts().has_row_scores ? &per_row[m] : nullptr));
    MORTISE_ASSIGN(const auto found, metric.finalize());
    for (const plugin::MetricRow& row : found) {
      Json score = row.json();
      score["metric"] = use.id;
      score["of"] = request_.of;
      scores.push_back(std::move(score));
    }
  }
  MORTISE_TRY(keep_predictions(per_row));
  return scores;
}

}  // namespace

Result<Question> question_of(const Json& row, const std::string& task_type) {
  MORTISE_ASSIGN(engine::RowMessages whole, engine::messages_of(row, task_type));
  Json::Array& messages = whole.messages.items();
  if (messages.empty() || messages.back()["role"].as_string() != "assistant" ||
      !messages.back()["content"].is_string()) {
    return Error(Code::kInvalidArgument, "The row does not end with an answer to compare with.",
                 "Evaluate on rows whose last message is the assistant's.")
        .at_field("/messages");
  }
  Question question;
  question.reference = messages.back()["content"].as_string();
  messages.pop_back();
  question.conversation = std::move(whole);
  return question;
}

std::vector<size_t> image_permutation(size_t count, uint64_t seed) {
  // Sattolo's algorithm: one cycle over all rows, so no row keeps its own images.
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  const engine::CounterRng random(seed, /*stream=*/0x7065726d);  // "perm"
  for (size_t i = count; i > 1; --i) {
    const auto j = static_cast<size_t>(random.below(i, i - 1));
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

Result<Json> run_evaluation(base::FileOps& files, plugin::Registry& registry,
                            engine::Device& device, const engine::ChatModel& chat,
                            const engine::Dataset& dataset, const EvaluateRequest& request,
                            const EvaluateHooks& hooks) {
  Run run(files, registry, device, chat, dataset, request, hooks);
  MORTISE_TRY(run.answer_all());
  return run.score();
}

}  // namespace mortise::evaluate
