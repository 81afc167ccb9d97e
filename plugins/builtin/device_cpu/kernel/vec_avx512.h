// Sixteen floats in AVX-512 (F, BW, DQ, VL). Included by kernels_avx512.cpp only.
#pragma once

#include <immintrin.h>
#include <stdint.h>

struct Vec {
  static constexpr int64_t kWidth = 16;
  __m512 v;

  static Vec all(float x) { return {_mm512_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vec load(const uint16_t* p) {
    return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(uint16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed()); }
  // The first n elements, 0 <= n <= 16; the others read as 0 and are not written.
  static Vec load(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(below(n), p)}; }
  static Vec load(const uint16_t* p, int64_t n) {
    return widened(_mm256_maskz_loadu_epi16(below(n), p));
  }
  void store(float* p, int64_t n) const { _mm512_mask_storeu_ps(p, below(n), v); }
  void store(uint16_t* p, int64_t n) const { _mm256_mask_storeu_epi16(p, below(n), narrowed()); }
  // The nearest bfloat16, as float.
  Vec to_bfloat16() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    const __m512 nearest = _mm512_castsi512_ps(_mm512_and_si512(up, _mm512_set1_epi32(~0xFFFF)));
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), nearest, v)};
  }

  friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
  static Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
  static Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
  Vec root() const { return {_mm512_sqrt_ps(v)}; }
  Vec nearest() const {
    return {_mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  Vec size() const { return {_mm512_abs_ps(v)}; }
  // 2^v for whole v in -126 .. 127
  Vec power_of_two() const {
    const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(127));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(whole, 23))};
  }
  // a where x < y, else b
  static Vec choose_less(Vec x, Vec y, Vec a, Vec b) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(x.v, y.v, _CMP_LT_OQ), b.v, a.v)};
  }
  // value where first <= index of the element < end, else other
  static Vec choose_range(Vec value, Vec other, int64_t first, int64_t end) {
    const auto inside = static_cast<__mmask16>(below(end) & ~below(first));
    return {_mm512_mask_blend_ps(inside, other.v, value.v)};
  }
  float total() const { return _mm512_reduce_add_ps(v); }
  float largest() const { return _mm512_reduce_max_ps(v); }

 private:
  static __mmask16 below(int64_t n) {
    return static_cast<__mmask16>(n <= 0 ? 0 : n >= 16 ? 0xFFFF : (1u << n) - 1);
  }
  static Vec widened(__m256i half) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
  }
  __m256i narrowed() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i bias = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF));
    const __m512i number = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
    const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(is_nan, number, quiet));
  }
};
