// The encoders of CLIP and SigLIP: the vision tower (CLIP's is also llava's) and the text tower.
// Called by model/model, model/audio_tower and infer/forward. Knows nothing of projectors' use or
// of decoders.
//
// Letters: I images, P patches of one, S = P + 1 with the class token (SigLIP: P), C channels, T
// packed tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/model/config.h"
#include "engine/model/decoder.h"
#include "engine/model/linear.h"

namespace mortise::engine {

struct EncoderLayer {
  Norm norm1, norm2;
  Linear q, k, v, out, fc1, fc2;
};

// SigLIP's pooling (Zhai et al. 2022): one learnt query attends to all patches, then an MLP.
struct PoolingHead {
  at::Tensor probe;               // [1, 1, C]
  at::Tensor in_weight, in_bias;  // [3*C, C], [3*C]: query, key, value
  Linear out, fc1, fc2;
  Norm norm;
};

struct VisionTower {
  EncoderConfig config;
  at::Tensor class_embedding;  // [C]; CLIP
  at::Tensor patch_weight;     // [C, 3, patch, patch]
  at::Tensor patch_bias;       // [C]; SigLIP
  at::Tensor positions;        // [S, C]
  Norm pre_norm, post_norm;    // pre_norm without weights in SigLIP
  std::vector<EncoderLayer> layers;
  PoolingHead head;  // SigLIP
};

struct ClipText {
  EncoderConfig config;
  Embedding tokens;
  at::Tensor positions;  // [positions_max, C]
  Norm final_norm;
  std::vector<EncoderLayer> layers;
};

// pixels [I, 3, H, W] -> the streams after 0 .. last_layer layers, [I, S, C] each. Throws OpFailure
// INVALID_ARGUMENT naming both sizes when the images are not as the tower was made for.
std::vector<at::Tensor> run_vision(Pass& pass, const VisionTower& tower, const at::Tensor& pixels,
                                   int64_t last_layer);
struct PooledVision {
  at::Tensor normed;  // [I, S, C] after post_layernorm; SigLIP
  at::Tensor pooled;  // [I, C]
};
// From the last stream: CLIP's class token after post_layernorm; SigLIP's pooling of all tokens.
PooledVision pool_vision(Pass& pass, const VisionTower& tower, const at::Tensor& last);

// ids int32 [T] packed by bounds, positions from 0 in each sequence -> streams [T, C] after 0 ..
// layers layers, then the one after final_layer_norm.
std::vector<at::Tensor> run_clip_text(Pass& pass, const ClipText& text, const at::Tensor& ids,
                                      const Bounds& bounds);

// One layer of the encoder on packed rows x [T, C] (Radford et al. 2021: norm first), run once more
// in the backward pass under Pass::recompute: config and layer live until then. Whisper's are
// the same, without a bias on k.
at::Tensor run_encoder_layer(Pass& pass, const EncoderConfig& config, const EncoderLayer& layer,
                             const at::Tensor& x, const Bounds& bounds, bool causal);

Gelu gelu_kind(const std::string& activation);

}  // namespace mortise::engine
