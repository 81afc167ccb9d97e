// The types of activations, read and written as double.
//
// Used by logits_plan.cpp and fused_plan.cpp, whose templates run over float, double and bfloat16
// (held as uint16_t). Knows no tensor.
#pragma once

#include <mortise/cpp/dlpack.hpp>

namespace mortise::loss_cross_entropy {

inline double load(float value) {
  return static_cast<double>(value);
}
inline double load(double value) {
  return value;
}
inline double load(uint16_t value) {
  return static_cast<double>(sdk::bfloat16_to_float(value));
}

inline void store(float* to, double value) {
  *to = static_cast<float>(value);
}
inline void store(double* to, double value) {
  *to = value;
}
inline void store(uint16_t* to, double value) {
  *to = sdk::float_to_bfloat16(static_cast<float>(value));
}

// The value as the type holds it.
template <class Number>
double rounded(double value) {
  Number held;
  store(&held, value);
  return load(held);
}

// Calls body with a value of the C++ type of dtype, which must be one of the three.
template <class Body>
void with_number(DLDataType dtype, Body&& body) {
  if (sdk::is_same(dtype, sdk::kFloat32)) return body(float{});
  if (sdk::is_same(dtype, sdk::kFloat64)) return body(double{});
  return body(uint16_t{});
}

inline bool is_served(DLDataType dtype) {
  return sdk::is_same(dtype, sdk::kFloat32) || sdk::is_same(dtype, sdk::kFloat64) ||
         sdk::is_same(dtype, sdk::kBfloat16);
}

}  // namespace mortise::loss_cross_entropy
