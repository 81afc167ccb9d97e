// What the checks of losses share: a small problem, one forward and backward over it in host memory
// that is watched at both ends. Letters: N rows, L labelled, C channels, V classes.
#pragma once

#include <mortise/draft/loss.h>

#include <memory>
#include <string>
#include <vector>

#include "plugin/kit/case.h"
#include "plugin/loss.h"

namespace mortise::plugin::kit {

struct LossProblem {
  int64_t rows = 0, channels = 0, classes = 0;  // N, C (0: the input is logits), V
  std::vector<float> input;                     // [N, V] or [N, C]
  std::vector<float> weight;                    // [V, C] or empty
  std::vector<int32_t> labelled, labels;        // [L]: which rows, which classes
  float grad_loss = 1;
  std::vector<float> grad_weight_before;  // [V, C]; backward adds to it

  int64_t width() const { return channels > 0 ? channels : classes; }
};

struct LossAnswer {
  float loss = 0;
  std::vector<float> grad_input, grad_weight;
};

LossProblem sample_problem(bool is_fused, Dice dice);

// Both shapes of loss that the plugin declares. Errors: of load and create.
base::Result<std::vector<Loss>> open_losses(Case& at, const std::shared_ptr<Plugin>& plugin);

// prepare for sizes_factor times the problem's sizes, forward, backward. Errors: what the plugin
// says; OUT_OF_RANGE naming the tensor when it wrote beside one.
base::Result<LossAnswer> run_loss(const Loss& loss, const LossProblem& problem,
                                  uint64_t sizes_factor = 1);
// forward with one row more than the plan serves and neither rows, labels nor loss.
base::Status run_without_labels_tensor(const Loss& loss, const LossProblem& problem);
// forward alone.
base::Result<float> run_forward(const Loss& loss, const LossProblem& problem);

}  // namespace mortise::plugin::kit
