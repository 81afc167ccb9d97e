// Operations without sums over rows, in double: RoPE, SwiGLU, GELU, embedding, AdamW, casts.
// Letters: N rows, H heads, D head size, F inner size, C channels, V vocabulary, P parameters.
#include <cmath>
#include <string>

#include "conform/reference_call.h"

namespace mortise::conform {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kCubic = 0.044715;

// Kinds as in the list: 0 erf, 1 tanh, 2 quick. Returns the value and, in slope, its derivative.
double gelu_at(double x, int kind, double& slope) {
  if (kind == 0) {
    const double phi = 0.5 * std::erfc(-x * kSqrtHalf);
    slope = phi + x * 0.5 * kSqrt2OverPi * std::exp(-0.5 * x * x);
    return x * phi;
  }
  if (kind == 1) {
    const double t = std::tanh(kSqrt2OverPi * (x + kCubic * x * x * x));
    slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kSqrt2OverPi * (1 + 3 * kCubic * x * x);
    return 0.5 * x * (1 + t);
  }
  const double s = sigmoid(1.702 * x);
  slope = s + 1.702 * x * s * (1 - s);
  return x * s;
}

int gelu_kind(const Launch& launch) {
  const double kind = launch.scalar(0);
  if (kind == 0 || kind == 1 || kind == 2) return static_cast<int>(kind);
  throw sdk::invalid_argument("kind is " + std::to_string(kind) + ", expected 0, 1 or 2.");
}

void check_ids(const Values& ids, int64_t vocabulary) {
  for (int64_t n = 0; n < ids.count(); ++n) {
    if (ids[n] >= 0 && ids[n] < static_cast<double>(vocabulary)) continue;
    throw sdk::invalid_argument("ids[" + std::to_string(n) + "] is " +
                                std::to_string(static_cast<int64_t>(ids[n])) + ", expected 0 .. " +
                                std::to_string(vocabulary - 1) + ".")
        .at("", n + 1, -1, "ids");
  }
}

}  // namespace

void rope(const Launch& launch) {
  launch.counts(3, 1, 1);
  const DLDataType type = launch.activation();
  const Values x = launch.input(0, "x", type, {-1, -1, -1});
  const int64_t rows = x.size(0), heads = x.size(1), size = x.size(2), half = size / 2;
  if (size % 2 != 0) {
    throw sdk::invalid_argument("The head size of \"x\" is " + std::to_string(size) +
                                ", expected an even one.");
  }
  const Values cos = launch.input(1, "cos", type, {rows, size});
  const Values sin = launch.input(2, "sin", type, {rows, size});
  Values y = launch.output(0, "y", type, {rows, heads, size});
  if (launch.checks_only()) return;
  const double sign = launch.scalar(0);
  for (int64_t i = 0; i < y.count(); ++i) {
    const int64_t d = i % size, angle = i / (heads * size) * size + d;
    const double turned = d < half ? -x[i + half] : x[i - half];
    y[i] = x[i] * cos[angle] + sign * turned * sin[angle];
  }
  y.store();
}

void swiglu(const Launch& launch) {
  launch.counts(2, 1, 0);
  const DLDataType type = launch.activation();
  const Values gate = launch.input(0, "gate", type, {-1, -1});
  const int64_t rows = gate.size(0), inner = gate.size(1);
  const Values up = launch.input(1, "up", type, {rows, inner});
  Values y = launch.output(0, "y", type, {rows, inner});
  if (launch.checks_only()) return;
  for (int64_t i = 0; i < y.count(); ++i) y[i] = gate[i] * sigmoid(gate[i]) * up[i];
  y.store();
}

void swiglu_grad(const Launch& launch) {
  launch.counts(3, 2, 0);
  const DLDataType type = launch.activation();
  const Values dy = launch.input(0, "dy", type, {-1, -1});
  const int64_t rows = dy.size(0), inner = dy.size(1);
  const Values gate = launch.input(1, "gate", type, {rows, inner});
  const Values up = launch.input(2, "up", type, {rows, inner});
  Values dgate = launch.output(0, "dgate", type, {rows, inner});
  Values dup = launch.output(1, "dup", type, {rows, inner});
  if (launch.checks_only()) return;
  for (int64_t i = 0; i < dy.count(); ++i) {
    const double s = sigmoid(gate[i]);
    dgate[i] = dy[i] * up[i] * s * (1 + gate[i] * (1 - s));
    dup[i] = dy[i] * gate[i] * s;
  }
  dgate.store();
  dup.store();
}

