// One decoder for the llama family (llama, mistral, qwen2, qwen3, the text of Qwen-VL) over packed
// rows, with or without a cache of keys and values. Called by model/model. Knows nothing of images,
// labels or files.
//
// Letters: T packed tokens, C channels, H query heads, G key and value heads, D head size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/config.h"
#include "engine/model/linear.h"
#include "engine/op/op.h"

namespace mortise::engine {

struct Norm {
  at::Tensor weight, bias;  // [C]; bias undefined in RMSNorm
  double eps = 1e-6;
};

struct DecoderLayer {
  Norm input_norm, post_norm;
  Norm q_norm, k_norm;  // undefined weights without qk_norm
  Linear q, k, v, o, gate, up, down;
  int32_t window = 0;
};

struct Decoder {
  TextConfig config;
  Embedding embed;
  std::vector<DecoderLayer> layers;
  Norm norm;
  Linear head;  // weight undefined when tied to embed
};

// Keys and values of one sequence, all layers. Not for training.
class KvCache {
 public:
  // Room for `capacity` tokens in `like`'s type. Throws RESOURCE_EXHAUSTED when memory is short.
  KvCache(const TextConfig& config, int64_t capacity, const at::Tensor& like);

  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  // Forgets all tokens from `length` on (length <= length()).
  void truncate(int64_t length) { length_ = length; }
  // Writes k, v [n, G, D] behind the stored tokens of this layer. advance() makes them count.
  void store(size_t layer, const at::Tensor& k, const at::Tensor& v);
  // The first `count` tokens, [count, G, D].
  at::Tensor keys(size_t layer, int64_t count) const;
  at::Tensor values(size_t layer, int64_t count) const;
  void advance(int64_t count) { length_ += count; }

 private:
  int64_t length_ = 0, capacity_ = 0;
  std::vector<at::Tensor> keys_, values_;
};

struct DecoderInputs {
  at::Tensor embeds;               // [T, C]
  std::vector<int32_t> positions;  // [T], or [3, T] with rope.sections
  Bounds bounds;                   // sequences of the rows
  at::Tensor key_rows;             // int32 [M]: keys of all sequences by row; undefined: their own
  Bounds key_bounds;               // of key_rows, one sequence a sequence
  std::vector<KvCache*> caches;    // one a sequence, or empty; advanced by the call
  bool keep_states = false;
};

struct DecoderOutputs {
  at::Tensor last;  // [T, C] after the final norm
  // keep_states: stream entering layer k at k, leaving the last layer at the end; [T, C] each.
  std::vector<at::Tensor> states;
};

// Throws OpFailure: RESOURCE_EXHAUSTED when a cache is full; what engine/op throws.
DecoderOutputs run_decoder(Pass& pass, const Decoder& decoder, const DecoderInputs& inputs);

// The head's weight [V, C] with its adapter folded in, differentiably.
at::Tensor head_weight(const Decoder& decoder);

// cos and sin [T, D] in fp32, as transformers computes them (with llama3 and linear scaling).
// positions [axes, T]; with 3 axes each of rope.sections takes its own, in turn.
std::pair<at::Tensor, at::Tensor> rotary_table(const TextConfig& config,
                                               std::span<const int32_t> positions,
                                               int64_t axes = 1);

}  // namespace mortise::engine
