// Dense products in double. Letters: N rows, K inner size, O outputs, R rank.
#include "conform/reference_call.h"

namespace mortise::conform {
namespace {

// a [n, k] times the transpose of b [m, k] -> [n, m]
void times_transposed(const Values& a, const Values& b, int64_t n, int64_t m, int64_t k,
                      double scale, Values& out) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += a[i * k + l] * b[j * k + l];
      out[i * m + j] += scale * sum;
    }
  }
}

// a [n, k] times b [k, m], added -> [n, m]
void times(const Values& a, const Values& b, int64_t n, int64_t m, int64_t k, Values& out) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t l = 0; l < k; ++l) {
      for (int64_t j = 0; j < m; ++j) out[i * m + j] += a[i * k + l] * b[l * m + j];
    }
  }
}

// The transpose of a [n, k] times b [n, m], times scale -> [k, m]
void transposed_times(const Values& a, const Values& b, int64_t n, int64_t k, int64_t m,
                      double scale, Values& out) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t l = 0; l < k; ++l) {
      for (int64_t j = 0; j < m; ++j) out[l * m + j] += scale * a[i * k + l] * b[i * m + j];
    }
  }
}

void add_bias(const Values& bias, int64_t n, int64_t outputs, Values& y) {
  if (!bias.is_present()) return;
  for (int64_t i = 0; i < n * outputs; ++i) y[i] += bias[i % outputs];
}

}  // namespace

void linear(const Launch& launch) {
  launch.counts(3, 1, 0);
  const Values x = launch.input(0, "x", launch.activation(), {-1, -1});
  const int64_t n = x.size(0), k = x.size(1);
  const Values w = launch.input(1, "w", launch.weight(), {-1, k});
  const int64_t outputs = w.size(0);
  const Values bias = launch.optional_input(2, "bias", launch.weight(), {outputs});
  Values y = launch.output(0, "y", launch.activation(), {n, outputs});
  if (launch.checks_only()) return;
  times_transposed(x, w, n, outputs, k, 1, y);
  add_bias(bias, n, outputs, y);
  y.store();
}

void linear_grad_input(const Launch& launch) {
  launch.counts(2, 1, 0);
  const Values dy = launch.input(0, "dy", launch.activation(), {-1, -1});
  const int64_t n = dy.size(0), outputs = dy.size(1);
  const Values w = launch.input(1, "w", launch.weight(), {outputs, -1});
  const int64_t k = w.size(1);
  Values dx = launch.output(0, "dx", launch.activation(), {n, k});
  if (launch.checks_only()) return;
  times(dy, w, n, k, outputs, dx);
  dx.store();
}

void linear_grad_weight(const Launch& launch) {
  launch.counts(2, 2, 0);
  const Values dy = launch.input(0, "dy", launch.activation(), {-1, -1});
  const int64_t n = dy.size(0), outputs = dy.size(1);
  const Values x = launch.input(1, "x", launch.activation(), {n, -1});
  const int64_t k = x.size(1);
  Values dw = launch.output(0, "dw", launch.weight(), {outputs, k});
  Values dbias = launch.optional_output(1, "dbias", launch.weight(), {outputs});
  if (launch.checks_only()) return;
  transposed_times(dy, x, n, outputs, k, 1, dw);
  dw.store();
  if (!dbias.is_present()) return;
  for (int64_t i = 0; i < n * outputs; ++i) dbias[i % outputs] += dy[i];
  dbias.store();
}

void linear_lora(const Launch& launch) {
  launch.counts(5, 2, 1);
  const Values x = launch.input(0, "x", launch.activation(), {-1, -1});
  const int64_t n = x.size(0), k = x.size(1);
  const Values w = launch.input(1, "w", launch.weight(), {-1, k});
  const int64_t outputs = w.size(0);
  const Values bias = launch.optional_input(2, "bias", launch.weight(), {outputs});
  const Values a = launch.input(3, "a", launch.wide(), {-1, k});
  const int64_t rank = a.size(0);
  const Values b = launch.input(4, "b", launch.wide(), {outputs, rank});
  Values y = launch.output(0, "y", launch.activation(), {n, outputs});
  Values xa = launch.output(1, "xa", launch.wide(), {n, rank});
  if (launch.checks_only()) return;
  times_transposed(x, a, n, rank, k, 1, xa);
  times_transposed(x, w, n, outputs, k, 1, y);
  times_transposed(xa, b, n, outputs, rank, launch.scalar(0), y);
  add_bias(bias, n, outputs, y);
  y.store();
  xa.store();
}

// dxa = scale dy b; dx = dy w + dxa a; da = dxa^T x; db = scale dy^T xa.
void linear_lora_grad(const Launch& launch) {
  launch.counts(6, 3, 1);
  const Values dy = launch.input(0, "dy", launch.activation(), {-1, -1});
  const int64_t n = dy.size(0), outputs = dy.size(1);
  const Values x = launch.input(1, "x", launch.activation(), {n, -1});
  const int64_t k = x.size(1);
  const Values w = launch.input(2, "w", launch.weight(), {outputs, k});
  const Values a = launch.input(3, "a", launch.wide(), {-1, k});
  const int64_t rank = a.size(0);
  Values b = launch.input(4, "b", launch.wide(), {outputs, rank});
  const Values xa = launch.input(5, "xa", launch.wide(), {n, rank});
  Values dx = launch.optional_output(0, "dx", launch.activation(), {n, k});
  Values da = launch.output(1, "da", launch.wide(), {rank, k});
  Values db = launch.output(2, "db", launch.wide(), {outputs, rank});
  if (launch.checks_only()) return;
  const double scale = launch.scalar(0);
  transposed_times(dy, xa, n, outputs, rank, scale, db);
  // db is done; dxa takes the place of xa, which has its shape.
  db.store();
  Values dxa = xa;
  for (int64_t i = 0; i < dxa.count(); ++i) dxa[i] = 0;
  for (int64_t i = 0; i < b.count(); ++i) b[i] *= scale;
  times(dy, b, n, rank, outputs, dxa);
  transposed_times(dxa, x, n, rank, k, 1, da);
  da.store();
  if (!dx.is_present()) return;
  times(dy, w, n, k, outputs, dx);
  times(dxa, a, n, k, rank, dx);
  dx.store();
}

}  // namespace mortise::conform
