// Operations without sums over rows: RoPE, gated units, embedding, AdamW, the sum of squares,
// casts. Letters: N rows, H heads, D head size, F inner size, C channels, V vocabulary, P
// parameters.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kElements = 16384;  // of one piece of an element-by-element operation

// Calls body(first element, elements) for each piece of `count`.
template <class Body>
void for_elements(int64_t count, Body body) {
  for_each_piece(pieces_of(count, kElements), [&](int64_t piece) {
    const int64_t first = piece * kElements;
    body(first, std::min(kElements, count - first));
  });
}

int kind_of_gelu(const Args& args) {
  const double kind = args.scalar(0);
  if (kind == 0 || kind == 1 || kind == 2) return static_cast<int>(kind);
  throw sdk::invalid_argument("gelu: kind is " + std::to_string(kind) +
                              ", expected 0 (erf), 1 (tanh) or 2 (quick).");
}

}  // namespace

void rope(const Args& args) {
  args.counts(3, 1, 1);
  const Type type = args.activation();
  const DLTensor& x = args.in(0, "x", dl_type(type), {-1, -1, -1});
  const int64_t rows = x.shape[0], heads = x.shape[1], size = x.shape[2];
  if (size % 2 != 0) {
    throw sdk::invalid_argument("rope: the head size of \"x\" is " + std::to_string(size) +
                                ", expected an even one.");
  }
  const void* cos = Args::memory(args.in(1, "cos", dl_type(type), {rows, size}));
  const void* sin = Args::memory(args.in(2, "sin", dl_type(type), {rows, size}));
  void* y = Args::memory(args.out(0, "y", dl_type(type), {rows, heads, size}));
  constexpr int64_t kRows = 32;
  for_each_piece(pieces_of(rows, kRows), [&](int64_t piece) {
    const int64_t row = piece * kRows;
    kernels().rope(type, {std::min(kRows, rows - row), heads, size,
                          at(Args::memory(x), row * heads * size, type), at(cos, row * size, type),
                          at(sin, row * size, type), at(y, row * heads * size, type),
                          static_cast<float>(args.scalar(0))});
  });
}

void swiglu(const Args& args) {
  args.counts(2, 1, 0);
  const Type type = args.activation();
  const DLTensor& gate = args.in(0, "gate", dl_type(type), {-1, -1});
  const int64_t rows = gate.shape[0], inner = gate.shape[1];
  const void* up = Args::memory(args.in(1, "up", dl_type(type), {rows, inner}));
  void* y = Args::memory(args.out(0, "y", dl_type(type), {rows, inner}));
  for_elements(rows * inner, [&](int64_t i, int64_t count) {
    kernels().swiglu(type, at(Args::memory(gate), i, type), at(up, i, type), at(y, i, type), count);
  });
}

void swiglu_grad(const Args& args) {
  args.counts(3, 2, 0);
  const Type type = args.activation();
  const DLTensor& dy = args.in(0, "dy", dl_type(type), {-1, -1});
  const int64_t rows = dy.shape[0], inner = dy.shape[1];
  const void* gate = Args::memory(args.in(1, "gate", dl_type(type), {rows, inner}));
  const void* up = Args::memory(args.in(2, "up", dl_type(type), {rows, inner}));
  void* dgate = Args::memory(args.out(0, "dgate", dl_type(type), {rows, inner}));
  void* dup = Args::memory(args.out(1, "dup", dl_type(type), {rows, inner}));
  for_elements(rows * inner, [&](int64_t i, int64_t count) {
    kernels().swiglu_grad(type, at(Args::memory(dy), i, type), at(gate, i, type), at(up, i, type),
                          at(dgate, i, type), at(dup, i, type), count);
  });
}

void gelu(const Args& args) {
  args.counts(1, 1, 1);
  const int kind = kind_of_gelu(args);
  const Type type = args.activation();
  const DLTensor& x = args.in(0, "x", dl_type(type), {-1, -1});
  void* y = Args::memory(args.out(0, "y", dl_type(type), {x.shape[0], x.shape[1]}));
  for_elements(x.shape[0] * x.shape[1], [&](int64_t i, int64_t count) {
    kernels().gelu(type, kind, at(Args::memory(x), i, type), at(y, i, type), count);
  });
}

void gelu_grad(const Args& args) {
  args.counts(2, 1, 1);
  const int kind = kind_of_gelu(args);
  const Type type = args.activation();
  const DLTensor& dy = args.in(0, "dy", dl_type(type), {-1, -1});
  const int64_t rows = dy.shape[0], channels = dy.shape[1];
  const void* x = Args::memory(args.in(1, "x", dl_type(type), {rows, channels}));
  void* dx = Args::memory(args.out(0, "dx", dl_type(type), {rows, channels}));
  for_elements(rows * channels, [&](int64_t i, int64_t count) {
    kernels().gelu_grad(type, kind, at(Args::memory(dy), i, type), at(x, i, type), at(dx, i, type),
                        count);
  });
}

