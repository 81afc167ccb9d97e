// Linear layers without an adapter. Letters: N rows, K inner size, O outputs.
#include <algorithm>

#include "device_cpu/dense.h"
#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kInnerStep = 64;  // rows that are summed over are padded to a multiple of this

// [rows, cols] transposed to [cols, padded], the padding zero.
Scratch<char> transposed_padded(Type type, const void* from, int64_t rows, int64_t cols,
                                int64_t padded) {
  Scratch<char> to(cols * padded * size_of(type));
  constexpr int64_t kCols = 64;
  for_each_piece(pieces_of(cols, kCols), [&](int64_t piece) {
    const int64_t col = piece * kCols;
    const int64_t count = std::min(kCols, cols - col);
    transpose(type, at(from, col, type), cols, rows, count, at(to.data(), col * padded, type),
              padded);
    for (int64_t c = col; c < col + count; ++c) {
      set_zero(static_cast<char*>(at(to.data(), c * padded + rows, type)),
               (padded - rows) * size_of(type));
    }
  });
  return to;
}

// dbias [O] = sum of dy over N, in row order.
void sum_rows(Type type, const void* dy, int64_t rows, int64_t cols, Type out_type, void* out) {
  constexpr int64_t kCols = 64;
  for_each_piece(pieces_of(cols, kCols), [&](int64_t piece) {
    const int64_t col = piece * kCols;
    const int64_t count = std::min(kCols, cols - col);
    float sum[kCols] = {}, row[kCols];
    for (int64_t i = 0; i < rows; ++i) {
      kernels().widen(type, at(dy, i * cols + col, type), row, count);
      kernels().add(row, sum, count);
    }
    kernels().narrow(out_type, sum, at(out, col, out_type), count);
  });
}

}  // namespace

void linear(const Args& args) {
  args.counts(3, 1, 0);
  const Type type = args.activation(), weight = args.weight();
  const DLTensor& x = args.in(0, "x", dl_type(type), {-1, -1});
  const int64_t rows = x.shape[0], inner = x.shape[1];
  const DLTensor& w = args.in(1, "w", dl_type(weight), {-1, inner});
  const int64_t outputs = w.shape[0];
  const void* bias = args.maybe_in(2, "bias", dl_type(weight), {outputs});
  void* y = Args::memory(args.out(0, "y", dl_type(type), {rows, outputs}));
  Scratch<float> wide_bias(outputs);
  if (bias != nullptr) kernels().widen(weight, bias, wide_bias.data(), outputs);
  const Dense dense{rows,
                    outputs,
                    inner,
                    {Args::memory(x), inner, type},
                    {Args::memory(w), inner, weight},
                    /*b_is_transposed=*/true};
  dense_product(dense, [&](const Tile& t) {
    kernels().finish({t.rows, t.cols, 0, t.values, t.values_row,
                      bias != nullptr ? wide_bias.data() + t.col : nullptr, nullptr, 0, nullptr, 0,
                      at(y, t.row * outputs + t.col, type), outputs, type});
  });
}

void linear_grad_input(const Args& args) {
  args.counts(2, 1, 0);
  const Type type = args.activation(), weight = args.weight();
  const DLTensor& dy = args.in(0, "dy", dl_type(type), {-1, -1});
  const int64_t rows = dy.shape[0], outputs = dy.shape[1];
  const DLTensor& w = args.in(1, "w", dl_type(weight), {outputs, -1});
  const int64_t inner = w.shape[1];
  void* dx = Args::memory(args.out(0, "dx", dl_type(type), {rows, inner}));
  const Dense dense{rows,
                    inner,
                    outputs,
                    {Args::memory(dy), outputs, type},
                    {Args::memory(w), inner, weight},
                    /*b_is_transposed=*/false};
  dense_product(dense, [&](const Tile& t) {
    kernels().finish({t.rows, t.cols, 0, t.values, t.values_row, nullptr, nullptr, 0, nullptr, 0,
                      at(dx, t.row * inner + t.col, type), inner, type});
  });
}

void linear_grad_weight(const Args& args) {
  args.counts(2, 2, 0);
  const Type type = args.activation(), weight = args.weight();
  const DLTensor& dy = args.in(0, "dy", dl_type(type), {-1, -1});
  const int64_t rows = dy.shape[0], outputs = dy.shape[1];
  const DLTensor& x = args.in(1, "x", dl_type(type), {rows, -1});
  const int64_t inner = x.shape[1];
  void* dw = Args::memory(args.out(0, "dw", dl_type(weight), {outputs, inner}));
  void* dbias = args.maybe_out(1, "dbias", dl_type(weight), {outputs});
  const int64_t padded = pieces_of(rows, kInnerStep) * kInnerStep;
  const Scratch<char> dyt =
      transposed_padded(type, Args::memory(dy), rows, outputs, padded);  // [O, padded N]
  Scratch<char> x_padded;
  const void* right = Args::memory(x);
  if (padded != rows) {
    x_padded = Scratch<char>(padded * inner * size_of(type));
    const int64_t bytes = rows * inner * size_of(type);
    if (bytes > 0) std::memcpy(x_padded.data(), right, static_cast<uint64_t>(bytes));
    set_zero(x_padded.data() + bytes, (padded - rows) * inner * size_of(type));
    right = x_padded.data();
  }
  const Dense dense{outputs,
                    inner,
                    padded,
                    {dyt.data(), padded, type},
                    {right, inner, type},
                    /*b_is_transposed=*/false};
  dense_product(dense, [&](const Tile& t) {
    kernels().finish({t.rows, t.cols, 0, t.values, t.values_row, nullptr, nullptr, 0, nullptr, 0,
                      at(dw, t.row * inner + t.col, weight), inner, weight});
  });
  if (dbias != nullptr) sum_rows(type, Args::memory(dy), rows, outputs, weight, dbias);
}

}  // namespace mortise::device_cpu
