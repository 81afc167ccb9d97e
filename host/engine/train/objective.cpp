// Token mean: sum over the labelled positions of w_t (-log p(y_t)), over N = the sum of w_t; w_t is
// the loss_scale of the message a label stands in, usually 1.
#include "engine/train/objective.h"

#include <ATen/TensorOperators.h>

#include <map>

#include "engine/op/op.h"
#include "engine/train/preference.h"

namespace mortise::engine {
namespace {

using at::Tensor;

class TokenMean : public Objective {
 public:
  TokenMean(const TrainRequest& request, const Setup& setup) : request_(request), setup_(setup) {}

  double begin_step(Pass&, const StepRows& step) override {
    double n = 0;
    for (const LoadedRow& row : step.rows) n += labelled_weight(row.tokens);
    return n;
  }

  Tensor sum_of(Pass& pass, PassBatch& batch) override {
    const TextOutputs out = run_text(pass, *setup_.model, batch.inputs);
    const auto loss = [&](const Tensor& rows, const Tensor& labels) {
      return loss_of(pass, *setup_.model, out.last, rows, labels, request_.loss);  // [1]
    };
    if (batch.weights.empty()) return loss(batch.rows, batch.labels);
    // A loss is a sum over positions, so those of one weight are one call: no pack knows of
    // weights.
    std::map<double, std::pair<std::vector<int32_t>, std::vector<int32_t>>> by_weight;
    const int32_t* rows = batch.rows.const_data_ptr<int32_t>();
    const int32_t* labels = batch.labels.const_data_ptr<int32_t>();
    for (size_t l = 0; l < batch.weights.size(); ++l) {
      auto& [its_rows, its_labels] = by_weight[batch.weights[l]];
      its_rows.push_back(rows[l]);
      its_labels.push_back(labels[l]);
    }
    Tensor sum;
    for (const auto& [weight, places] : by_weight) {
      const Tensor part = loss(int_tensor(places.first), int_tensor(places.second)) * weight;
      sum = sum.defined() ? sum + part : part;
    }
    return sum;
  }

 private:
  const TrainRequest& request_;
  const Setup& setup_;
};

base::Status check_metric(const BestSettings& best, const Objective& objective) {
  std::string known = "eval_loss";
  bool is_known = !best.is_used() || best.metric == known;
  for (const std::string& name : objective.metric_names()) {
    known += ", eval_" + name;
    is_known = is_known || best.metric == "eval_" + name;
  }
  if (is_known) return {};
  return base::Error(base::Code::kInvalidArgument,
                     "No evaluation during training gives \"" + best.metric + "\".",
                     "Choose one of " + known + "; scores of metric packs come after the training.")
      .at_field("/train/metric_for_best_model");
}

}  // namespace

base::Result<std::unique_ptr<Objective>> make_objective(const TrainRequest& request,
                                                        const Setup& setup) {
  std::unique_ptr<Objective> objective;
  const std::string& task = setup.dataset->task_type();
  if (request.preference != nullptr) {
    MORTISE_ASSIGN(objective, make_preference(request, setup));
  } else if (task == "preference" || task == "kto") {
    return base::Error(
               base::Code::kInvalidArgument,
               "The loss learns from tokens, but the rows are of the task type " + task + ".",
               "Set plugins.loss to mortise.loss_" + std::string(task == "kto" ? "kto" : "dpo") +
                   ".")
        .at_field("/plugins/loss");
  } else {
    objective = std::make_unique<TokenMean>(request, setup);
  }
  MORTISE_TRY(check_metric(setup.settings.best, *objective));
  return objective;
}

}  // namespace mortise::engine
