#include "engine/model/clip.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index_select.h>

#include <cmath>

#include "engine/model/recompute.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;

Tensor normalise(Pass& pass, const Tensor& x, const Norm& norm) {
  return layer_norm(*pass.device, x, norm.weight, norm.bias, norm.eps);
}

// One layer of the encoder on packed rows x [T, C] (Radford et al. 2021: norm first).
Tensor encoder_layer(Pass& pass, const EncoderConfig& config, const EncoderLayer& layer,
                     const Tensor& x, const Bounds& bounds, bool causal) {
  const int64_t head_dim = config.hidden_size / config.heads;
  const auto heads = [&](const Tensor& y) { return y.view({x.size(0), -1, head_dim}); };
  const Tensor n = normalise(pass, x, layer.norm1);
  const AttentionShape shape{1 / std::sqrt(static_cast<double>(head_dim)), causal, 0};
  const Tensor o =
      attention(*pass.device, heads(layer.q.forward(pass, n)), heads(layer.k.forward(pass, n)),
                heads(layer.v.forward(pass, n)), bounds, bounds, shape);
  const Tensor h = x + layer.out.forward(pass, o.view({x.size(0), -1}));
  const Tensor inner = gelu(*pass.device, layer.fc1.forward(pass, normalise(pass, h, layer.norm2)),
                            gelu_kind(config.activation));
  return h + layer.fc2.forward(pass, inner);
}

}  // namespace

Tensor run_encoder_layer(Pass& pass, const EncoderConfig& config, const EncoderLayer& layer,
                         const Tensor& x, const Bounds& bounds, bool causal) {
  const auto trained =
      trained_tensors({&layer.q, &layer.k, &layer.v, &layer.out, &layer.fc1, &layer.fc2},
                      {&layer.norm1, &layer.norm2});
  return run_layer(pass, {x}, trained,
                   [&config, &layer, bounds, causal](Pass& now, const std::vector<Tensor>& in) {
                     return std::vector{encoder_layer(now, config, layer, in[0], bounds, causal)};
                   })[0];
}

namespace {

// [I, 3, H, W] -> [I*P, 3*patch*patch], patches row by row, inside one: channel, row, column.
Tensor patches_of(const EncoderConfig& config, const Tensor& pixels) {
  const int64_t patch = config.patch_size, side = config.image_size / patch;
  return pixels.narrow(2, 0, side * patch)
      .narrow(3, 0, side * patch)
      .reshape({pixels.size(0), config.channels, side, patch, side, patch})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({pixels.size(0) * side * side, config.channels * patch * patch});
}

void check_pixels(const EncoderConfig& config, const Tensor& pixels) {
  if (pixels.dim() == 4 && pixels.size(1) == config.channels &&
      pixels.size(2) == config.image_size && pixels.size(3) == config.image_size) {
    return;
  }
  std::string shape;
  for (const int64_t size : pixels.sizes()) {
    if (!shape.empty()) shape += ", ";
    shape += std::to_string(size);
  }
  const std::string side = std::to_string(config.image_size);
  fail(base::Code::kInvalidArgument,
       "pixel_values has the shape [" + shape + "], but the vision tower takes [images, " +
           std::to_string(config.channels) + ", " + side + ", " + side + "].",
       "Prepare the images with the preprocessor of this model.");
}

// 0, size, 2 size, ...: that many sequences of one length.
Bounds equal_bounds(int64_t count, int64_t size) {
  std::vector<int32_t> starts;
  for (int64_t i = 0; i <= count; ++i) starts.push_back(static_cast<int32_t>(i * size));
  return Bounds::of(std::move(starts));
}

// x [I*P, C] -> [I, C]: the probe of each image looks at its own patches.
Tensor pool_by_attention(Pass& pass, const VisionTower& tower, const Tensor& x) {
  const PoolingHead& head = tower.head;
  const int64_t channels = x.size(1), head_dim = channels / tower.config.heads;
  const int64_t tokens = tower.config.tokens(), images = x.size(0) / tokens;
  const auto part = [&](const Tensor& rows, int64_t index) {  // 0 query, 1 key, 2 value
    return linear(*pass.device, rows, head.in_weight.narrow(0, index * channels, channels),
                  head.in_bias.narrow(0, index * channels, channels))
        .view({rows.size(0), -1, head_dim});
  };
  const Tensor probe = head.probe.view({1, channels}).expand({images, channels}).contiguous();
  const AttentionShape shape{1 / std::sqrt(static_cast<double>(head_dim)), /*causal=*/false, 0};
  const Tensor o = attention(*pass.device, part(probe, 0), part(x, 1), part(x, 2),
                             equal_bounds(images, 1), equal_bounds(images, tokens), shape);
  const Tensor h = head.out.forward(pass, o.view({images, channels}));  // [I, C]
  const Tensor inner = gelu(*pass.device, head.fc1.forward(pass, normalise(pass, h, head.norm)),
                            gelu_kind(tower.config.activation));
  return h + head.fc2.forward(pass, inner);
}

}  // namespace

