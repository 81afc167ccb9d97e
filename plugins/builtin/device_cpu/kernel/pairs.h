// Products of bfloat16 pairs, for processors with AVX-512 BF16: attention's tiles at twice the rate
// of float32. Called by the two attention operations; absent elsewhere, and then they use float32.
//
// A unit is two bfloat16 that are multiplied and summed together: (2l, 2l+1) of the inner axis. So
// rows of a compact bfloat16 matrix are already rows of units along their last axis.
#pragma once

#include <cstdint>

#include "device_cpu/kernel/kernels.h"

namespace mortise::device_cpu {

// Two bfloat16 anywhere in memory that is even.
typedef uint32_t __attribute__((aligned(2), may_alias)) Unit;

// c [m, n] = (or +=) a [m, 2k] times b [2k, n]; unit (i, l) of a lies at a[i * a_row + l * a_col],
// unit (l, j) of b at b[l * b_row + j].
struct PairProduct {
  int64_t m, n, k;
  const Unit* a;
  int64_t a_row, a_col;
  const Unit* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  bool accumulate;
};

struct PairKernels {
  void (*product)(const PairProduct& p);
  // Units from [rows, cols] to [cols, rows].
  void (*transpose)(const Unit* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to,
                    int64_t to_row);
  // bfloat16 [rows, cols], rows from_row apart, to units [ceil(rows / 2), cols] along the rows; an
  // odd last row is paired with zeros.
  void (*pair_rows)(const uint16_t* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to);
  // The same from float32, rounded.
  void (*round_pair_rows)(const float* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to,
                          int64_t to_row);
  // float32 [rows, cols] to units [rows, ceil(cols / 2)] along the columns.
  void (*round_pair_cols)(const float* from, int64_t from_row, int64_t rows, int64_t cols, Unit* to,
                          int64_t to_row);
};

extern const PairKernels kAvx512PairKernels;

// NULL unless the processor has AVX-512 BF16 and kernels() is the AVX-512 variant. [any]
const PairKernels* pair_kernels();

}  // namespace mortise::device_cpu
