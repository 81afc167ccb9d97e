// Dense products for every operation that has one: cut into tiles, each given in float32 to a sink
// that finishes it (bias, LoRA, rounding, statistics), so that no product is stored twice.
//
// oneDNN multiplies (dense_onednn.cpp is its door); products too small for it, or with few rows,
// run on own kernels. Tiles are cut by shape alone and each is summed by one thread, so a result
// does not depend on the number of threads. Weights are packed anew in each call, a slice at a
// time: that costs about 1 % of a training step and needs no cache that could go stale.
#pragma once

#include <functional>

#include "device_cpu/scratch.h"

namespace mortise::device_cpu {

// Row-major, `row` elements between rows.
struct Matrix {
  const void* data;
  int64_t row;
  Type type;
};

// a [m, k] times b, which is [n, k] (b_is_transposed, as weights are stored) or [k, n]. Types may
// differ; a product of two bfloat16 matrices is multiplied in bfloat16 and summed in float32.
struct Dense {
  int64_t m, n, k;
  Matrix a, b;
  bool b_is_transposed;
};

// Rows row .. row+rows-1, columns col .. col+cols-1 of the product; the sink may change values.
struct Tile {
  int64_t row, col, rows, cols;
  float* values;
  int64_t values_row;
};
using TileSink = std::function<void(const Tile&)>;

// Gives every element of the product to the sink once. sink is called from several threads, on
// different tiles. Throws RESOURCE_EXHAUSTED.
void dense_product(const Dense& dense, const TileSink& sink);

// All tiles of this product start at a multiple of so many columns.
int64_t tile_cols(const Dense& dense);

// [rows, cols] -> [cols, rows]; both with their own distance of rows.
void transpose(Type type, const void* from, int64_t from_row, int64_t rows, int64_t cols, void* to,
               int64_t to_row);

}  // namespace mortise::device_cpu