Gelu gelu_kind(const std::string& activation) {
  if (activation == "quick_gelu") return Gelu::kQuick;
  return activation == "gelu_pytorch_tanh" ? Gelu::kTanh : Gelu::kErf;
}

std::vector<Tensor> run_vision(Pass& pass, const VisionTower& tower, const Tensor& pixels,
                               int64_t last_layer) {
  const EncoderConfig& config = tower.config;
  check_pixels(config, pixels);
  const int64_t images = pixels.size(0), channels = config.hidden_size;
  const int64_t tokens = config.tokens();  // S
  const Tensor weight = tower.patch_weight.reshape({channels, -1});
  const Tensor rows = patches_of(config, pixels.to(weight.scalar_type()));  // [I*P, 3*patch*patch]
  const Tensor patches = linear(*pass.device, rows, weight, tower.patch_bias)
                             .view({images, config.patches(), channels});  // [I, P, C]
  Tensor x = patches;
  if (tower.class_embedding.defined()) {
    x = at::cat({tower.class_embedding.expand({images, 1, channels}), patches}, 1);  // [I, S, C]
  }
  x = (x + tower.positions).view({images * tokens, channels});
  if (tower.pre_norm.weight.defined()) x = normalise(pass, x, tower.pre_norm);
  const Bounds bounds = equal_bounds(images, tokens);
  std::vector<Tensor> states = {x.view({images, tokens, channels})};
  for (int64_t i = 0; i < last_layer; ++i) {
    x = run_encoder_layer(pass, config, tower.layers[static_cast<size_t>(i)], x, bounds,
                          /*causal=*/false);
    states.push_back(x.view({images, tokens, channels}));
  }
  return states;
}

PooledVision pool_vision(Pass& pass, const VisionTower& tower, const Tensor& last) {
  if (!tower.config.is_siglip) {
    return {Tensor(), normalise(pass, last.select(1, 0).contiguous(), tower.post_norm)};
  }
  const int64_t images = last.size(0), tokens = last.size(1), channels = last.size(2);
  const Tensor normed = normalise(pass, last.view({-1, channels}), tower.post_norm);  // [I*P, C]
  return {normed.view({images, tokens, channels}), pool_by_attention(pass, tower, normed)};
}

std::vector<Tensor> run_clip_text(Pass& pass, const ClipText& text, const Tensor& ids,
                                  const Bounds& bounds) {
  std::vector<int32_t> positions;
  for (int64_t s = 0; s < bounds.sequences(); ++s) {
    const auto at = static_cast<size_t>(s);
    for (int32_t i = bounds.host[at]; i < bounds.host[at + 1]; ++i) {
      positions.push_back(i - bounds.host[at]);
    }
  }
  const Tensor places = int_tensor(positions);
  Tensor x = text.tokens.forward(pass, ids) + embedding(*pass.device, places, text.positions);
  std::vector<Tensor> states = {x};
  for (const EncoderLayer& layer : text.layers) {
    x = run_encoder_layer(pass, text.config, layer, x, bounds, /*causal=*/!text.config.is_siglip);
    states.push_back(x);
  }
  states.push_back(normalise(pass, x, text.final_norm));
  return states;
}

}  // namespace mortise::engine
