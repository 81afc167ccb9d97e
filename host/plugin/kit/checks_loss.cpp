// Losses: value and gradient, the memory they were given, and inputs that are wrong.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "conform/reference_loss.h"
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/kit/loss_bench.h"
#include "plugin/preference_loss.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Result;

Result<std::string> exercise_loss(Case& at, const std::shared_ptr<Plugin>& plugin) {
  if (at.declares(MORTISE_KIND_LOSS_PREFERENCE)) return exercise_preference(at, plugin);
  MORTISE_ASSIGN(const std::vector<Loss> losses, open_losses(at, plugin));
  std::string out;
  for (const Loss& loss : losses) {
    MORTISE_ASSIGN(const LossAnswer answer,
                   run_loss(loss, sample_problem(loss.is_fused(), at.dice(8))));
    const auto add = [&](const std::vector<float>& values) {
      for (const float value : values) {
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        out += std::to_string(bits) + " ";
      }
    };
    add({answer.loss});
    add(answer.grad_input);
    add(answer.grad_weight);
  }
  return out;
}

namespace {

double largest(const std::vector<float>& values) {
  double size = 0;
  for (const float value : values) size = std::max(size, std::fabs(static_cast<double>(value)));
  return size;
}

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// Runs `body` for each loss that the plugin declares.
template <class Body>
Outcome for_each_loss(Case& at, Body body) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::vector<Loss> losses, open_losses(at, plugin));
  if (losses.empty()) return skip("The pack has no loss over tokens.");
  for (const Loss& loss : losses) {
    Outcome outcome = body(loss, sample_problem(loss.is_fused(), at.dice(9)));
    if (outcome.state == State::kPass) continue;
    outcome.message = std::string(loss.is_fused() ? "fused_linear: " : "") + outcome.message;
    return outcome;
  }
  return {};
}

// Central differences in float32: h = 2^-6 leaves errors of h^2 and of 2^-23/h, both near 1e-4.
Outcome compare_differences(const Loss& loss, LossProblem& p, std::vector<float>& values,
                            const std::vector<float>& gradient, const char* name) {
  constexpr float kStep = 0x1p-6f;
  const double limit = 4e-3 * std::max(largest(gradient), 0.1);
  for (size_t i = 0; i < values.size(); ++i) {
    const float value = values[i];
    values[i] = value + kStep;
    MORTISE_ASSIGN(const float above, run_forward(loss, p));
    values[i] = value - kStep;
    MORTISE_ASSIGN(const float below, run_forward(loss, p));
    values[i] = value;
    const double expected = (static_cast<double>(above) - static_cast<double>(below)) /
                            (2 * static_cast<double>(kStep));
    const double got = static_cast<double>(gradient[i]);
    if (std::fabs(got - expected) <= limit) continue;
    return fail(std::string(name) + "[" + std::to_string(i) + "] is " + shown(got) +
                ", finite differences give " + shown(expected) + ".");
  }
  return {};
}

Outcome gradient_is_the_slope(Case& at) {
  return for_each_loss(at, [](const Loss& loss, LossProblem p) -> Outcome {
    std::fill(p.grad_weight_before.begin(), p.grad_weight_before.end(), 0.0f);
    MORTISE_ASSIGN(const LossAnswer answer, run_loss(loss, p));
    Outcome outcome = compare_differences(loss, p, p.input, answer.grad_input, "grad_input");
    if (outcome.state != State::kPass || !loss.is_fused()) return outcome;
    return compare_differences(loss, p, p.weight, answer.grad_weight, "grad_weight");
  });
}

