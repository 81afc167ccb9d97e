// Reading, rounding and checking for the reference; see reference_call.h.
#include "conform/reference_call.h"

#include <cmath>
#include <cstring>

namespace mortise::conform {
namespace {

// Nearest multiple of 2^(exponent of value - bits), ties to even, for a type with `bits` bits after
// the leading one, smallest normal exponent `min_exponent` and largest finite value `max`.
double round_to(double value, int bits, int min_exponent, double max) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), min_exponent);
  const double step = std::ldexp(1.0, exponent - bits);
  const double nearest = std::nearbyint(value / step) * step;
  return std::fabs(nearest) > max ? std::copysign(HUGE_VAL, value) : nearest;
}

bool is(DLDataType type, DLDataTypeCode code, int bits) {
  return type.code == code && type.bits == bits && type.lanes == 1;
}

double half_to_double(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  const double sign = half >> 15 ? -1 : 1;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

// value was rounded to a half before.
uint16_t half_of(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7E00);
  if (std::isinf(value)) return static_cast<uint16_t>(sign | 0x7C00);
  const double size = std::fabs(value);
  if (size < std::ldexp(1.0, -14)) {
    return static_cast<uint16_t>(sign | static_cast<int>(std::ldexp(size, 24)));
  }
  const int exponent = std::ilogb(size);
  const int fraction = static_cast<int>(std::ldexp(size, 10 - exponent)) - 1024;
  return static_cast<uint16_t>(sign | ((exponent + 15) << 10) | fraction);
}

uint16_t bfloat_of(double value) {
  const auto narrow = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof(bits));
  if (std::isnan(value)) bits |= 0x00400000;
  return static_cast<uint16_t>(bits >> 16);
}

// The tensor with its first axis packed, for a check that minds everything else.
DLTensor without_row_stride(const DLTensor& tensor, std::vector<int64_t>& strides) {
  DLTensor copy = tensor;
  if (tensor.strides == nullptr || tensor.ndim < 1) return copy;
  strides.assign(tensor.strides, tensor.strides + tensor.ndim);
  strides[0] = 1;
  for (int32_t axis = 1; axis < tensor.ndim; ++axis) strides[0] *= tensor.shape[axis];
  copy.strides = strides.data();
  return copy;
}

}  // namespace

double rounded(double value, DLDataType type) {
  if (is(type, kDLFloat, 32)) return static_cast<double>(static_cast<float>(value));
  if (is(type, kDLBfloat, 16)) return round_to(value, 7, -126, 0x1.FEp127);
  if (is(type, kDLFloat, 16)) return round_to(value, 10, -14, 65504);
  return value;
}

double load_element(const void* data, int64_t i, DLDataType type) {
  if (is(type, kDLFloat, 32)) return static_cast<double>(static_cast<const float*>(data)[i]);
  if (is(type, kDLFloat, 64)) return static_cast<const double*>(data)[i];
  if (is(type, kDLInt, 32)) return static_cast<double>(static_cast<const int32_t*>(data)[i]);
  const uint16_t bits = static_cast<const uint16_t*>(data)[i];
  if (is(type, kDLFloat, 16)) return half_to_double(bits);
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return static_cast<double>(value);
}

void store_element(void* data, int64_t i, DLDataType type, double value) {
  const double nearest = rounded(value, type);
  if (is(type, kDLFloat, 32)) {
    static_cast<float*>(data)[i] = static_cast<float>(nearest);
  } else if (is(type, kDLFloat, 64)) {
    static_cast<double*>(data)[i] = nearest;
  } else {
    static_cast<uint16_t*>(data)[i] =
        is(type, kDLFloat, 16) ? half_of(nearest) : bfloat_of(nearest);
  }
}

Values::Values(const DLTensor* tensor, Begin begin) : tensor_(tensor) {
  if (begin == Begin::kUntouched) return;
  const int64_t count = sdk::element_count(*tensor);
  values_.assign(static_cast<size_t>(count), 0);
  if (begin == Begin::kZero || count == 0) return;
  const int64_t rows = tensor->ndim == 0 ? 1 : tensor->shape[0];
  const int64_t width = count / rows;
  const bool strided = tensor->strides != nullptr && tensor->ndim > 0;
  const char* base = static_cast<const char*>(tensor->data) + tensor->byte_offset;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t from = row * (strided && rows > 1 ? tensor->strides[0] : width);
    for (int64_t i = 0; i < width; ++i) {
      (*this)[row * width + i] = load_element(base, from + i, tensor->dtype);
    }
  }
}

void Values::store() const {
  if (tensor_ == nullptr) return;
  char* base = static_cast<char*>(tensor_->data) + tensor_->byte_offset;
  for (int64_t i = 0; i < count(); ++i) store_element(base, i, tensor_->dtype, (*this)[i]);
}

Launch::Launch(std::string_view op, DLDataType activation, DLDataType weight,
               const mortise_op_call& call, bool checks_only)
    : op_(op),
      activation_(activation),
      weight_(weight),
      wide_(is(activation, kDLFloat, 64) ? sdk::kFloat64 : sdk::kFloat32),
      call_(call),
      checks_only_(checks_only) {}

Values Launch::values(const DLTensor* tensor, Values::Begin begin) const {
  return Values(tensor, checks_only_ ? Values::Begin::kUntouched : begin);
}

void Launch::counts(uint32_t inputs, uint32_t outputs, uint32_t scalars) const {
  call_.check_counts(op_, inputs, outputs, scalars);
}

Values Launch::input(uint32_t i, std::string_view name, DLDataType type,
                     std::initializer_list<int64_t> shape) const {
  sdk::check_tensor(call_.input(i), name, type, shape);
  return values(call_.input(i), Values::Begin::kRead);
}

Values Launch::optional_input(uint32_t i, std::string_view name, DLDataType type,
                              std::initializer_list<int64_t> shape) const {
  return call_.input(i) == nullptr ? Values() : input(i, name, type, shape);
}

Values Launch::strided_input(uint32_t i, std::string_view name, DLDataType type,
                             std::initializer_list<int64_t> shape) const {
  const DLTensor* tensor = call_.input(i);
  std::vector<int64_t> strides;
  if (tensor == nullptr || tensor->shape == nullptr) {
    sdk::check_tensor(tensor, name, type, shape);
  }
  const DLTensor packed = without_row_stride(*tensor, strides);
  sdk::check_tensor(&packed, name, type, shape);
  return values(tensor, Values::Begin::kRead);
}

Values Launch::output(uint32_t i, std::string_view name, DLDataType type,
                      std::initializer_list<int64_t> shape) const {
  sdk::check_tensor(call_.output(i), name, type, shape);
  return values(call_.output(i), Values::Begin::kZero);
}

Values Launch::optional_output(uint32_t i, std::string_view name, DLDataType type,
                               std::initializer_list<int64_t> shape) const {
  return call_.output(i) == nullptr ? Values() : output(i, name, type, shape);
}

Values Launch::in_place(uint32_t i, std::string_view name, DLDataType type,
                        std::initializer_list<int64_t> shape) const {
  sdk::check_tensor(call_.output(i), name, type, shape);
  return values(call_.output(i), Values::Begin::kRead);
}

}  // namespace mortise::conform
