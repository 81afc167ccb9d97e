// Cross entropy with smoothed labels on logits in host memory, float32 or bfloat16.
//
// The example of a loss in C++. Letters: N rows, L labelled rows, V classes, s smoothing.
// Source: Szegedy et al. 2016, section 7. With p = softmax(z[r]) and the target t = (1 - s)
// onehot(y)
// + s / V:  loss = sum over l of lse - (1 - s) z[y] - s mean(z),  dloss/dz = p - t.
// Sums are in double, one row after the other, so the result does not depend on threads.
#include <mortise/cpp/loss.hpp>
#include <mortise/cpp/plugin.hpp>

#include <cmath>

namespace {

using namespace mortise::sdk;

double load(float value) {
  return static_cast<double>(value);
}
double load(uint16_t value) {
  return static_cast<double>(bfloat16_to_float(value));
}
void store(float* to, double value) {
  *to = static_cast<float>(value);
}
void store(uint16_t* to, double value) {
  *to = float_to_bfloat16(static_cast<float>(value));
}

class SmoothedPlan : public LossPlan {
 public:
  SmoothedPlan(const mortise_loss_shapes& shapes, double smoothing)
      : shapes_(shapes), smoothing_(smoothing) {}

  LossNeeds needs() const override {
    return {/*is_deterministic=*/true, /*workspace_bytes=*/0,
            /*saved_bytes=*/shapes_.labelled_max * sizeof(double)};
  }

  void forward(const mortise_loss_call& call) override {
    const LossSizes sizes = check(call);
    check_tensor(call.loss, "loss", kFloat32, {1});
    auto* lse = static_cast<double*>(call.saved);  // [L]
    const double sum = is_bfloat16() ? forward_rows<uint16_t>(call, sizes, lse)
                                     : forward_rows<float>(call, sizes, lse);
    *elements<float>(*call.loss) = static_cast<float>(sum);
  }

  void backward(const mortise_loss_call& call) override {
    const LossSizes sizes = check(call);
    check_tensor(call.grad_input, "grad_input", shapes_.dtype, {sizes.rows, sizes.classes});
    const auto* lse = static_cast<const double*>(call.saved);  // [L]
    if (is_bfloat16()) {
      backward_rows<uint16_t>(call, sizes, lse);
    } else {
      backward_rows<float>(call, sizes, lse);
    }
  }

 private:
  bool is_bfloat16() const { return is_same(shapes_.dtype, kBfloat16); }

  LossSizes check(const mortise_loss_call& call) const {
    const LossSizes sizes = check_loss_call(call, shapes_);
    check_on_cpu(*call.input, "input");
    check_labels(call, sizes);
    if (call.saved == nullptr && sizes.labelled > 0) {
      throw invalid_argument("saved is NULL, expected saved_bytes of the plan.");
    }
    return sizes;
  }

  template <class Number>
  double forward_rows(const mortise_loss_call& call, const LossSizes& sizes, double* lse) const {
    const auto* logits = elements<const Number>(*call.input);  // [N,V]
    const auto* rows = elements<const int32_t>(*call.rows);    // [L]
    const auto* labels = elements<const int32_t>(*call.labels);
    double loss = 0;
    for (int64_t l = 0; l < sizes.labelled; ++l) {
      const Number* z = logits + rows[l] * sizes.classes;  // [V]
      double max = -INFINITY;
      double sum = 0;
      for (int64_t v = 0; v < sizes.classes; ++v) max = std::max(max, load(z[v]));
      double exps = 0;
      for (int64_t v = 0; v < sizes.classes; ++v) {
        exps += std::exp(load(z[v]) - max);
        sum += load(z[v]);
      }
      lse[l] = max + std::log(exps);
      const double mean = sum / static_cast<double>(sizes.classes);
      loss += lse[l] - (1 - smoothing_) * load(z[labels[l]]) - smoothing_ * mean;
    }
    return loss;
  }

  template <class Number>
  void backward_rows(const mortise_loss_call& call, const LossSizes& sizes,
                     const double* lse) const {
    const auto* logits = elements<const Number>(*call.input);  // [N,V]
    auto* grad = elements<Number>(*call.grad_input);           // [N,V]
    const auto* rows = elements<const int32_t>(*call.rows);    // [L]
    const auto* labels = elements<const int32_t>(*call.labels);
    const auto all = static_cast<size_t>(sizes.rows * sizes.classes);
    if (all > 0) std::memset(grad, 0, all * sizeof(Number));
    const double share = smoothing_ / static_cast<double>(sizes.classes);
    for (int64_t l = 0; l < sizes.labelled; ++l) {
      const int64_t at = rows[l] * sizes.classes;
      for (int64_t v = 0; v < sizes.classes; ++v) {
        const double target = share + (v == labels[l] ? 1 - smoothing_ : 0);
        const double p = std::exp(load(logits[at + v]) - lse[l]);
        // Added, since one row may carry two labels.
        store(&grad[at + v], load(grad[at + v]) + call.grad_loss * (p - target));
      }
    }
  }

  mortise_loss_shapes shapes_;
  double smoothing_;
};

class SmoothedCrossEntropy : public Loss {
 public:
  explicit SmoothedCrossEntropy(Json config) : smoothing_(config.get("smoothing", 0.1)) {}

  std::unique_ptr<LossPlan> prepare(const mortise_loss_shapes& shapes,
                                    const mortise_device_ops* /*ops*/) override {
    if (!is_same(shapes.dtype, kFloat32) && !is_same(shapes.dtype, kBfloat16)) {
      throw unimplemented("Logits in " + dtype_name(shapes.dtype) +
                          ": this loss takes float32 and bfloat16.");
    }
    if (shapes.device.device_type != kDLCPU) {
      throw unimplemented("This loss works on host memory only.");
    }
    if (shapes.channels != 0) {
      throw unimplemented("channels is not 0: this loss is no mortise.loss.fused_linear/1.");
    }
    return std::make_unique<SmoothedPlan>(shapes, smoothing_);
  }

 private:
  double smoothing_;
};

}  // namespace

MORTISE_PLUGIN("com.example.smoothed_cross_entropy",
               {MORTISE_KIND_LOSS, loss_table<SmoothedCrossEntropy>()});
