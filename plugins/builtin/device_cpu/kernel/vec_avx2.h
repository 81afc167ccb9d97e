// Eight floats in AVX2 with FMA. Included by kernels_avx2.cpp only.
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

struct Vec {
  static constexpr int64_t kWidth = 8;
  __m256 v;

  static Vec all(float x) { return {_mm256_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Vec load(const uint16_t* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))};
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store(uint16_t* p) const {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF));
    const __m256i number = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i wide = _mm256_blendv_epi8(number, quiet, is_nan);
    const __m128i packed =
        _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
  }
  // The first n elements, 0 <= n <= 8; the others read as 0 and are not written.
  template <class T>
  static Vec load(const T* p, int64_t n) {
    if (n >= kWidth) return load(p);
    T copy[kWidth] = {};
    if (n > 0) memcpy(copy, p, static_cast<uint64_t>(n) * sizeof(T));
    return load(copy);
  }
  template <class T>
  void store(T* p, int64_t n) const {
    if (n >= kWidth) return store(p);
    T copy[kWidth];
    store(copy);
    if (n > 0) memcpy(p, copy, static_cast<uint64_t>(n) * sizeof(T));
  }
  // The nearest bfloat16, as float.
  Vec to_bfloat16() const {
    uint16_t bits[kWidth];
    store(bits);
    return load(bits);
  }

  friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
  static Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
  static Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
  Vec root() const { return {_mm256_sqrt_ps(v)}; }
  Vec nearest() const {
    return {_mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  Vec size() const { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), v)}; }
  // 2^v for whole v in -126 .. 127
  Vec power_of_two() const {
    const __m256i whole = _mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(whole, 23))};
  }
  // a where x < y, else b
  static Vec choose_less(Vec x, Vec y, Vec a, Vec b) {
    return {_mm256_blendv_ps(b.v, a.v, _mm256_cmp_ps(x.v, y.v, _CMP_LT_OQ))};
  }
  // value where first <= index of the element < end, else other
  static Vec choose_range(Vec value, Vec other, int64_t first, int64_t end) {
    const auto clamp = [](int64_t x) {
      return static_cast<int32_t>(x < 0 ? 0 : x > kWidth ? kWidth : x);
    };
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i low = _mm256_cmpgt_epi32(_mm256_set1_epi32(clamp(first)), index);
    const __m256i high = _mm256_cmpgt_epi32(_mm256_set1_epi32(clamp(end)), index);
    const __m256i inside = _mm256_andnot_si256(low, high);
    return {_mm256_blendv_ps(other.v, value.v, _mm256_castsi256_ps(inside))};
  }
  float total() const {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
  float largest() const {
    const __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
};
