// linear_cross_entropy and its gradient, as device_op_list.h defines them. saved: lse, float32 [L].
#include <mortise/cpp/device_ops.hpp>

#include "number.h"
#include "plans.h"

namespace mortise::loss_cross_entropy {
namespace {

bool is_done_by(const mortise_device_ops& ops, const char* op, const mortise_loss_shapes& shapes) {
  mortise_op_query query{};
  query.struct_size = sizeof(query);
  query.op = sdk::text(op);
  query.activation = shapes.dtype;
  query.weight = shapes.dtype;
  query.device_id = shapes.device.device_id;
  uint32_t answer = MORTISE_OP_UNSUPPORTED;
  sdk::ErrorCollector error;
  error.check(ops.query(&query, &answer, error.raw()), std::string("asking for ") + op);
  return answer != MORTISE_OP_UNSUPPORTED;
}

class DevicePlan : public sdk::LossPlan {
 public:
  DevicePlan(const mortise_loss_shapes& shapes, const mortise_device_ops& ops)
      : shapes_(shapes),
        forward_(ops, MORTISE_OP_LINEAR_CROSS_ENTROPY, shapes.dtype, shapes.dtype,
                 shapes.device.device_id),
        backward_(ops, MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD, shapes.dtype, shapes.dtype,
                  shapes.device.device_id) {}

  sdk::LossNeeds needs() const override {
    return {/*is_deterministic=*/false, 0, shapes_.labelled_max * sizeof(float)};
  }

  void forward(const mortise_loss_call& call) override {
    const sdk::LossSizes sizes = check(call);
    sdk::check_tensor(call.loss, "loss", sdk::kFloat32, {1});
    const sdk::TensorView lse(call.saved, sdk::kFloat32, {sizes.labelled}, shapes_.device);
    forward_.launch({call.input, call.weight, call.rows, call.labels}, {call.loss, lse.get()}, {},
                    call.stream);
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
    const sdk::TensorView lse(call.saved, sdk::kFloat32, {sizes.labelled}, shapes_.device);
    backward_.launch({call.input, call.weight, call.rows, call.labels, lse.get()},
                     {call.grad_input, call.grad_weight}, {call.grad_loss}, call.stream);
  }

 private:
  // Labels on another device are checked by its operation.
  sdk::LossSizes check(const mortise_loss_call& call) const {
    if (shapes_.device.device_type == kDLCPU) return check_host_call(call, shapes_);
    return sdk::check_loss_call(call, shapes_);
  }

  mortise_loss_shapes shapes_;
  sdk::PreparedOp forward_;
  sdk::PreparedOp backward_;
};

}  // namespace

std::unique_ptr<sdk::LossPlan> make_device_plan(const mortise_loss_shapes& shapes,
                                                const mortise_device_ops* ops) {
  const bool has_query = MORTISE_HAS(ops, mortise_device_ops, query);
  if (!has_query || !is_done_by(*ops, MORTISE_OP_LINEAR_CROSS_ENTROPY, shapes) ||
      !is_done_by(*ops, MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD, shapes)) {
    return nullptr;
  }
  return std::make_unique<DevicePlan>(shapes, *ops);
}

}  // namespace mortise::loss_cross_entropy