// For losses that say "reference": "cross_entropy" in x-conformance.
Outcome value_equals_the_reference(Case& at) {
  const std::string reference = at.conformance()["reference"].as_string();
  if (reference.empty()) return skip("The pack names no reference in x-conformance.");
  if (reference != "cross_entropy") return fail("The kit has no reference \"" + reference + "\".");
  return for_each_loss(at, [](const Loss& loss, const LossProblem& p) -> Outcome {
    std::vector<double> logits(static_cast<size_t>(p.rows * p.classes));
    for (int64_t n = 0; n < p.rows; ++n) {
      for (int64_t v = 0; v < p.classes; ++v) {
        double sum = 0;
        for (int64_t c = 0; c < p.channels; ++c) {
          sum += static_cast<double>(p.input[static_cast<size_t>(n * p.channels + c)]) *
                 static_cast<double>(p.weight[static_cast<size_t>(v * p.channels + c)]);
        }
        const auto place = static_cast<size_t>(n * p.classes + v);
        logits[place] = p.channels > 0 ? sum : static_cast<double>(p.input[place]);
      }
    }
    const double expected = conform::cross_entropy(logits, p.classes, p.labelled, p.labels).loss;
    MORTISE_ASSIGN(const float got, run_forward(loss, p));
    if (std::fabs(static_cast<double>(got) - expected) <= 1e-5 * std::fabs(expected)) return {};
    return fail("The loss is " + shown(static_cast<double>(got)) + ", the reference " +
                shown(expected) + ".");
  });
}

Outcome no_labels_give_zero(Case& at) {
  return for_each_loss(at, [](const Loss& loss, LossProblem p) -> Outcome {
    p.labelled.clear();
    p.labels.clear();
    MORTISE_ASSIGN(const LossAnswer answer, run_loss(loss, p));
    if (answer.loss != 0) {
      return fail("Without labels the loss is " + shown(static_cast<double>(answer.loss)) + ".");
    }
    if (largest(answer.grad_input) != 0) return fail("Without labels grad_input is not zero.");
    if (answer.grad_weight == p.grad_weight_before) return {};
    return fail("Without labels grad_weight changes.");
  });
}

Outcome other_rows_get_zero(Case& at) {
  return for_each_loss(at, [](const Loss& loss, const LossProblem& p) -> Outcome {
    MORTISE_ASSIGN(const LossAnswer answer, run_loss(loss, p));
    for (int64_t n = 0; n < p.rows; ++n) {
      const bool is_labelled = std::find(p.labelled.begin(), p.labelled.end(),
                                         static_cast<int32_t>(n)) != p.labelled.end();
      for (int64_t i = 0; !is_labelled && i < p.width(); ++i) {
        if (answer.grad_input[static_cast<size_t>(n * p.width() + i)] == 0.0f) continue;
        return fail("Row " + std::to_string(n) + " carries no label, and its grad_input is not 0.");
      }
    }
    return {};
  });
}

Outcome wrong_labels_are_refused(Case& at) {
  return for_each_loss(at, [](const Loss& loss, const LossProblem& p) -> Outcome {
    for (const int32_t label : {static_cast<int32_t>(p.classes), -1, INT32_MAX}) {
      LossProblem wrong = p;
      wrong.labels[1] = label;
      const auto value = run_forward(loss, wrong);
      if (!value.ok() && value.error().code == Code::kInvalidArgument) continue;
      return fail("The label " + std::to_string(label) + " of " + std::to_string(p.classes) +
                  " classes is answered with " +
                  (value.ok() ? "OK" : base::code_name(value.error().code)) +
                  " instead of INVALID_ARGUMENT.");
    }
    LossProblem wrong = p;
    wrong.labelled[0] = static_cast<int32_t>(p.rows);
    const auto value = run_forward(loss, wrong);
    if (!value.ok() && value.error().code == Code::kInvalidArgument) return {};
    return fail("A labelled row behind the last one is not refused.");
  });
}

Outcome wrong_shapes_are_refused(Case& at) {
  return for_each_loss(at, [](const Loss& loss, const LossProblem& p) -> Outcome {
    const base::Status done = run_without_labels_tensor(loss, p);
    if (!done.ok() && done.error().code == Code::kInvalidArgument) return {};
    return fail(std::string("A call without rows, labels and loss, with more rows than the plan, "
                            "is answered with ") +
                (done.ok() ? "OK" : base::code_name(done.error().code)) +
                " instead of INVALID_ARGUMENT.");
  });
}

