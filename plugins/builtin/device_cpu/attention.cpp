// The checked problem of attention; see attention.h.
#include "device_cpu/attention.h"

#include <algorithm>

namespace mortise::device_cpu {

Attention read_attention(const Args& args, uint32_t first, uint32_t bounds) {
  Attention p{};
  p.type = args.activation();
  const DLDataType dtype = dl_type(p.type);
  const DLTensor& q = args.strided_in(first, "q", dtype, {-1, -1, -1}, p.q_row);
  p.rows = q.shape[0], p.heads = q.shape[1], p.size = q.shape[2];
  const DLTensor& k = args.strided_in(first + 1, "k", dtype, {-1, -1, p.size}, p.k_row);
  p.keys = k.shape[0], p.groups = k.shape[1];
  const DLTensor& v = args.strided_in(first + 2, "v", dtype, {p.keys, p.groups, p.size}, p.v_row);
  if (p.groups == 0 || p.heads % p.groups != 0) {
    throw sdk::invalid_argument("attention: tensor \"q\" is " + sdk::describe(q) +
                                " and \"k\" is " + sdk::describe(k) +
                                "; the heads of q must be a multiple of those of k.");
  }
  const DLTensor& q_bounds = args.in(bounds, "q_bounds", sdk::kInt32, {-1});
  const DLTensor& k_bounds = args.in(bounds + 1, "k_bounds", sdk::kInt32, {q_bounds.shape[0]});
  args.check_bounds(q_bounds, "q_bounds", p.rows);
  args.check_bounds(k_bounds, "k_bounds", p.keys);
  p.sequences = q_bounds.shape[0] - 1;
  p.q = Args::memory(q);
  p.k = Args::memory(k);
  p.v = Args::memory(v);
  p.q_bounds = sdk::elements<const int32_t>(q_bounds);
  p.k_bounds = sdk::elements<const int32_t>(k_bounds);
  p.scale = static_cast<float>(args.scalar(0));
  p.causal = args.scalar(1) != 0;
  p.window = static_cast<int64_t>(args.scalar(2));
  return p;
}

const PairKernels* pairs_for(const Attention& p) {
  const bool fits = p.type == Type::kBfloat16 && p.size % 2 == 0 && p.q_row % 2 == 0 &&
                    p.k_row % 2 == 0 && p.v_row % 2 == 0;
  return fits ? pair_kernels() : nullptr;
}

Sequence sequence_of(const Attention& p, int64_t s) {
  return {p.q_bounds[s], p.q_bounds[s + 1] - p.q_bounds[s], p.k_bounds[s],
          p.k_bounds[s + 1] - p.k_bounds[s]};
}

Sight sight_of(const Attention& p, const Sequence& s, int64_t i) {
  int64_t end = s.k_count;
  if (p.causal) end = std::clamp(s.k_count - (s.q_count - 1 - i), int64_t{0}, s.k_count);
  return {p.window > 0 ? std::max(int64_t{0}, end - p.window) : 0, end};
}

void widen_rows(Type type, const void* x, int64_t row, int64_t rows, int64_t size, float* out) {
  for (int64_t i = 0; i < rows; ++i) {
    kernels().widen(type, at(x, i * row, type), out + i * size, size);
  }
}

}  // namespace mortise::device_cpu
