// The encoders of CLIP: the vision tower (also llava's) and the text tower.
// Called by model/model and infer/forward. Knows nothing of projectors' use or of decoders.
//
// Letters: I images, P patches of one, S = P + 1 with the class token, C channels, T packed tokens.
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

struct VisionTower {
  EncoderConfig config;
  at::Tensor class_embedding;  // [C]
  at::Tensor patch_weight;     // [C, 3, patch, patch]
  at::Tensor positions;        // [S, C]
  Norm pre_norm, post_norm;
  std::vector<EncoderLayer> layers;
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
// The class token of the last stream after post_layernorm. [I, C]
at::Tensor pool_vision(Pass& pass, const VisionTower& tower, const at::Tensor& last);

// ids int32 [T] packed by bounds, positions from 0 in each sequence -> streams [T, C] after 0 ..
// layers layers, then the one after final_layer_norm.
std::vector<at::Tensor> run_clip_text(Pass& pass, const ClipText& text, const at::Tensor& ids,
                                      const Bounds& bounds);

Gelu gelu_kind(const std::string& activation);

}  // namespace mortise::engine
