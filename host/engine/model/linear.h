// The two layers that LoRA can attach to: Linear and Embedding, with the slot for its factors.
// Made by engine/model when a checkpoint is loaded; engine/lora fills `lora`; engine/train sets
// requires_grad on what trains. A tensor trains exactly when its requires_grad() is true: there is
// no second flag.
//
// Letters: N rows (packed tokens), K inputs, O outputs, R rank, V vocabulary, C channels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "engine/op/device.h"

namespace mortise::engine {

// One run through the model. Not shared between threads.
struct Pass {
  Device* device = nullptr;    // never nullptr when forward is called
  bool training = false;       // dropout is on
  uint64_t dropout_seed = 0;   // a mask is a function of this seed and of the number of the call
  uint64_t dropout_calls = 0;  // counts up; the train loop stores nothing else to resume exactly
  bool recompute = false;      // layers run again in the backward pass: model/recompute.h
};

// Low-rank factors of one layer (Hu et al. 2021, equation 3), fp32 whatever the base is. Owned by
// the adapter that attached them.
struct LoraFactors {
  at::Tensor a;          // [R, K]; of an embedding [R, V] (lora_embedding_A)
  at::Tensor b;          // [O, R]; of an embedding [C, R] (lora_embedding_B)
  at::Tensor magnitude;  // [O] (DoRA, Liu et al. 2024); undefined without
  double scale = 1;      // alpha/r, or alpha/sqrt(r) with rsLoRA
  double dropout = 0;    // of the input of A; 0 .. <1; used only while Pass::training
};

// y = x weight^T + bias, plus the low-rank part when there is one.
struct Linear {
  std::string name;   // module path of transformers: "model.layers.0.self_attn.q_proj"
  at::Tensor weight;  // [O, K], bf16 or fp32
  at::Tensor bias;    // [O] of the same type; undefined without
  LoraFactors* lora = nullptr;

  // x [N, K] -> [N, O] in x's type. Throws what engine/op throws.
  at::Tensor forward(Pass& pass, const at::Tensor& x) const;
};

// y = weight[ids], plus the low-rank part when there is one.
struct Embedding {
  std::string name;   // "model.embed_tokens"
  at::Tensor weight;  // [V, C]
  LoraFactors* lora = nullptr;

  // ids int32 [N] -> [N, C] in the weight's type.
  at::Tensor forward(Pass& pass, const at::Tensor& ids) const;
};

// The weight that a merge of `lora` into `weight` gives: W + scale * B A, with DoRA rescaled by
// magnitude / norm of each row; computed in fp32, rounded once to weight's type. [O, K]
at::Tensor merged_weight(const at::Tensor& weight, const LoraFactors& lora);

}  // namespace mortise::engine
