// Products in float32: the register tile, its edges, and the fused last step of a dense product.
// Part of kernels_*.cpp, over the Vec that was included before.
#pragma once

// Why the pragmas: only loops that are unrolled early keep their sums in registers.
// c [kRows, kVecs * width] for k steps; the last vector holds `tail` columns.
template <int kRows, int kVecs>
inline void product_tile(const Product& p, const float* a, const float* b, float* c, int64_t tail) {
  Vec sum[kRows][kVecs];
  constexpr int64_t w = Vec::kWidth;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v) {
      const float* at = c + r * p.c_row + v * w;
      sum[r][v] = !p.accumulate ? Vec::all(0) : v + 1 < kVecs ? Vec::load(at) : Vec::load(at, tail);
    }
  }
  for (int64_t l = 0; l < p.k; ++l) {
    Vec right[kVecs];
#pragma GCC unroll 16
    for (int v = 0; v + 1 < kVecs; ++v) right[v] = Vec::load(b + l * p.b_row + v * w);
    right[kVecs - 1] = Vec::load(b + l * p.b_row + (kVecs - 1) * w, tail);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vec left = Vec::all(a[r * p.a_row + l * p.a_col]);
#pragma GCC unroll 16
      for (int v = 0; v < kVecs; ++v) sum[r][v] = Vec::fma(left, right[v], sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v) {
      sum[r][v].store(c + r * p.c_row + v * w, v + 1 < kVecs ? w : tail);
    }
  }
}

// All rows of the columns that kVecs vectors cover, kRows at a time, then 4, 2 and 1.
template <int kRows, int kVecs>
void product_columns(const Product& p, int64_t column, int64_t tail) {
  const float* b = p.b + column;
  float* c = p.c + column;
  int64_t i = 0;
  for (; i + kRows <= p.m; i += kRows) {
    product_tile<kRows, kVecs>(p, p.a + i * p.a_row, b, c + i * p.c_row, tail);
  }
  for (; i + 4 <= p.m; i += 4) {
    product_tile<4, kVecs>(p, p.a + i * p.a_row, b, c + i * p.c_row, tail);
  }
  if (i + 2 <= p.m) {
    product_tile<2, kVecs>(p, p.a + i * p.a_row, b, c + i * p.c_row, tail);
    i += 2;
  }
  if (i < p.m) product_tile<1, kVecs>(p, p.a + i * p.a_row, b, c + i * p.c_row, tail);
}

// Why these shapes: rows * vectors sums plus the vectors of b fill the registers (32 in AVX-512, 16
// in AVX2), and at least 8 sums are in flight.
void product(const Product& p) {
  constexpr int64_t w = Vec::kWidth;
  constexpr bool is_wide = Vec::kWidth == 16;
  constexpr int kMost = is_wide ? 4 : 2;
  for (int64_t j = 0; j < p.n; j += kMost * w) {
    const int64_t left = p.n - j < kMost * w ? p.n - j : kMost * w;
    const int64_t vecs = (left + w - 1) / w;
    const int64_t tail = left - (vecs - 1) * w;
    if (vecs == 1) product_columns<is_wide ? 14 : 8, 1>(p, j, tail);
    if (vecs == 2) product_columns<is_wide ? 12 : 5, 2>(p, j, tail);
    if constexpr (is_wide) {
      if (vecs == 3) product_columns<8, 3>(p, j, tail);
      if (vecs == 4) product_columns<6, 4>(p, j, tail);
    }
  }
}

template <int kRows, class T>
inline void finish_rows(const Finish& p, int64_t i, T* out) {
  constexpr int64_t w = Vec::kWidth;
  for (int64_t j = 0; j < p.cols; j += w) {
    const int64_t n = p.cols - j < w ? p.cols - j : w;
    const Vec bias = p.bias != nullptr ? Vec::load(p.bias + j, n) : Vec::all(0);
    Vec sum[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      sum[r] = Vec::load(p.base + (i + r) * p.base_row + j, n) + bias;
    }
    for (int64_t l = 0; l < p.rank; ++l) {
      const Vec right = Vec::load(p.b + l * p.b_row + j, n);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        sum[r] = Vec::fma(Vec::all(p.xa[(i + r) * p.xa_row + l]), right, sum[r]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sum[r].store(out + (i + r) * p.out_row + j, n);
  }
}

template <class T>
void finish_as(const Finish& p) {
  T* out = static_cast<T*>(p.out);
  int64_t i = 0;
  for (; i + 8 <= p.rows; i += 8) finish_rows<8>(p, i, out);
  for (; i < p.rows; ++i) finish_rows<1>(p, i, out);
}
void finish(const Finish& p) {
  p.type == Type::kFloat32 ? finish_as<float>(p) : finish_as<uint16_t>(p);
}

// kRows rows of x against kCols rows of w.
template <int kRows, int kCols, class T>
inline void dots_of(const Dots& p, int64_t j) {
  constexpr int64_t w = Vec::kWidth;
  const T* rows = static_cast<const T*>(p.w) + j * p.w_row;
  Vec sum[kRows][kCols];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < kCols; ++c) sum[r][c] = Vec::all(0);
  }
  const auto step = [&](int64_t l, int64_t n) {
    Vec right[kCols];
#pragma GCC unroll 16
    for (int c = 0; c < kCols; ++c) right[c] = Vec::load(rows + c * p.w_row + l, n);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vec left = Vec::load(p.x + r * p.k + l, n);
#pragma GCC unroll 16
      for (int c = 0; c < kCols; ++c) sum[r][c] = Vec::fma(left, right[c], sum[r][c]);
    }
  };
  int64_t l = 0;
  for (; l + w <= p.k; l += w) step(l, w);
  if (l < p.k) step(l, p.k - l);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < kCols; ++c) p.out[r * p.out_row + j + c] = sum[r][c].total();
  }
}

// Why kCols falls with the rows: their product is the registers that hold sums.
template <int kRows, class T>
void dots_as(const Dots& p) {
  constexpr int kSums = Vec::kWidth == 16 ? 24 : 8;
  constexpr int kCols = kSums / kRows > 4 ? 4 : kSums / kRows;
  int64_t j = 0;
  for (; j + kCols <= p.count; j += kCols) dots_of<kRows, kCols, T>(p, j);
  for (; j < p.count; ++j) dots_of<kRows, 1, T>(p, j);
}
template <int kRows>
void dots_all(const Dots& p) {
  p.type == Type::kFloat32 ? dots_as<kRows, float>(p) : dots_as<kRows, uint16_t>(p);
}
void dots(const Dots& p) {
  using Function = void (*)(const Dots&);
  constexpr Function kByRows[kDotRows] = {dots_all<1>, dots_all<2>, dots_all<3>, dots_all<4>,
                                          dots_all<5>, dots_all<6>, dots_all<7>, dots_all<8>};
  kByRows[p.m - 1](p);
}
