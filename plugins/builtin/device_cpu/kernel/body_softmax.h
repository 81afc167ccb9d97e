// The exponentials of attention and of cross entropy, a tile at a time. Part of kernels_*.cpp, over
// the Vec that was included before. Source: Dao et al. 2022, algorithms 1 and 4.
#pragma once

constexpr float kMinusInfinity = -__builtin_inff();

// One row of a tile in the forward pass. first and end are columns of the tile, clamped. kWhole:
// all columns are seen and fill their vectors, so nothing need be masked.
template <bool kWhole>
inline void softmax_row(const SoftmaxStep& p, int64_t i, int64_t first, int64_t end) {
  float* s = p.scores + i * p.scores_row;
  const Vec scale = Vec::all(p.scale), none = Vec::all(kMinusInfinity), zero = Vec::all(0);
  Vec largest = none;
  for_vectors(p.cols, [&](int64_t j, int64_t n) {
    Vec score = Vec::load(s + j, n) * scale;
    if (!kWhole) score = Vec::choose_range(score, none, first - j, end - j);
    largest = Vec::max(largest, score);
    score.store(s + j, n);
  });
  const float before = p.max[i];
  const float row_max = largest.largest();
  const float max = row_max > before || row_max != row_max ? row_max : before;
  const Vec shift = Vec::all(max == kMinusInfinity ? 0 : max);
  Vec sum = zero;
  for_vectors(p.cols, [&](int64_t j, int64_t n) {
    Vec weight = exp(Vec::load(s + j, n) - shift);
    if (!kWhole) weight = Vec::choose_range(weight, zero, 0, n);
    sum = sum + weight;
    weight.store(s + j, n);
  });
  float keep = 1;
  if (max != before) {
    keep = before == kMinusInfinity ? 0 : exp(Vec::all(before - max)).largest();
  }
  p.sum[i] = p.sum[i] * keep + sum.total();
  p.max[i] = max;
  if (keep == 1) return;
  float* o = p.o + i * p.o_row;
  for_vectors(p.size, [&](int64_t d, int64_t n) {
    (Vec::load(o + d, n) * Vec::all(keep)).store(o + d, n);
  });
}

inline int64_t clamped(int64_t x, int64_t most) {
  return x < 0 ? 0 : x > most ? most : x;
}

void softmax_step(const SoftmaxStep& p) {
  for (int64_t i = 0; i < p.rows; ++i) {
    const int64_t first = clamped(p.first[i] - p.first_key, p.cols);
    const int64_t end = clamped(p.end[i] - p.first_key, p.cols);
    const bool is_whole = first == 0 && end == p.cols && p.cols % Vec::kWidth == 0;
    is_whole ? softmax_row<true>(p, i, first, end) : softmax_row<false>(p, i, first, end);
  }
}

void softmax_grad(const SoftmaxGrad& p) {
  const Vec scale = Vec::all(p.scale), zero = Vec::all(0);
  for (int64_t i = 0; i < p.rows; ++i) {
    float* s = p.scores + i * p.row;
    float* dp = p.dp + i * p.row;
    const int64_t first = clamped(p.first[i] - p.first_key, p.cols);
    const int64_t end = clamped(p.end[i] - p.first_key, p.cols);
    const Vec lse = Vec::all(p.lse[i]), delta = Vec::all(p.delta[i]);
    for_vectors(p.cols, [&](int64_t j, int64_t n) {
      const Vec raw = exp(Vec::load(s + j, n) * scale - lse);
      const Vec weight = Vec::choose_range(raw, zero, first - j, end - j);
      const Vec ds = weight * (Vec::load(dp + j, n) - delta) * scale;
      weight.store(s + j, n);
      Vec::choose_range(ds, zero, first - j, end - j).store(dp + j, n);
    });
  }
}

template <class T>
void row_dots_as(const void* a_in, int64_t a_row, const void* b_in, int64_t b_row, int64_t rows,
                 int64_t size, float* out) {
  for (int64_t i = 0; i < rows; ++i) {
    const T* a = static_cast<const T*>(a_in) + i * a_row;
    const T* b = static_cast<const T*>(b_in) + i * b_row;
    Vec sum = Vec::all(0);
    for_vectors(size, [&](int64_t d, int64_t n) {
      sum = Vec::fma(Vec::load(a + d, n), Vec::load(b + d, n), sum);
    });
    out[i] = sum.total();
  }
}
void row_dots(Type type, const void* a, int64_t a_row, const void* b, int64_t b_row, int64_t rows,
              int64_t size, float* out) {
  type == Type::kFloat32 ? row_dots_as<float>(a, a_row, b, b_row, rows, size, out)
                         : row_dots_as<uint16_t>(a, a_row, b, b_row, rows, size, out);
}

template <class T>
void logit_stats_as(const LogitStats& p) {
  for (int64_t i = 0; i < p.rows; ++i) {
    float* z = p.logits + i * p.row;
    Vec largest = Vec::all(kMinusInfinity);
    for_vectors(p.cols, [&](int64_t j, int64_t n) {
      const Vec rounded = as_type(Vec::load(z + j, n), static_cast<const T*>(nullptr));
      rounded.store(z + j, n);
      largest = Vec::max(largest, Vec::choose_range(rounded, largest, 0, n));
    });
    const float max = largest.largest();
    Vec sum = Vec::all(0);
    for_vectors(p.cols, [&](int64_t j, int64_t n) {
      const Vec weight = exp(Vec::load(z + j, n) - Vec::all(max));
      sum = sum + Vec::choose_range(weight, Vec::all(0), 0, n);
    });
    p.max[i * p.stats_row] = max;
    p.sum[i * p.stats_row] = sum.total();
  }
}
void logit_stats(const LogitStats& p) {
  p.type == Type::kFloat32 ? logit_stats_as<float>(p) : logit_stats_as<uint16_t>(p);
}

template <class T>
void logit_grad_as(const LogitGrad& p) {
  for (int64_t i = 0; i < p.rows; ++i) {
    const float* z = p.logits + i * p.row;
    T* out = static_cast<T*>(p.out) + i * p.out_row;
    const Vec lse = Vec::all(p.lse[i]), dloss = Vec::all(p.dloss);
    for_vectors(p.cols, [&](int64_t j, int64_t n) {
      const Vec rounded = as_type(Vec::load(z + j, n), out);
      (dloss * exp(rounded - lse)).store(out + j, n);
    });
  }
}
void logit_grad(const LogitGrad& p) {
  p.type == Type::kFloat32 ? logit_grad_as<float>(p) : logit_grad_as<uint16_t>(p);
}
