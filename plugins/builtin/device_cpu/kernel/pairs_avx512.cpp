// Products of bfloat16 pairs (vdpbf16ps). Compiled with the flags of AVX-512 BF16; nothing of the
// C++ library may be included here, for the reason that kernels_avx512.cpp gives.
#include <immintrin.h>
#include <stdint.h>

#include "device_cpu/kernel/pairs.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kWidth = 16;

inline __mmask16 below(int64_t n) {
  return static_cast<__mmask16>(n >= kWidth ? 0xFFFF : (1u << n) - 1);
}

// Why the pragmas: only loops that are unrolled early keep their sums in registers.
template <int kRows, int kVecs>
inline void product_tile(const PairProduct& p, const Unit* a, const Unit* b, float* c,
                         __mmask16 tail) {
  __m512 sum[kRows][kVecs];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v) {
      const __mmask16 mask = v + 1 < kVecs ? 0xFFFF : tail;
      const auto used = static_cast<__mmask16>(p.accumulate ? mask : 0);
      sum[r][v] = _mm512_maskz_loadu_ps(used, c + r * p.c_row + v * kWidth);
    }
  }
  for (int64_t l = 0; l < p.k; ++l) {
    __m512bh right[kVecs];
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v) {
      const __mmask16 mask = v + 1 < kVecs ? 0xFFFF : tail;
      right[v] = (__m512bh)_mm512_maskz_loadu_epi32(mask, b + l * p.b_row + v * kWidth);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const uint32_t unit = a[r * p.a_row + l * p.a_col];
      const auto left = (__m512bh)_mm512_set1_epi32(static_cast<int32_t>(unit));
#pragma GCC unroll 16
      for (int v = 0; v < kVecs; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, right[v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v) {
      const __mmask16 mask = v + 1 < kVecs ? 0xFFFF : tail;
      _mm512_mask_storeu_ps(c + r * p.c_row + v * kWidth, mask, sum[r][v]);
    }
  }
}

template <int kRows, int kVecs>
void product_columns(const PairProduct& p, int64_t column, __mmask16 tail) {
  const Unit* b = p.b + column;
  float* c = p.c + column;
  int64_t i = 0;
  for (; i + kRows <= p.m; i += kRows) {
    product_tile<kRows, kVecs>(p, p.a + i * p.a_row, b, c + i * p.c_row, tail);
  }
  for (; i + 4 <= p.m; i += 4) {
    product_tile<4, kVecs>(p, p.a + i * p.a_row, b, c + i * p.c_row, tail);
  }
  for (; i < p.m; ++i) product_tile<1, kVecs>(p, p.a + i * p.a_row, b, c + i * p.c_row, tail);
}

void product(const PairProduct& p) {
  for (int64_t j = 0; j < p.n; j += 4 * kWidth) {
    const int64_t left = p.n - j < 4 * kWidth ? p.n - j : 4 * kWidth;
    const int64_t vecs = (left + kWidth - 1) / kWidth;
    const __mmask16 tail = below(left - (vecs - 1) * kWidth);
    if (vecs == 1) product_columns<14, 1>(p, j, tail);
    if (vecs == 2) product_columns<12, 2>(p, j, tail);
    if (vecs == 3) product_columns<8, 3>(p, j, tail);
    if (vecs == 4) product_columns<6, 4>(p, j, tail);
  }
}

void transpose(const Unit* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to,
               int64_t to_row) {
  const __m512i steps =
      _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                         _mm512_set1_epi32(static_cast<int32_t>(from_row)));
  for (int64_t i = 0; i < rows; i += kWidth) {
    const __mmask16 mask = below(rows - i);
    for (int64_t j = 0; j < cols; ++j) {
      const __m512i column = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask, steps,
                                                         from + i * from_row + j, 4);
      _mm512_mask_storeu_epi32(to + j * to_row + i, mask, column);
    }
  }
}

inline __m512i paired(__m256i first, __m256i second) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(first),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
}

void pair_rows(const uint16_t* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to) {
  for (int64_t i = 0; i < rows; i += 2) {
    const uint16_t* row = from + i * from_row;
    const bool is_pair = i + 1 < rows;
    for (int64_t j = 0; j < cols; j += kWidth) {
      const __mmask16 mask = below(cols - j);
      const __m256i first = _mm256_maskz_loadu_epi16(mask, row + j);
      const __m256i second = _mm256_maskz_loadu_epi16(is_pair ? mask : 0, row + from_row + j);
      _mm512_mask_storeu_epi32(to + i / 2 * cols + j, mask, paired(first, second));
    }
  }
}

inline __m256i rounded(const float* from, __mmask16 mask) {
  return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from));
}

void round_pair_rows(const float* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to,
                     int64_t to_row) {
  for (int64_t i = 0; i < rows; i += 2) {
    const float* row = from + i * from_row;
    const bool is_pair = i + 1 < rows;
    for (int64_t j = 0; j < cols; j += kWidth) {
      const __mmask16 mask = below(cols - j);
      const __m256i second = rounded(row + from_row + j, is_pair ? mask : 0);
      _mm512_mask_storeu_epi32(to + i / 2 * to_row + j, mask,
                               paired(rounded(row + j, mask), second));
    }
  }
}

void round_pair_cols(const float* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to,
                     int64_t to_row) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; j += kWidth) {
      // An odd last column is followed by the zero that the mask leaves.
      const int64_t count = cols - j < kWidth ? (cols - j + 1) / 2 * 2 : kWidth;
      const __m256i values = rounded(from + i * from_row + j, below(cols - j));
      _mm256_mask_storeu_epi16(to + i * to_row + j / 2, below(count), values);
    }
  }
}

}  // namespace

const PairKernels kAvx512PairKernels = {product, transpose, pair_rows, round_pair_rows,
                                        round_pair_cols};

}  // namespace mortise::device_cpu
