// Casts between float32 and bfloat16 on the kernels, and with float16 and float64 one by one.
#include <algorithm>
#include <cmath>

#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

bool is_half(DLDataType type) {
  return type.code == kDLFloat && type.bits == 16 && type.lanes == 1;
}
bool is_double(DLDataType type) {
  return sdk::is_same(type, sdk::kFloat64);
}
bool is_float(DLDataType type) {
  return sdk::is_same(type, sdk::kFloat32) || sdk::is_same(type, sdk::kBfloat16) || is_half(type) ||
         is_double(type);
}

double half_to_double(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  double size = std::ldexp(exponent == 0 ? fraction : 1024 + fraction, std::max(exponent, 1) - 25);
  if (exponent == 31) size = fraction == 0 ? HUGE_VAL : std::nan("");
  return half >> 15 ? -size : size;
}

// Ties to even; what is too large becomes infinite.
uint16_t double_to_half(double value) {
  const auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double size = std::fabs(value);
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7E00);
  if (size == 0) return sign;
  const int exponent = std::max(std::ilogb(size), -14);
  if (exponent > 15) return static_cast<uint16_t>(sign | 0x7C00);
  // In steps of the last place; 2048 of them carry into the exponent, as the sum below does.
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  return static_cast<uint16_t>(sign + ((exponent + 14) << 10) + steps);
}

// Rounds once: to odd in float32 first would be needed for an exact tie, so bits are added here.
uint16_t double_to_bfloat16(double value) {
  if (value == 0 || !std::isfinite(value)) {
    return sdk::float_to_bfloat16(static_cast<float>(value));
  }
  const int exponent = std::max(std::ilogb(value), -126);
  const double step = std::ldexp(1.0, exponent - 7);
  return sdk::float_to_bfloat16(static_cast<float>(std::nearbyint(value / step) * step));
}

double load(const void* data, int64_t i, DLDataType type) {
  if (is_double(type)) return static_cast<const double*>(data)[i];
  if (is_half(type)) return half_to_double(static_cast<const uint16_t*>(data)[i]);
  if (sdk::is_same(type, sdk::kFloat32)) {
    return static_cast<double>(static_cast<const float*>(data)[i]);
  }
  return static_cast<double>(sdk::bfloat16_to_float(static_cast<const uint16_t*>(data)[i]));
}

void store(void* data, int64_t i, DLDataType type, double value) {
  if (is_double(type)) {
    static_cast<double*>(data)[i] = value;
  } else if (sdk::is_same(type, sdk::kFloat32)) {
    static_cast<float*>(data)[i] = static_cast<float>(value);
  } else {
    static_cast<uint16_t*>(data)[i] =
        is_half(type) ? double_to_half(value) : double_to_bfloat16(value);
  }
}

DLDataType float_type_of(const DLTensor* tensor) {
  return tensor != nullptr && is_float(tensor->dtype) ? tensor->dtype : sdk::kFloat32;
}

}  // namespace

void cast(const Args& args) {
  args.counts(1, 1, 0);
  const DLDataType from = float_type_of(args.raw_in(0)), to = float_type_of(args.raw_out(0));
  const DLTensor& x = args.in(0, "x", from, {-1});
  const int64_t count = x.shape[0];
  const void* source = Args::memory(x);
  void* target = Args::memory(args.out(0, "y", to, {count}));
  constexpr int64_t kElements = 16384;
  for_each_piece(pieces_of(count, kElements), [&](int64_t piece) {
    const int64_t first = piece * kElements, some = std::min(kElements, count - first);
    if (sdk::is_same(from, sdk::kFloat32) && sdk::is_same(to, sdk::kBfloat16)) {
      const auto* wide = static_cast<const float*>(source) + first;
      kernels().narrow(Type::kBfloat16, wide, at(target, first, Type::kBfloat16), some);
    } else if (sdk::is_same(from, sdk::kBfloat16) && sdk::is_same(to, sdk::kFloat32)) {
      kernels().widen(Type::kBfloat16, at(source, first, Type::kBfloat16),
                      static_cast<float*>(target) + first, some);
    } else {
      for (int64_t i = first; i < first + some; ++i) store(target, i, to, load(source, i, from));
    }
  });
}

}  // namespace mortise::device_cpu
