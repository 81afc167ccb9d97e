// A vector of one float: the portable twin. Included by kernels_scalar.cpp only.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

struct Vec {
  static constexpr int64_t kWidth = 1;
  float v;

  static Vec all(float x) { return {x}; }
  static Vec load(const float* p) { return {*p}; }
  static Vec load(const uint16_t* p) {
    const uint32_t bits = static_cast<uint32_t>(*p) << 16;
    Vec out;
    memcpy(&out.v, &bits, sizeof(bits));
    return out;
  }
  void store(float* p) const { *p = v; }
  void store(uint16_t* p) const {
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    const bool is_nan = (bits & 0x7FFFFFFF) > 0x7F800000;
    *p = static_cast<uint16_t>(is_nan ? (bits >> 16 | 0x40)
                                      : ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
  }
  // The first n elements; the others read as 0 and are not written. Here n is 1 or 0.
  template <class T>
  static Vec load(const T* p, int64_t n) {
    return n > 0 ? load(p) : all(0);
  }
  template <class T>
  void store(T* p, int64_t n) const {
    if (n > 0) store(p);
  }
  // The nearest bfloat16, as float.
  Vec to_bfloat16() const {
    uint16_t bits;
    store(&bits);
    return load(&bits);
  }

  friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
  friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
  friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
  friend Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
  // a b + c
  static Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
  static Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
  static Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
  Vec root() const { return {sqrtf(v)}; }
  Vec nearest() const { return {nearbyintf(v)}; }
  Vec size() const { return {fabsf(v)}; }
  // 2^v for a whole v in -126 .. 127
  Vec power_of_two() const {
    const int32_t bits = (static_cast<int32_t>(v) + 127) << 23;
    Vec out;
    memcpy(&out.v, &bits, sizeof(bits));
    return out;
  }
  // a where x < y, else b
  static Vec choose_less(Vec x, Vec y, Vec a, Vec b) { return x.v < y.v ? a : b; }
  // value where first <= index of the element < end, else other
  static Vec choose_range(Vec value, Vec other, int64_t first, int64_t end) {
    return first <= 0 && end > 0 ? value : other;
  }
  float total() const { return v; }
  float largest() const { return v; }
};
