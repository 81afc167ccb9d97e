// Sums are double and each row is one thread's, so the result does not depend on threads. saved:
// lse[L]; workspace: the loss of each row [L].
#include <mortise/cpp/services.hpp>

#include <cmath>
#include <limits>

#include "number.h"
#include "plans.h"

namespace mortise::loss_cross_entropy {
namespace {

constexpr uint64_t kGrainElements = 1 << 15;

uint64_t grain_of(int64_t classes) {
  return kGrainElements / static_cast<uint64_t>(std::max<int64_t>(classes, 1)) + 1;
}

class LogitsPlan : public sdk::LossPlan {
 public:
  explicit LogitsPlan(const mortise_loss_shapes& shapes) : shapes_(shapes) {}

  sdk::LossNeeds needs() const override {
    const uint64_t rows_bytes = shapes_.labelled_max * sizeof(double);
    return {/*is_deterministic=*/true, rows_bytes, rows_bytes};
  }

  void forward(const mortise_loss_call& call) override {
    const sdk::LossSizes sizes = check_host_call(call, shapes_);
    with_number(shapes_.dtype, [&](auto number) { forward_as<decltype(number)>(call, sizes); });
    write_loss(call, shapes_, static_cast<const double*>(call.workspace), sizes.labelled);
  }

  void backward(const mortise_loss_call& call) override {
    const sdk::LossSizes sizes = check_host_call(call, shapes_);
    sdk::check_tensor(call.grad_input, "grad_input", shapes_.dtype, {sizes.rows, sizes.classes});
    with_number(shapes_.dtype, [&](auto number) { backward_as<decltype(number)>(call, sizes); });
  }

 private:
  template <class Number>
  void forward_as(const mortise_loss_call& call, const sdk::LossSizes& sizes) const {
    const auto* logits = sdk::elements<const Number>(*call.input);  // [N,V]
    const auto* rows = sdk::elements<const int32_t>(*call.rows);    // [L]
    const auto* labels = sdk::elements<const int32_t>(*call.labels);
    auto* lse = static_cast<double*>(call.saved);
    auto* losses = static_cast<double*>(call.workspace);
    const auto work = [&](uint64_t begin, uint64_t end) {
      for (uint64_t l = begin; l < end; ++l) {
        const Number* z = logits + int64_t{rows[l]} * sizes.classes;  // [V]
        double max = -std::numeric_limits<double>::infinity();
        for (int64_t v = 0; v < sizes.classes; ++v) max = std::max(max, load(z[v]));
        double exps = 0;
        for (int64_t v = 0; v < sizes.classes; ++v) exps += std::exp(load(z[v]) - max);
        lse[l] = max + std::log(exps);
        losses[l] = lse[l] - load(z[labels[l]]);
      }
    };
    sdk::parallel_for(static_cast<uint64_t>(sizes.labelled), grain_of(sizes.classes), work);
  }

  template <class Number>
  void backward_as(const mortise_loss_call& call, const sdk::LossSizes& sizes) const {
    const auto* logits = sdk::elements<const Number>(*call.input);  // [N,V]
    auto* grad = sdk::elements<Number>(*call.grad_input);           // [N,V]
    const auto* rows = sdk::elements<const int32_t>(*call.rows);    // [L]
    const auto* labels = sdk::elements<const int32_t>(*call.labels);
    const auto* lse = static_cast<const double*>(call.saved);
    const auto all = static_cast<size_t>(sizes.rows * sizes.classes);
    if (all > 0) std::memset(grad, 0, all * sizeof(Number));
    const auto work = [&](uint64_t begin, uint64_t end) {
      for (uint64_t l = begin; l < end; ++l) {
        const int64_t at = int64_t{rows[l]} * sizes.classes;
        for (int64_t v = 0; v < sizes.classes; ++v) {
          const double p = std::exp(load(logits[at + v]) - lse[l]);
          const double slope = call.grad_loss * (p - (v == labels[l] ? 1.0 : 0.0));
          store(&grad[at + v], load(grad[at + v]) + slope);  // a row may carry two labels
        }
      }
    };
    const auto count = static_cast<uint64_t>(sizes.labelled);
    if (rows_rise(rows, sizes.labelled)) {
      sdk::parallel_for(count, grain_of(sizes.classes), work);
    } else {
      work(0, count);
    }
  }

  mortise_loss_shapes shapes_;
};

}  // namespace

std::unique_ptr<sdk::LossPlan> make_logits_plan(const mortise_loss_shapes& shapes) {
  if (shapes.channels != 0) {
    throw sdk::invalid_argument("channels is " + std::to_string(shapes.channels) +
                                ": mortise.loss/1 takes logits; hidden states belong to "
                                "mortise.loss.fused_linear/1.");
  }
  check_host_shapes(shapes);
  return std::make_unique<LogitsPlan>(shapes);
}

}  // namespace mortise::loss_cross_entropy
