// The kernels of device_cpu: plain loops over memory, once for each instruction set.
//
// Called by the operations one folder up, which check everything, cut the work into pieces and own
// the memory. The same sources (body_*.h) are compiled three times, over one vector type each
// (vec_*.h), so that the variants are twins. Kernels start no threads, allocate nothing, check
// nothing and never fail.
#pragma once

#include <cstdint>

namespace mortise::device_cpu {

enum class Type : uint8_t { kFloat32, kBfloat16 };
enum class Isa : uint8_t { kScalar, kAvx2, kAvx512 };

// c [m, n] = (or +=) a [m, k] times b [k, n]; a(i, l) lies at a[i * a_row + l * a_col].
struct Product {
  int64_t m, n, k;
  const float* a;
  int64_t a_row, a_col;
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  bool accumulate;
};

// out = rounded(base + bias + xa b), all in float until rounded: base [rows, cols], bias [cols] or
// NULL, xa [rows, rank], b [rank, cols]; rank 0: without the product.
struct Finish {
  int64_t rows, cols, rank;
  const float* base;
  int64_t base_row;
  const float* bias;
  const float* xa;
  int64_t xa_row;
  const float* b;
  int64_t b_row;
  void* out;
  int64_t out_row;
  Type type;
};

// See MORTISE_OP_RMS_NORM; residual and sum may be NULL.
struct RmsNorm {
  int64_t rows, channels;
  const void *x, *weight, *residual;
  void *y, *sum;
  float* rstd;
  float eps;
};
// dweight [channels] is added to, or NULL.
struct RmsNormGrad {
  int64_t rows, channels;
  const void *dy, *s, *weight;
  const float* rstd;
  void* dx;
  float* dweight;
};
struct LayerNorm {
  int64_t rows, channels;
  const void *x, *weight, *bias;
  void* y;
  float *mean, *rstd;
  float eps;
};
// dweight and dbias [channels] are added to, or NULL.
struct LayerNormGrad {
  int64_t rows, channels;
  const void *dy, *x, *weight;
  const float *mean, *rstd;
  void* dx;
  float *dweight, *dbias;
};
struct Rope {
  int64_t rows, heads, size;
  const void *x, *cos, *sin;
  void* y;
  float sign;
};

// One tile of scores in attention: scores [rows, cols] of keys first_key .. first_key + cols - 1.
// Row i sees keys first[i] .. end[i]-1.
struct SoftmaxStep {
  int64_t rows, cols, size, first_key;
  const int64_t *first, *end;
  float scale;
  float* scores;  // becomes exp(scale score - max); 0 where unseen
  int64_t scores_row;
  float *max, *sum;  // [rows], running
  float* o;          // [rows, size], running, not yet divided by sum
  int64_t o_row;
};
// The backward pass of the same tile: scores becomes P, dp (dO V^T) becomes scale P (dp - delta).
struct SoftmaxGrad {
  int64_t rows, cols, first_key;
  const int64_t *first, *end;
  float scale;
  float* scores;
  float* dp;
  int64_t row;               // of both
  const float *lse, *delta;  // [rows]
};

// One tile of logits [rows, cols] in cross entropy: rounded to `type` first.
struct LogitStats {
  int64_t rows, cols;
  float* logits;
  int64_t row;
  Type type;
  float *max, *sum;  // [rows], at distance `stats_row`
  int64_t stats_row;
};
// out = rounded(dloss * exp(logits - lse)); the one-hot part is the caller's.
struct LogitGrad {
  int64_t rows, cols;
  const float* logits;
  int64_t row;
  Type type;
  const float* lse;
  float dloss;
  void* out;
  int64_t out_row;
};

struct Adamw {
  int64_t count;
  const float* grad;
  float *param, *m, *v;
  float grad_scale, decay, beta1, beta2, one_minus_beta1, one_minus_beta2;  // decay: 1 - lr * wd
  float step_size, root_correction, eps;  // lr / (1-beta1^t), sqrt(1-beta2^t)
};

// Rows of w [count, k] against x [m, k] in float, m <= kDotRows: out[i * out_row + j] = x_i w_j.
constexpr int64_t kDotRows = 8;
struct Dots {
  int64_t m, count, k;
  const float* x;
  const void* w;
  int64_t w_row;
  Type type;
  float* out;
  int64_t out_row;
};

struct Kernels {
  Isa isa;
  void (*product)(const Product& p);
  void (*finish)(const Finish& p);
  void (*dots)(const Dots& p);
  void (*widen)(Type type, const void* from, float* to, int64_t count);
  void (*narrow)(Type type, const float* from, void* to, int64_t count);
  void (*add)(const float* from, float* to, int64_t count);  // to += from
  void (*rms_norm)(Type type, const RmsNorm& p);
  void (*rms_norm_grad)(Type type, const RmsNormGrad& p);
  void (*layer_norm)(Type type, const LayerNorm& p);
  void (*layer_norm_grad)(Type type, const LayerNormGrad& p);
  void (*rope)(Type type, const Rope& p);
  void (*swiglu)(Type type, const void* gate, const void* up, void* y, int64_t count);
  void (*swiglu_grad)(Type type, const void* dy, const void* gate, const void* up, void* dgate,
                      void* dup, int64_t count);
  void (*gelu)(Type type, int kind, const void* x, void* y, int64_t count);
  void (*gelu_grad)(Type type, int kind, const void* dy, const void* x, void* dx, int64_t count);
  void (*softmax_step)(const SoftmaxStep& p);
  void (*softmax_grad)(const SoftmaxGrad& p);
  // out[i] = sum over size of a b, for rows i of `size` elements at distance a_row and b_row.
  void (*row_dots)(Type type, const void* a, int64_t a_row, const void* b, int64_t b_row,
                   int64_t rows, int64_t size, float* out);
  void (*logit_stats)(const LogitStats& p);
  void (*logit_grad)(const LogitGrad& p);
  void (*adamw)(const Adamw& p);
  double (*sum_squares)(Type type, const void* x, int64_t count);
};

extern const Kernels kScalarKernels, kAvx2Kernels, kAvx512Kernels;

// Whether this processor and its system have what the variant needs. [any]
bool has(Isa isa);
// The variant in use: the widest this processor has, unless force_isa chose another.
const Kernels& kernels();
// For tests and benchmarks; must be one this processor has.
void force_isa(Isa isa);

}  // namespace mortise::device_cpu