void gelu(const Launch& launch) {
  launch.counts(1, 1, 1);
  const int kind = gelu_kind(launch);
  const Values x = launch.input(0, "x", launch.activation(), {-1, -1});
  Values y = launch.output(0, "y", launch.activation(), {x.size(0), x.size(1)});
  if (launch.checks_only()) return;
  double slope;
  for (int64_t i = 0; i < x.count(); ++i) y[i] = gelu_at(x[i], kind, slope);
  y.store();
}

void gelu_grad(const Launch& launch) {
  launch.counts(2, 1, 1);
  const int kind = gelu_kind(launch);
  const Values dy = launch.input(0, "dy", launch.activation(), {-1, -1});
  const Values x = launch.input(1, "x", launch.activation(), {dy.size(0), dy.size(1)});
  Values dx = launch.output(0, "dx", launch.activation(), {dy.size(0), dy.size(1)});
  if (launch.checks_only()) return;
  for (int64_t i = 0; i < x.count(); ++i) {
    double slope;
    gelu_at(x[i], kind, slope);
    dx[i] = dy[i] * slope;
  }
  dx.store();
}

void embedding(const Launch& launch) {
  launch.counts(2, 1, 0);
  const Values ids = launch.input(0, "ids", sdk::kInt32, {-1});
  const Values table = launch.input(1, "table", launch.weight(), {-1, -1});
  const int64_t channels = table.size(1);
  Values y = launch.output(0, "y", launch.weight(), {ids.count(), channels});
  if (launch.checks_only()) return;
  check_ids(ids, table.size(0));
  for (int64_t i = 0; i < y.count(); ++i) {
    y[i] = table[static_cast<int64_t>(ids[i / channels]) * channels + i % channels];
  }
  y.store();
}

void embedding_grad(const Launch& launch) {
  launch.counts(2, 1, 0);
  const Values dy = launch.input(0, "dy", launch.weight(), {-1, -1});
  const int64_t channels = dy.size(1);
  const Values ids = launch.input(1, "ids", sdk::kInt32, {dy.size(0)});
  Values dtable = launch.in_place(0, "dtable", launch.wide(), {-1, channels});
  if (launch.checks_only()) return;
  check_ids(ids, dtable.size(0));
  for (int64_t i = 0; i < dy.count(); ++i) {
    dtable[static_cast<int64_t>(ids[i / channels]) * channels + i % channels] += dy[i];
  }
  dtable.store();
}

void adamw(const Launch& launch) {
  launch.counts(1, 3, 7);
  const DLDataType type = launch.wide();
  const Values grad = launch.input(0, "grad", type, {-1});
  Values param = launch.in_place(0, "param", type, {grad.count()});
  Values m = launch.in_place(1, "m", type, {grad.count()});
  Values v = launch.in_place(2, "v", type, {grad.count()});
  const double lr = launch.scalar(0), beta1 = launch.scalar(1), beta2 = launch.scalar(2);
  const double eps = launch.scalar(3), decay = launch.scalar(4), step = launch.scalar(5);
  if (!(step >= 1)) throw sdk::invalid_argument("step is below 1; the first step is 1.");
  if (launch.checks_only()) return;
  const double correction1 = 1 - std::pow(beta1, step);
  const double correction2 = std::sqrt(1 - std::pow(beta2, step));
  for (int64_t i = 0; i < grad.count(); ++i) {
    const double g = grad[i] * launch.scalar(6);
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    param[i] *= 1 - lr * decay;
    param[i] -= lr * (m[i] / correction1) / (std::sqrt(v[i]) / correction2 + eps);
  }
  param.store();
  m.store();
  v.store();
}

void sum_squares(const Launch& launch) {
  launch.counts(1, 1, 0);
  const Values x = launch.input(0, "x", launch.activation(), {-1});
  Values sum = launch.output(0, "sum", launch.wide(), {1});
  if (launch.checks_only()) return;
  for (int64_t i = 0; i < x.count(); ++i) sum[0] += x[i] * x[i];
  sum.store();
}

void cast(const Launch& launch) {
  launch.counts(1, 1, 0);
  const DLTensor* from = launch.raw_input(0);
  const DLTensor* to = launch.raw_output(0);
  const auto is_float = [](DLDataType t) {
    const bool plain = t.code == kDLFloat && (t.bits == 16 || t.bits == 32 || t.bits == 64);
    return t.lanes == 1 && (plain || sdk::is_same(t, sdk::kBfloat16));
  };
  const auto type_of = [&](const DLTensor* tensor) {
    return tensor != nullptr && is_float(tensor->dtype) ? tensor->dtype : sdk::kFloat32;
  };
  const Values x = launch.input(0, "x", type_of(from), {-1});
  Values y = launch.output(0, "y", type_of(to), {x.count()});
  if (launch.checks_only()) return;
  for (int64_t i = 0; i < x.count(); ++i) y[i] = x[i];
  y.store();
}

}  // namespace mortise::conform
