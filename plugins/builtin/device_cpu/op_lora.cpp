// A frozen linear layer with its LoRA adapter in one pass (Hu et al. 2021, equation 3): the dense
// product gives tiles in float32, the adapter is added to each while it is in the cache, and the
// sum is rounded once. Letters: N rows, K inner size, O outputs, R rank.
#include <algorithm>

#include "device_cpu/dense.h"
#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kRows = 64;    // of one piece of a thin product
constexpr int64_t kCols = 64;    // of one piece of a product over all rows
constexpr int64_t kBlock = 128;  // rows that are widened at a time

// x [N, K] times b [K, R] -> out [N, R] in float32.
void thin_product(Type type, const void* x, int64_t rows, int64_t inner, const float* b,
                  int64_t rank, float* out) {
  for_each_piece(pieces_of(rows, kRows), [&](int64_t piece) {
    const int64_t row = piece * kRows;
    const int64_t count = std::min(kRows, rows - row);
    Scratch<float> wide(count * inner);  // [count, K]
    kernels().widen(type, at(x, row * inner, type), wide.data(), count * inner);
    kernels().product({count, rank, inner, wide.data(), inner, 1, b, rank, out + row * rank, rank,
                       /*accumulate=*/false});
  });
}

// Columns of x [N, K], a block of rows at a time in float32: body(first row, rows, block [rows,
// cols]).
template <class Body>
void for_blocks(Type type, const void* x, int64_t rows, int64_t inner, int64_t col, int64_t cols,
                Body body) {
  float block[kBlock * kCols];
  for (int64_t row = 0; row < rows; row += kBlock) {
    const int64_t count = std::min(kBlock, rows - row);
    for (int64_t i = 0; i < count; ++i) {
      kernels().widen(type, at(x, (row + i) * inner + col, type), block + i * cols, cols);
    }
    body(row, count, block);
  }
}

// da [R, K] = dxa^T x.
void grad_a(Type type, const float* dxa, const void* x, int64_t rows, int64_t inner, int64_t rank,
            float* da) {
  for_each_piece(pieces_of(inner, kCols), [&](int64_t piece) {
    const int64_t col = piece * kCols, cols = std::min(kCols, inner - col);
    for (int64_t r = 0; r < rank; ++r) set_zero(da + r * inner + col, cols);
    for_blocks(type, x, rows, inner, col, cols, [&](int64_t row, int64_t count, float* block) {
      kernels().product({rank, cols, count, dxa + row * rank, 1, rank, block, cols, da + col, inner,
                         /*accumulate=*/true});
    });
  });
}

// db [O, R] = scale dy^T xa; scaled_xa is scale xa.
void grad_b(Type type, const void* dy, const float* scaled_xa, int64_t rows, int64_t outputs,
            int64_t rank, float* db) {
  for_each_piece(pieces_of(outputs, kCols), [&](int64_t piece) {
    const int64_t col = piece * kCols, cols = std::min(kCols, outputs - col);
    set_zero(db + col * rank, cols * rank);
    for_blocks(type, dy, rows, outputs, col, cols, [&](int64_t row, int64_t count, float* block) {
      kernels().product({cols, rank, count, block, 1, cols, scaled_xa + row * rank, rank,
                         db + col * rank, rank, /*accumulate=*/true});
    });
  });
}

Scratch<float> scaled(const float* from, int64_t count, float scale) {
  Scratch<float> to(count);
  for (int64_t i = 0; i < count; ++i) to[i] = scale * from[i];
  return to;
}

}  // namespace