Outcome smaller_calls_fit(Case& at) {
  return for_each_loss(at, [](const Loss& loss, const LossProblem& p) -> Outcome {
    MORTISE_ASSIGN(const LossAnswer expected, run_loss(loss, p));
    MORTISE_ASSIGN(const LossAnswer answer, run_loss(loss, p, 3));
    const double error = std::fabs(static_cast<double>(answer.loss - expected.loss));
    if (error <= 1e-5 * std::fabs(static_cast<double>(expected.loss))) return {};
    return fail("With a plan for three times the rows the loss is " +
                shown(static_cast<double>(answer.loss)) + " instead of " +
                shown(static_cast<double>(expected.loss)) + ".");
  });
}

Outcome gradient_scales_and_adds(Case& at) {
  return for_each_loss(at, [](const Loss& loss, LossProblem p) -> Outcome {
    MORTISE_ASSIGN(const LossAnswer once, run_loss(loss, p));
    p.grad_loss = -2.5f;
    MORTISE_ASSIGN(const LossAnswer scaled, run_loss(loss, p));
    const auto agrees = [](double got, double expected, double size) {
      return std::fabs(got - expected) <= 1e-5 * std::max(size, 1e-3);
    };
    const double size = 2.5 * largest(once.grad_input);
    for (size_t i = 0; i < once.grad_input.size(); ++i) {
      if (agrees(static_cast<double>(scaled.grad_input[i]),
                 -2.5 * static_cast<double>(once.grad_input[i]), size)) {
        continue;
      }
      return fail("With grad_loss -2.5 grad_input is not -2.5 times that of 1.");
    }
    for (size_t i = 0; i < once.grad_weight.size(); ++i) {
      const auto before = static_cast<double>(p.grad_weight_before[i]);
      const double own = static_cast<double>(once.grad_weight[i]) - before;
      if (agrees(static_cast<double>(scaled.grad_weight[i]), before - 2.5 * own,
                 2.5 * largest(once.grad_weight) + 2)) {
        continue;
      }
      return fail("backward does not add grad_loss times its gradient to grad_weight.");
    }
    return {};
  });
}

constexpr const char* kLossKind = "loss";
constexpr Check kLossChecks[] = {
    {"loss.gradient_is_the_slope", "backward agrees with finite differences of forward.", kLossKind,
     "", Needs::kPlugin, gradient_is_the_slope},
    {"loss.value_equals_the_reference", "forward agrees with the reference that the pack names.",
     kLossKind, "", Needs::kPlugin, value_equals_the_reference},
    {"loss.no_labels_give_zero", "Without labels loss and gradients are 0.", kLossKind, "",
     Needs::kPlugin, no_labels_give_zero},
    {"loss.other_rows_get_zero", "grad_input is 0 in rows without a label.", kLossKind, "",
     Needs::kPlugin, other_rows_get_zero},
    {"loss.wrong_labels_are_refused", "Labels and rows out of range are INVALID_ARGUMENT.",
     kLossKind, "", Needs::kPlugin, wrong_labels_are_refused},
    {"loss.wrong_shapes_are_refused", "Absent tensors and too many rows are INVALID_ARGUMENT.",
     kLossKind, "", Needs::kPlugin, wrong_shapes_are_refused},
    {"loss.smaller_calls_fit", "A plan serves smaller calls too.", kLossKind, "", Needs::kPlugin,
     smaller_calls_fit},
    {"loss.gradient_scales_and_adds",
     "Gradients are grad_loss times the slope, and grad_weight is added to.", kLossKind, "",
     Needs::kPlugin, gradient_scales_and_adds},
};

}  // namespace

std::span<const Check> loss_checks() {
  return kLossChecks;
}

}  // namespace mortise::plugin::kit