void embedding(const Args& args) {
  args.counts(2, 1, 0);
  const Type type = args.weight();
  const DLTensor& ids = args.in(0, "ids", sdk::kInt32, {-1});
  const DLTensor& table = args.in(1, "table", dl_type(type), {-1, -1});
  const int64_t channels = table.shape[1];
  void* y = Args::memory(args.out(0, "y", dl_type(type), {ids.shape[0], channels}));
  args.check_range(ids, "ids", table.shape[0]);
  const auto* id = sdk::elements<const int32_t>(ids);
  const auto bytes = static_cast<uint64_t>(channels * size_of(type));
  if (bytes == 0) return;
  for (int64_t n = 0; n < ids.shape[0]; ++n) {
    std::memcpy(at(y, n * channels, type), at(Args::memory(table), id[n] * channels, type), bytes);
  }
}

// Each piece owns some columns of the table and goes through all rows, so the order of the sums is
// that of the rows.
void embedding_grad(const Args& args) {
  args.counts(2, 1, 0);
  const Type type = args.weight();
  const DLTensor& dy = args.in(0, "dy", dl_type(type), {-1, -1});
  const int64_t rows = dy.shape[0], channels = dy.shape[1];
  const DLTensor& ids = args.in(1, "ids", sdk::kInt32, {rows});
  const DLTensor& table = args.out(0, "dtable", sdk::kFloat32, {-1, channels});
  args.check_range(ids, "ids", table.shape[0]);
  const auto* id = sdk::elements<const int32_t>(ids);
  auto* dtable = sdk::elements<float>(table);
  constexpr int64_t kCols = 128;
  for_each_piece(pieces_of(channels, kCols), [&](int64_t piece) {
    const int64_t col = piece * kCols, cols = std::min(kCols, channels - col);
    float wide[kCols];
    for (int64_t n = 0; n < rows; ++n) {
      kernels().widen(type, at(Args::memory(dy), n * channels + col, type), wide, cols);
      kernels().add(wide, dtable + id[n] * channels + col, cols);
    }
  });
}

void adamw(const Args& args) {
  args.counts(1, 3, 7);
  const DLTensor& grad = args.in(0, "grad", sdk::kFloat32, {-1});
  const int64_t count = grad.shape[0];
  auto* param = sdk::elements<float>(args.out(0, "param", sdk::kFloat32, {count}));
  auto* m = sdk::elements<float>(args.out(1, "m", sdk::kFloat32, {count}));
  auto* v = sdk::elements<float>(args.out(2, "v", sdk::kFloat32, {count}));
  const double lr = args.scalar(0), beta1 = args.scalar(1), beta2 = args.scalar(2);
  const double step = args.scalar(5);
  if (!(step >= 1)) {
    throw sdk::invalid_argument("adamw: step is " + std::to_string(step) +
                                ", expected 1 or more: the first step is 1.");
  }
  Adamw p{};
  p.grad_scale = static_cast<float>(args.scalar(6));
  p.decay = static_cast<float>(1 - lr * args.scalar(4));
  p.beta1 = static_cast<float>(beta1);
  p.beta2 = static_cast<float>(beta2);
  p.one_minus_beta1 = static_cast<float>(1 - beta1);
  p.one_minus_beta2 = static_cast<float>(1 - beta2);
  p.step_size = static_cast<float>(lr / (1 - std::pow(beta1, step)));
  p.root_correction = static_cast<float>(std::sqrt(1 - std::pow(beta2, step)));
  p.eps = static_cast<float>(args.scalar(3));
  for_elements(count, [&](int64_t i, int64_t elements) {
    Adamw piece = p;
    piece.count = elements;
    piece.grad = sdk::elements<float>(grad) + i;
    piece.param = param + i;
    piece.m = m + i;
    piece.v = v + i;
    kernels().adamw(piece);
  });
}

void sum_squares(const Args& args) {
  args.counts(1, 1, 0);
  const Type type = args.activation();
  const DLTensor& x = args.in(0, "x", dl_type(type), {-1});
  auto* sum = sdk::elements<float>(args.out(0, "sum", sdk::kFloat32, {1}));
  std::vector<double> partial(static_cast<size_t>(pieces_of(x.shape[0], kElements)));
  for_elements(x.shape[0], [&](int64_t i, int64_t count) {
    partial[static_cast<size_t>(i / kElements)] =
        kernels().sum_squares(type, at(Args::memory(x), i, type), count);
  });
  *sum = static_cast<float>(std::accumulate(partial.begin(), partial.end(), 0.0));
}

}  // namespace mortise::device_cpu
