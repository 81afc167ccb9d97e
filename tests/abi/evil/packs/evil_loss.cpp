// Smoothed cross entropy (plugins/examples/loss_cpp) with one fault. See evil.h.
#include <mortise/draft/loss.h>

#include <cstring>

#include "evil.h"

namespace evil {
namespace {

const mortise_loss* good = nullptr;
mortise_loss bad;
uint64_t planned_rows = 0;

float* numbers(const DLTensor* tensor) {
  return reinterpret_cast<float*>(static_cast<char*>(tensor->data) + tensor->byte_offset);
}

mortise_status prepare(mortise_loss_instance* instance, const mortise_loss_shapes* shapes,
                       const mortise_device_ops* ops, mortise_loss_plan** out_plan,
                       mortise_loss_needs* out_needs, mortise_error* error) {
  planned_rows = shapes->rows_max;
  return good->prepare(instance, shapes, ops, out_plan, out_needs, error);
}

mortise_status forward(mortise_loss_plan* plan, const mortise_loss_call* call,
                       mortise_error* error) {
  if (is("trusts_tensors") && call->labels == nullptr) return MORTISE_STATUS_OK;
  if (is("wants_full_size") && static_cast<uint64_t>(call->input->shape[0]) != planned_rows) {
    return refuse(error, MORTISE_STATUS_INVALID_ARGUMENT, "There are fewer rows than planned.");
  }
  const mortise_status status = good->forward(plan, call, error);
  if (is("trusts_labels")) return MORTISE_STATUS_OK;
  if (is("counts_without_labels") && call->labels->shape[0] == 0) *numbers(call->loss) = 1;
  if (is("writes_beside_its_loss")) numbers(call->loss)[1] = 1;
  return status;
}

mortise_status backward(mortise_loss_plan* plan, const mortise_loss_call* call,
                        mortise_error* error) {
  mortise_loss_call changed = *call;
  if (is("ignores_grad_loss")) changed.grad_loss = 1;
  const mortise_status status = good->backward(plan, &changed, error);
  const int64_t width = call->grad_input->shape[1];
  if (is("wrong_gradient")) {
    for (int64_t i = 0; i < call->grad_input->shape[0] * width; ++i) {
      numbers(call->grad_input)[i] *= 1.1f;
    }
  }
  if (is("marks_other_rows")) numbers(call->grad_input)[width] = 1e-30f;
  return status;
}

}  // namespace

const void* find_interface(std::string_view id) {
  if (id != MORTISE_KIND_LOSS) return nullptr;
  if (good == nullptr) {
    good = healthy<mortise_loss>(id);
    bad = *good;
    bad.prepare = &prepare;
    bad.forward = &forward;
    bad.backward = &backward;
  }
  return &bad;
}

}  // namespace evil
