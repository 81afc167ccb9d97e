// What every plan in host memory asks of its call.
#include <mortise/cpp/services.hpp>

#include "number.h"
#include "plans.h"

namespace mortise::loss_cross_entropy {

void check_host_shapes(const mortise_loss_shapes& shapes) {
  if (!is_served(shapes.dtype)) {
    throw sdk::unimplemented("Inputs in " + sdk::dtype_name(shapes.dtype) +
                             ": this loss takes float32, bfloat16 and float64.");
  }
  if (shapes.device.device_type != kDLCPU) {
    throw sdk::unimplemented("Device type " +
                             std::to_string(static_cast<int>(shapes.device.device_type)) +
                             " gives no operation for this loss, and its memory cannot be read "
                             "from here.");
  }
}

sdk::LossSizes check_host_call(const mortise_loss_call& call, const mortise_loss_shapes& shapes) {
  const sdk::LossSizes sizes = sdk::check_loss_call(call, shapes);
  sdk::check_on_cpu(*call.input, "input");
  sdk::check_labels(call, sizes);
  if (call.saved == nullptr && sizes.labelled > 0) {
    throw sdk::invalid_argument("saved is NULL, expected saved_bytes of the plan.");
  }
  if (call.workspace == nullptr && sizes.labelled > 0 && sizes.channels == 0) {
    throw sdk::invalid_argument("workspace is NULL, expected workspace_bytes of the plan.");
  }
  return sizes;
}

bool rows_rise(const int32_t* rows, int64_t count) {
  for (int64_t l = 1; l < count; ++l) {
    if (rows[l] <= rows[l - 1]) return false;
  }
  return true;
}

void write_loss(const mortise_loss_call& call, const mortise_loss_shapes& shapes,
                const double* row_losses, int64_t count) {
  double sum = 0;
  for (int64_t l = 0; l < count; ++l) sum += row_losses[l];
  const bool is_wide = sdk::is_same(shapes.dtype, sdk::kFloat64) && call.loss != nullptr &&
                       sdk::is_same(call.loss->dtype, sdk::kFloat64);
  sdk::check_tensor(call.loss, "loss", is_wide ? sdk::kFloat64 : sdk::kFloat32, {1});
  if (is_wide) {
    *sdk::elements<double>(*call.loss) = sum;
  } else {
    *sdk::elements<float>(*call.loss) = static_cast<float>(sum);
  }
}

}  // namespace mortise::loss_cross_entropy
