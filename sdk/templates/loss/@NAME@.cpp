// @ID@: cross entropy on float32 logits in host memory.
//
// The host calls it through mortise.loss/1 (draft). Replace what is marked. Letters: N rows, L
// labelled rows, V classes. loss = sum over l of lse - z[y]; dloss/dz = softmax(z) - onehot(y).
#include <mortise/cpp/loss.hpp>
#include <mortise/cpp/plugin.hpp>

#include <algorithm>
#include <cmath>

namespace {

using namespace mortise::sdk;

class @CLASS@Plan : public LossPlan {
 public:
  explicit @CLASS@Plan(const mortise_loss_shapes& shapes) : shapes_(shapes) {}

  LossNeeds needs() const override {
    return {/*is_deterministic=*/true, /*workspace_bytes=*/0,
            /*saved_bytes=*/shapes_.labelled_max * sizeof(double)};
  }

  // Replace: the value, a sum over the labelled rows; keep for backward what it needs.
  void forward(const mortise_loss_call& call) override {
    const LossSizes sizes = check(call);
    check_tensor(call.loss, "loss", kFloat32, {1});
    auto* lse = static_cast<double*>(call.saved);  // [L]
    double loss = 0;
    for (int64_t l = 0; l < sizes.labelled; ++l) {
      const float* z = logits(call, sizes, l);  // [V]
      const double max = static_cast<double>(*std::max_element(z, z + sizes.classes));
      double exps = 0;
      for (int64_t v = 0; v < sizes.classes; ++v) exps += std::exp(static_cast<double>(z[v]) - max);
      lse[l] = max + std::log(exps);
      loss += lse[l] - static_cast<double>(z[elements<int32_t>(*call.labels)[l]]);
    }
    *elements<float>(*call.loss) = static_cast<float>(loss);
  }

  // Replace: the gradient; rows without a label become 0.
  void backward(const mortise_loss_call& call) override {
    const LossSizes sizes = check(call);
    check_tensor(call.grad_input, "grad_input", kFloat32, {sizes.rows, sizes.classes});
    const auto* lse = static_cast<const double*>(call.saved);  // [L]
    auto* grad = elements<float>(*call.grad_input);            // [N,V]
    std::fill(grad, grad + sizes.rows * sizes.classes, 0.0F);
    for (int64_t l = 0; l < sizes.labelled; ++l) {
      const float* z = logits(call, sizes, l);
      float* row = grad + elements<int32_t>(*call.rows)[l] * sizes.classes;
      for (int64_t v = 0; v < sizes.classes; ++v) {
        const double target = v == elements<int32_t>(*call.labels)[l] ? 1 : 0;
        const double p = std::exp(static_cast<double>(z[v]) - lse[l]);
        row[v] += static_cast<float>(call.grad_loss * (p - target));
      }
    }
  }

 private:
  LossSizes check(const mortise_loss_call& call) const {
    const LossSizes sizes = check_loss_call(call, shapes_);
    check_on_cpu(*call.input, "input");
    check_labels(call, sizes);
    return sizes;
  }
  static const float* logits(const mortise_loss_call& call, const LossSizes& sizes, int64_t l) {
    return elements<const float>(*call.input) + elements<int32_t>(*call.rows)[l] * sizes.classes;
  }

  mortise_loss_shapes shapes_;
};

class @CLASS@ : public Loss {
 public:
  explicit @CLASS@(Json /*config*/) {}

  // Replace: refuse here, by name, what you cannot serve.
  std::unique_ptr<LossPlan> prepare(const mortise_loss_shapes& shapes,
                                    const mortise_device_ops* /*ops*/) override {
    if (!is_same(shapes.dtype, kFloat32)) {
      throw unimplemented("Logits in " + dtype_name(shapes.dtype) + ": this loss takes float32.");
    }
    if (shapes.device.device_type != kDLCPU || shapes.channels != 0) {
      throw unimplemented("This loss takes logits in host memory only.");
    }
    return std::make_unique<@CLASS@Plan>(shapes);
  }
};

}  // namespace

MORTISE_PLUGIN("@ID@", {MORTISE_KIND_LOSS, loss_table<@CLASS@>()});
