// Plain loops for a host without device operations: correct, not fast. Logits are rounded to the
// type of the activations, as a model's head gives them. saved: lse[L]; workspace: one row of
// logits [V], the gradient of one row [C] and the loss of each row [L].
#include <mortise/cpp/services.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include "number.h"
#include "plans.h"

namespace mortise::loss_cross_entropy {
namespace {

class FusedPlan : public sdk::LossPlan {
 public:
  explicit FusedPlan(const mortise_loss_shapes& shapes) : shapes_(shapes) {}

  sdk::LossNeeds needs() const override {
    const uint64_t work = shapes_.classes + shapes_.channels + shapes_.labelled_max;
    return {/*is_deterministic=*/true, work * sizeof(double),
            shapes_.labelled_max * sizeof(double)};
  }

  void forward(const mortise_loss_call& call) override {
    const sdk::LossSizes sizes = check(call);
    double* losses = work_of(call) + sizes.classes + sizes.channels;  // [L]
    with_number(shapes_.dtype,
                [&](auto number) { forward_as<decltype(number)>(call, sizes, losses); });
    write_loss(call, shapes_, losses, sizes.labelled);
  }

  void backward(const mortise_loss_call& call) override {
    const sdk::LossSizes sizes = check(call);
    if (call.grad_input != nullptr) {
      sdk::check_tensor(call.grad_input, "grad_input", shapes_.dtype, {sizes.rows, sizes.channels});
    }
    if (call.grad_weight != nullptr) {
      sdk::check_tensor(call.grad_weight, "grad_weight", sdk::kFloat32,
                        {sizes.classes, sizes.channels});
    }
    with_number(shapes_.dtype, [&](auto number) { backward_as<decltype(number)>(call, sizes); });
  }

 private:
  static double* work_of(const mortise_loss_call& call) {
    return static_cast<double*>(call.workspace);
  }

  sdk::LossSizes check(const mortise_loss_call& call) const {
    const sdk::LossSizes sizes = check_host_call(call, shapes_);
    if (call.workspace == nullptr && sizes.labelled > 0) {
      throw sdk::invalid_argument("workspace is NULL, expected workspace_bytes of the plan.");
    }
    return sizes;
  }

  // z[v] = A(h . w[v]) for one row h [C].
  template <class Number>
  static void logits_of(const Number* h, const Number* w, const sdk::LossSizes& sizes, double* z) {
    for (int64_t v = 0; v < sizes.classes; ++v) {
      const Number* row = w + v * sizes.channels;
      double sum = 0;
      for (int64_t c = 0; c < sizes.channels; ++c) sum += load(h[c]) * load(row[c]);
      z[v] = rounded<Number>(sum);
    }
  }

  template <class Number>
  void forward_as(const mortise_loss_call& call, const sdk::LossSizes& sizes,
                  double* losses) const {
    const auto* hidden = sdk::elements<const Number>(*call.input);   // [N,C]
    const auto* weight = sdk::elements<const Number>(*call.weight);  // [V,C]
    const auto* rows = sdk::elements<const int32_t>(*call.rows);     // [L]
    const auto* labels = sdk::elements<const int32_t>(*call.labels);
    auto* lse = static_cast<double*>(call.saved);
    double* z = work_of(call);
    for (int64_t l = 0; l < sizes.labelled; ++l) {
      if (l % 64 == 0) sdk::check_cancelled();
      logits_of(hidden + int64_t{rows[l]} * sizes.channels, weight, sizes, z);
      const double max = *std::max_element(z, z + sizes.classes);
      double exps = 0;
      for (int64_t v = 0; v < sizes.classes; ++v) exps += std::exp(z[v] - max);
      lse[l] = max + std::log(exps);
      losses[l] = lse[l] - z[labels[l]];
    }
  }

  template <class Number>
  void backward_as(const mortise_loss_call& call, const sdk::LossSizes& sizes) const {
    const auto* hidden = sdk::elements<const Number>(*call.input);   // [N,C]
    const auto* weight = sdk::elements<const Number>(*call.weight);  // [V,C]
    const auto* rows = sdk::elements<const int32_t>(*call.rows);     // [L]
    const auto* labels = sdk::elements<const int32_t>(*call.labels);
    const auto* lse = static_cast<const double*>(call.saved);
    double* z = work_of(call);
    double* slope = z + sizes.classes;  // [C]
    auto* grad = call.grad_input ? sdk::elements<Number>(*call.grad_input) : nullptr;
    auto* grad_weight = call.grad_weight ? sdk::elements<float>(*call.grad_weight) : nullptr;
    const auto all = static_cast<size_t>(sizes.rows * sizes.channels);
    if (grad != nullptr && all > 0) std::memset(grad, 0, all * sizeof(Number));
    for (int64_t l = 0; l < sizes.labelled; ++l) {
      if (l % 64 == 0) sdk::check_cancelled();
      const int64_t at = int64_t{rows[l]} * sizes.channels;
      logits_of(hidden + at, weight, sizes, z);
      std::fill(slope, slope + sizes.channels, 0.0);
      for (int64_t v = 0; v < sizes.classes; ++v) {
        const double dz = call.grad_loss * (std::exp(z[v] - lse[l]) - (v == labels[l] ? 1.0 : 0.0));
        for (int64_t c = 0; c < sizes.channels; ++c) {
          slope[c] += dz * load(weight[v * sizes.channels + c]);
          if (grad_weight == nullptr) continue;
          float* place = grad_weight + v * sizes.channels + c;
          store(place, load(*place) + dz * load(hidden[at + c]));
        }
      }
      for (int64_t c = 0; grad != nullptr && c < sizes.channels; ++c) {
        store(&grad[at + c], load(grad[at + c]) + slope[c]);  // a row may carry two labels
      }
    }
  }

  mortise_loss_shapes shapes_;
};

}  // namespace

std::unique_ptr<sdk::LossPlan> make_fused_plan(const mortise_loss_shapes& shapes) {
  check_host_shapes(shapes);
  return std::make_unique<FusedPlan>(shapes);
}

}  // namespace mortise::loss_cross_entropy