void linear_lora(const Args& args) {
  args.counts(5, 2, 1);
  const Type type = args.activation(), weight = args.weight();
  const DLTensor& x = args.in(0, "x", dl_type(type), {-1, -1});
  const int64_t rows = x.shape[0], inner = x.shape[1];
  const DLTensor& w = args.in(1, "w", dl_type(weight), {-1, inner});
  const int64_t outputs = w.shape[0];
  const void* bias = args.maybe_in(2, "bias", dl_type(weight), {outputs});
  const DLTensor& a = args.in(3, "a", sdk::kFloat32, {-1, inner});
  const int64_t rank = a.shape[0];
  const DLTensor& b = args.in(4, "b", sdk::kFloat32, {outputs, rank});
  void* y = Args::memory(args.out(0, "y", dl_type(type), {rows, outputs}));
  auto* xa = sdk::elements<float>(args.out(1, "xa", sdk::kFloat32, {rows, rank}));

  Scratch<float> at_k(inner * rank);  // a^T [K, R]
  transpose(Type::kFloat32, Args::memory(a), inner, rank, inner, at_k.data(), rank);
  thin_product(type, Args::memory(x), rows, inner, at_k.data(), rank, xa);  // [N, R]
  const auto scale = static_cast<float>(args.scalar(0));
  const Scratch<float> scaled_b = scaled(sdk::elements<float>(b), outputs * rank, scale);
  Scratch<float> bt(rank * outputs);  // scale b^T [R, O]
  transpose(Type::kFloat32, scaled_b.data(), rank, outputs, rank, bt.data(), outputs);
  Scratch<float> wide_bias(outputs);
  if (bias != nullptr) kernels().widen(weight, bias, wide_bias.data(), outputs);
  const Dense dense{rows,
                    outputs,
                    inner,
                    {Args::memory(x), inner, type},
                    {Args::memory(w), inner, weight},
                    /*b_is_transposed=*/true};
  dense_product(dense, [&](const Tile& t) {
    kernels().finish({t.rows, t.cols, rank, t.values, t.values_row,
                      bias != nullptr ? wide_bias.data() + t.col : nullptr, xa + t.row * rank, rank,
                      bt.data() + t.col, outputs, at(y, t.row * outputs + t.col, type), outputs,
                      type});
  });
}

// dxa = scale dy b; dx = dy w + dxa a; da = dxa^T x; db = scale dy^T xa.
void linear_lora_grad(const Args& args) {
  args.counts(6, 3, 1);
  const Type type = args.activation(), weight = args.weight();
  const DLTensor& dy = args.in(0, "dy", dl_type(type), {-1, -1});
  const int64_t rows = dy.shape[0], outputs = dy.shape[1];
  const DLTensor& x = args.in(1, "x", dl_type(type), {rows, -1});
  const int64_t inner = x.shape[1];
  const DLTensor& w = args.in(2, "w", dl_type(weight), {outputs, inner});
  const DLTensor& a = args.in(3, "a", sdk::kFloat32, {-1, inner});
  const int64_t rank = a.shape[0];
  const DLTensor& b = args.in(4, "b", sdk::kFloat32, {outputs, rank});
  const DLTensor& xa = args.in(5, "xa", sdk::kFloat32, {rows, rank});
  void* dx = args.maybe_out(0, "dx", dl_type(type), {rows, inner});
  auto* da = sdk::elements<float>(args.out(1, "da", sdk::kFloat32, {rank, inner}));
  auto* db = sdk::elements<float>(args.out(2, "db", sdk::kFloat32, {outputs, rank}));

  const auto scale = static_cast<float>(args.scalar(0));
  const Scratch<float> scaled_b = scaled(sdk::elements<float>(b), outputs * rank, scale);
  const Scratch<float> scaled_xa = scaled(sdk::elements<float>(xa), rows * rank, scale);
  Scratch<float> dxa(rows * rank);  // [N, R]
  thin_product(type, Args::memory(dy), rows, outputs, scaled_b.data(), rank, dxa.data());
  grad_a(type, dxa.data(), Args::memory(x), rows, inner, rank, da);
  grad_b(type, Args::memory(dy), scaled_xa.data(), rows, outputs, rank, db);
  if (dx == nullptr) return;
  const Dense dense{rows,
                    inner,
                    outputs,
                    {Args::memory(dy), outputs, type},
                    {Args::memory(w), inner, weight},
                    /*b_is_transposed=*/false};
  const auto* factor = sdk::elements<float>(a);  // [R, K]
  dense_product(dense, [&](const Tile& t) {
    kernels().finish({t.rows, t.cols, rank, t.values, t.values_row, nullptr,
                      dxa.data() + t.row * rank, rank, factor + t.col, inner,
                      at(dx, t.row * inner + t.col, type), inner, type});
  });
}

}  // namespace mortise::device_cpu
