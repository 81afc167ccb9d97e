// Checks of a launch; see args.h.
#include "device_cpu/args.h"

namespace mortise::device_cpu {

const DLTensor& Args::checked(const DLTensor* tensor, std::string_view name, DLDataType type,
                              std::initializer_list<int64_t> shape) const {
  try {
    sdk::check_tensor(tensor, name, type, shape);
    sdk::check_on_cpu(*tensor, name);
  } catch (const sdk::Failure& failure) {
    sdk::Failure with_op = failure;
    with_op.message = prefix() + failure.message;
    throw with_op;
  }
  return *tensor;
}

const DLTensor& Args::strided_in(uint32_t i, std::string_view name, DLDataType type,
                                 std::initializer_list<int64_t> shape, int64_t& row_stride) const {
  const DLTensor* tensor = call_.input(i);
  constexpr int32_t kMostAxes = 4;
  if (tensor == nullptr || tensor->strides == nullptr || tensor->ndim < 1 ||
      tensor->ndim > kMostAxes) {
    const DLTensor& plain = checked(tensor, name, type, shape);
    row_stride = plain.shape[0] > 0 ? sdk::element_count(plain) / plain.shape[0] : 0;
    return plain;
  }
  int64_t packed[kMostAxes];
  std::copy_n(tensor->strides, tensor->ndim, packed);
  packed[0] = 1;
  for (int32_t axis = 1; axis < tensor->ndim; ++axis) packed[0] *= tensor->shape[axis];
  DLTensor copy = *tensor;
  copy.strides = packed;
  checked(&copy, name, type, shape);
  row_stride = tensor->strides[0];
  return *tensor;
}

void Args::check_range(const DLTensor& values, std::string_view name, int64_t end) const {
  const auto* data = sdk::elements<const int32_t>(values);
  for (int64_t i = 0; i < values.shape[0]; ++i) {
    if (data[i] >= 0 && data[i] < end) continue;
    throw sdk::invalid_argument(prefix() + std::string(name) + "[" + std::to_string(i) + "] is " +
                                std::to_string(data[i]) + ", expected 0 .. " +
                                std::to_string(end - 1) + ".")
        .at("", i + 1, -1, name);
  }
}

void Args::check_bounds(const DLTensor& bounds, std::string_view name, int64_t end) const {
  const auto* data = sdk::elements<const int32_t>(bounds);
  if (bounds.shape[0] < 1) {
    throw sdk::invalid_argument(prefix() + "tensor \"" + std::string(name) +
                                "\" is empty, expected at least the bound 0.");
  }
  for (int64_t s = 0; s < bounds.shape[0]; ++s) {
    if (data[s] >= (s == 0 ? 0 : data[s - 1]) && data[s] <= end) continue;
    throw sdk::invalid_argument(prefix() + std::string(name) + "[" + std::to_string(s) + "] is " +
                                std::to_string(data[s]) + "; bounds must rise from 0 to at most " +
                                std::to_string(end) + ".")
        .at("", s + 1, -1, name);
  }
}

}  // namespace mortise::device_cpu
