// The reference is the base with the adapter switched off, or, when all weights train, a second
// model over the same mapped files.
//
// Letters: S answers of a pass, L labelled positions.
#include "engine/train/preference.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "engine/op/failure.h"
#include "engine/op/node.h"
#include "engine/op/op.h"
#include "engine/train/passes.h"
#include "plugin/preference_loss.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;
using base::Json;

std::vector<double> doubles_of(const Tensor& tensor) {
  const Tensor host = tensor.detach().cpu().contiguous();
  const double* data = host.const_data_ptr<double>();
  return {data, data + host.numel()};
}

std::vector<int32_t> tokens_of(const PassBatch& batch) {
  std::vector<int32_t> tokens(batch.wanted.size(), 0);
  for (const int32_t answer : batch.answers) ++tokens[static_cast<size_t>(answer)];
  return tokens;
}

// Sums of rewards over the answers since the last report.
struct Rewards {
  double wanted = 0, unwanted = 0;  // sums
  int64_t wanted_count = 0, unwanted_count = 0, pairs_won = 0;
};

class Preference : public Objective {
 public:
  Preference(const TrainRequest& request, const Setup& setup)
      : loss_(*request.preference), device_(*request.device), setup_(setup) {}

  double begin_step(Pass&, const StepRows& step) override {
    kl_ = loss_.reads_kl() ? kl_of(step.rows) : 0;
    return static_cast<double>(step.rows.size());
  }

  Tensor sum_of(Pass& pass, PassBatch& batch) override {
    const Tensor reference = reference_log_probs(batch);          // [S]
    const Tensor policy = log_probs(pass, *setup_.model, batch);  // [S]
    const plugin::PreferenceValue value = take(loss_.evaluate({.policy = doubles_of(policy),
                                                               .reference = doubles_of(reference),
                                                               .tokens = tokens_of(batch),
                                                               .wanted = batch.wanted,
                                                               .kl = kl_}));
    count_rewards(value.rewards, batch.wanted);
    Tensor sum = at::full({1}, value.loss, at::kDouble);
    const Tensor slope = at::tensor(at::ArrayRef<double>(value.grad_policy), at::kDouble);  // [S]
    record("preference", {policy}, {&sum}, [slope](const auto& grads, const auto&) {
      return std::vector<Tensor>{slope * grads[0]};
    });
    return sum;
  }

  Json take_metrics() override {
    const auto mean = [](double sum, int64_t count) {
      return count > 0 ? Json(sum / static_cast<double>(count)) : Json();
    };
    const Rewards r = std::exchange(rewards_, {});
    Json out = Json::object({{"rewards/chosen", mean(r.wanted, r.wanted_count)},
                             {"rewards/rejected", mean(r.unwanted, r.unwanted_count)}});
    if (loss_.is_paired()) {
      out["rewards/accuracies"] = mean(static_cast<double>(r.pairs_won), r.wanted_count);
    }
    const bool has_both = r.wanted_count > 0 && r.unwanted_count > 0;
    out["rewards/margins"] =
        has_both ? Json(out["rewards/chosen"].as_double() - out["rewards/rejected"].as_double())
                 : Json();
    if (loss_.reads_kl()) out["kl"] = kl_;
    return out;
  }

  std::vector<std::string> metric_names() const override {
    std::vector<std::string> names = {"rewards/chosen", "rewards/rejected", "rewards/margins"};
    names.emplace_back(loss_.is_paired() ? "rewards/accuracies" : "kl");
    return names;
  }

 private:
  Tensor log_probs(Pass& pass, const Model& model, const PassBatch& batch) const {
    const TextOutputs out = run_text(pass, model, batch.inputs);
    return answer_log_probs(device_, out.last, head_weight(*model.text), batch.rows, batch.labels,
                            batch.answers, static_cast<int64_t>(batch.wanted.size()));
  }

  Tensor reference_log_probs(const PassBatch& batch) const {
    const NoRecord quiet;
    Pass pass{.device = &device_};
    if (setup_.reference) return log_probs(pass, *setup_.reference, batch);
    const Adapter::Off off(*setup_.adapter);
    return log_probs(pass, *setup_.model, batch);
  }

  // How far the model has moved from the reference on answers to other questions: each question of
  // the step with the answer of the row before it; never below 0. One row alone tells nothing.
  double kl_of(const std::vector<LoadedRow>& rows) const {
    if (rows.size() < 2) return 0;
    const NoRecord quiet;
    std::vector<LoadedRow> mixed = rows;
    for (size_t i = 0; i < rows.size(); ++i) {
      const EncodedRow& other = rows[(i + rows.size() - 1) % rows.size()].tokens;
      EncodedRow& row = mixed[i].tokens;
      const auto cut = first_label(row), from = first_label(other);
      row.ids.resize(cut);
      row.labels.resize(cut);
      row.ids.insert(row.ids.end(), other.ids.begin() + from, other.ids.end());
      row.labels.insert(row.labels.end(), other.labels.begin() + from, other.labels.end());
    }
    double sum = 0;
    for (PassBatch& batch : passes_of(mixed, setup_.settings)) {
      place_pictures(*setup_.model, batch.inputs);
      Pass pass{.device = &device_};
      const Tensor policy = log_probs(pass, *setup_.model, batch);
      sum += (policy - reference_log_probs(batch)).sum().item<double>();
    }
    return std::max(0.0, sum / static_cast<double>(rows.size()));
  }
  static std::ptrdiff_t first_label(const EncodedRow& row) {
    return std::ranges::find_if(row.labels, [](int32_t label) { return label != kNoLabel; }) -
           row.labels.begin();
  }

  void count_rewards(const std::vector<double>& rewards, const std::vector<int32_t>& wanted) {
    for (size_t s = 0; s < rewards.size(); ++s) {
      (wanted[s] == 1 ? rewards_.wanted : rewards_.unwanted) += rewards[s];
      ++(wanted[s] == 1 ? rewards_.wanted_count : rewards_.unwanted_count);
      if (loss_.is_paired() && s % 2 == 1 && rewards[s - 1] > rewards[s]) ++rewards_.pairs_won;
    }
  }

  const plugin::PreferenceLoss& loss_;
  Device& device_;
  const Setup& setup_;
  double kl_ = 0;
  Rewards rewards_;
};

}  // namespace

base::Result<std::unique_ptr<Objective>> make_preference(const TrainRequest& request,
                                                         const Setup& setup) {
  const bool is_paired = request.preference->is_paired();
  const std::string& task = setup.dataset->task_type();
  if (task != (is_paired ? "preference" : "kto")) {
    return Error(Code::kInvalidArgument,
                 std::string("The loss learns from ") +
                     (is_paired ? "pairs of answers" : "single answers that are wanted or not") +
                     ", but the rows are of the task type " + task + ".",
                 std::string("Give rows of the task type ") + (is_paired ? "preference" : "kto") +
                     ", or choose another plugins.loss.")
        .at_field("/plugins/loss");
  }
  const TrainSettings& s = setup.settings;
  if (request.preference->reads_kl() && s.batch_size * s.accumulation < 2) {
    return Error(Code::kInvalidArgument,
                 "The loss compares the answers of a step with each other, but a step is one row.",
                 "Raise per_device_train_batch_size or gradient_accumulation_steps.")
        .at_field("/train/per_device_train_batch_size");
  }
  return std::unique_ptr<Objective>(std::make_unique<Preference>(request, setup));
}

}  // namespace mortise::engine
