// What the forward and the backward pass of attention share: the checked problem, and which keys a
// row sees. Letters: N rows, M keys, H query heads, G key and value heads, r = H/G, D head size, S
// sequences.
#pragma once

#include "device_cpu/args.h"
#include "device_cpu/kernel/pairs.h"

namespace mortise::device_cpu {

constexpr int64_t kKeyTile = 128;  // keys of one tile

struct Attention {
  Type type;
  int64_t rows, keys, heads, groups, size, sequences;
  const void *q, *k, *v;               // [N,H,D], [M,G,D] twice
  int64_t q_row, k_row, v_row;         // elements between rows
  const int32_t *q_bounds, *k_bounds;  // [S+1]
  float scale;
  bool causal;
  int64_t window;

  int64_t heads_per_group() const { return heads / groups; }
};

// first: the index of "q" among the inputs; bounds: that of "q_bounds". Throws INVALID_ARGUMENT.
Attention read_attention(const Args& args, uint32_t first, uint32_t bounds);

// The kernels for pairs of bfloat16 when they fit this problem: bfloat16, and rows that are whole
// units. NULL: multiply in float32.
const PairKernels* pairs_for(const Attention& p);

// Units of a bfloat16 tensor from element i on.
inline const Unit* units(const void* data, int64_t i) {
  return reinterpret_cast<const Unit*>(static_cast<const uint16_t*>(data) + i);
}

// One sequence of the problem, in rows and keys of the tensors.
struct Sequence {
  int64_t q_begin, q_count, k_begin, k_count;
};
Sequence sequence_of(const Attention& p, int64_t s);

// Keys [first, end) of its sequence, from 0, that row i of the sequence sees.
struct Sight {
  int64_t first, end;
};
Sight sight_of(const Attention& p, const Sequence& s, int64_t i);

// `rows` rows of one head of x, whose rows lie `row` elements apart -> float [rows, D].
void widen_rows(Type type, const void* x, int64_t row, int64_t rows, int64_t size, float* out);

}  // namespace mortise::device_cpu
