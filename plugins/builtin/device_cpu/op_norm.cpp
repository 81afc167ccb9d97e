// RMSNorm and LayerNorm with their gradients, a block of rows to a piece. Gradients of the weights
// are summed within each block, then over the blocks in order. Letters: N rows, C channels.
#include <algorithm>

#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kBlock = 64;  // rows of one piece

// Sums of the blocks [blocks, C] -> out [C]; nothing when out is NULL.
void sum_blocks(const Scratch<float>& partial, int64_t blocks, int64_t channels, float* out) {
  if (out == nullptr) return;
  set_zero(out, channels);
  for (int64_t i = 0; i < blocks; ++i) {
    kernels().add(partial.data() + i * channels, out, channels);
  }
}

// Zeroed partial sums, one row a block; nothing when they are not wanted.
Scratch<float> partial_sums(const void* wanted, int64_t blocks, int64_t channels) {
  if (wanted == nullptr) return {};
  Scratch<float> partial(blocks * channels);
  set_zero(partial.data(), blocks * channels);
  return partial;
}

float* row_of(const Scratch<float>& partial, int64_t block, int64_t channels) {
  return partial.data() == nullptr ? nullptr : partial.data() + block * channels;
}

// data + i elements; NULL stays NULL.
const void* from_row(const void* data, int64_t i, Type type) {
  return data == nullptr ? nullptr : at(data, i, type);
}
void* from_row(void* data, int64_t i, Type type) {
  return data == nullptr ? nullptr : at(data, i, type);
}

}  // namespace

void rms_norm(const Args& args) {
  args.counts(3, 3, 1);
  const Type type = args.activation();
  const DLDataType dtype = dl_type(type);
  const DLTensor& x = args.in(0, "x", dtype, {-1, -1});
  const int64_t rows = x.shape[0], channels = x.shape[1];
  const void* weight = Args::memory(args.in(1, "weight", dtype, {channels}));
  const void* residual = args.maybe_in(2, "residual", dtype, {rows, channels});
  void* y = Args::memory(args.out(0, "y", dtype, {rows, channels}));
  auto* rstd = sdk::elements<float>(args.out(1, "rstd", sdk::kFloat32, {rows}));
  void* sum = args.maybe_out(2, "sum", dtype, {rows, channels});
  const auto eps = static_cast<float>(args.scalar(0));
  for_each_piece(pieces_of(rows, kBlock), [&](int64_t piece) {
    const int64_t row = piece * kBlock, first = row * channels;
    kernels().rms_norm(
        type, {std::min(kBlock, rows - row), channels, at(Args::memory(x), first, type), weight,
               from_row(residual, first, type), at(y, first, type), from_row(sum, first, type),
               rstd + row, eps});
  });
}

void rms_norm_grad(const Args& args) {
  args.counts(4, 2, 0);
  const Type type = args.activation();
  const DLDataType dtype = dl_type(type);
  const DLTensor& dy = args.in(0, "dy", dtype, {-1, -1});
  const int64_t rows = dy.shape[0], channels = dy.shape[1];
  const void* s = Args::memory(args.in(1, "s", dtype, {rows, channels}));
  const void* weight = Args::memory(args.in(2, "weight", dtype, {channels}));
  const auto* rstd = sdk::elements<float>(args.in(3, "rstd", sdk::kFloat32, {rows}));
  void* dx = Args::memory(args.out(0, "dx", dtype, {rows, channels}));
  auto* dweight = static_cast<float*>(args.maybe_out(1, "dweight", sdk::kFloat32, {channels}));
  const int64_t blocks = pieces_of(rows, kBlock);
  const Scratch<float> partial = partial_sums(dweight, blocks, channels);
  for_each_piece(blocks, [&](int64_t piece) {
    const int64_t row = piece * kBlock, first = row * channels;
    kernels().rms_norm_grad(
        type, {std::min(kBlock, rows - row), channels, at(Args::memory(dy), first, type),
               at(s, first, type), weight, rstd + row, at(dx, first, type),
               row_of(partial, piece, channels)});
  });
  sum_blocks(partial, blocks, channels, dweight);
}

void layer_norm(const Args& args) {
  args.counts(3, 3, 1);
  const Type type = args.activation();
  const DLDataType dtype = dl_type(type);
  const DLTensor& x = args.in(0, "x", dtype, {-1, -1});
  const int64_t rows = x.shape[0], channels = x.shape[1];
  const void* weight = Args::memory(args.in(1, "weight", dtype, {channels}));
  const void* bias = Args::memory(args.in(2, "bias", dtype, {channels}));
  void* y = Args::memory(args.out(0, "y", dtype, {rows, channels}));
  auto* mean = sdk::elements<float>(args.out(1, "mean", sdk::kFloat32, {rows}));
  auto* rstd = sdk::elements<float>(args.out(2, "rstd", sdk::kFloat32, {rows}));
  const auto eps = static_cast<float>(args.scalar(0));
  for_each_piece(pieces_of(rows, kBlock), [&](int64_t piece) {
    const int64_t row = piece * kBlock, first = row * channels;
    kernels().layer_norm(
        type, {std::min(kBlock, rows - row), channels, at(Args::memory(x), first, type), weight,
               bias, at(y, first, type), mean + row, rstd + row, eps});
  });
}

void layer_norm_grad(const Args& args) {
  args.counts(5, 3, 0);
  const Type type = args.activation();
  const DLDataType dtype = dl_type(type);
  const DLTensor& dy = args.in(0, "dy", dtype, {-1, -1});
  const int64_t rows = dy.shape[0], channels = dy.shape[1];
  const void* x = Args::memory(args.in(1, "x", dtype, {rows, channels}));
  const void* weight = Args::memory(args.in(2, "weight", dtype, {channels}));
  const auto* mean = sdk::elements<float>(args.in(3, "mean", sdk::kFloat32, {rows}));
  const auto* rstd = sdk::elements<float>(args.in(4, "rstd", sdk::kFloat32, {rows}));
  void* dx = Args::memory(args.out(0, "dx", dtype, {rows, channels}));
  auto* dweight = static_cast<float*>(args.maybe_out(1, "dweight", sdk::kFloat32, {channels}));
  auto* dbias = static_cast<float*>(args.maybe_out(2, "dbias", sdk::kFloat32, {channels}));
  const int64_t blocks = pieces_of(rows, kBlock);
  const Scratch<float> weights = partial_sums(dweight, blocks, channels);
  const Scratch<float> biases = partial_sums(dbias, blocks, channels);
  for_each_piece(blocks, [&](int64_t piece) {
    const int64_t row = piece * kBlock, first = row * channels;
    kernels().layer_norm_grad(
        type, {std::min(kBlock, rows - row), channels, at(Args::memory(dy), first, type),
               at(x, first, type), weight, mean + row, rstd + row, at(dx, first, type),
               row_of(weights, piece, channels), row_of(biases, piece, channels)});
  });
  sum_blocks(weights, blocks, channels, dweight);
  sum_blocks(biases, blocks, channels, dbias);
}

}  // namespace mortise::device_cpu
