#include "engine/model/decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <string>

#include "engine/model/recompute.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;

// Inverse frequencies [D/2], in fp32 as the reference computes them (Su et al. 2021).
std::vector<float> inverse_frequencies(const TextConfig& config) {
  const RopeConfig& rope = config.rope;
  std::vector<float> result(static_cast<size_t>(config.head_dim / 2));
  for (size_t i = 0; i < result.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    float inverse = 1.0f / std::pow(static_cast<float>(rope.theta), exponent);
    if (rope.type == "linear") inverse /= static_cast<float>(rope.factor);
    if (rope.type == "llama3") {
      // Long wavelengths are divided by the factor, short ones kept, those between blended.
      const double original = static_cast<double>(rope.original_positions);
      const double wavelength = 2 * std::numbers::pi / static_cast<double>(inverse);
      const double scaled = static_cast<double>(inverse) / rope.factor;
      if (wavelength > original / rope.low_freq_factor) {
        inverse = static_cast<float>(scaled);
      } else if (wavelength >= original / rope.high_freq_factor) {
        const double smooth = (original / wavelength - rope.low_freq_factor) /
                              (rope.high_freq_factor - rope.low_freq_factor);
        inverse = static_cast<float>((1 - smooth) * scaled + smooth * static_cast<double>(inverse));
      }
    }
    result[i] = inverse;
  }
  return result;
}

// Where in positions [axes, T] the axis of each frequency begins [D/2]: with mRoPE piece j of the
// frequencies takes axis j mod 3 (Wang et al. 2024).
std::vector<int64_t> axis_starts(const TextConfig& config, int64_t axes, int64_t rows) {
  std::vector<int64_t> starts;
  for (size_t j = 0; axes == 3 && j < config.rope.sections.size(); ++j) {
    const auto count = static_cast<size_t>(config.rope.sections[j]);
    starts.insert(starts.end(), count, static_cast<int64_t>(j % 3) * rows);
  }
  starts.resize(static_cast<size_t>(config.head_dim / 2), 0);
  return starts;
}

struct Rotation {
  Tensor cos, sin;  // [T, D] in the activations' type
};

// x [T, A*D] -> [T, A, D], normalised over each head when the layer has such a norm.
Tensor heads_of(Pass& pass, const Tensor& x, const Norm& norm, int64_t head_dim) {
  const int64_t heads = x.size(1) / head_dim;
  if (!norm.weight.defined()) return x.view({x.size(0), heads, head_dim});
  const Tensor flat = rms_norm(*pass.device, x.view({-1, head_dim}), norm.weight, norm.eps);
  return flat.view({x.size(0), heads, head_dim});
}

// Every sequence against its own cache: the rows are stored first, then attended with all before.
Tensor attend_cached(Pass& pass, size_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                     const DecoderInputs& in, const AttentionShape& shape) {
  std::vector<Tensor> outputs;
  for (size_t s = 0; s < in.caches.size(); ++s) {
    const int64_t begin = in.bounds.host[s], count = in.bounds.host[s + 1] - begin;
    KvCache& cache = *in.caches[s];
    cache.store(layer, k.narrow(0, begin, count), v.narrow(0, begin, count));
    const int64_t keys = cache.length() + count;
    outputs.push_back(attention(*pass.device, q.narrow(0, begin, count), cache.keys(layer, keys),
                                cache.values(layer, keys),
                                Bounds::of({0, static_cast<int32_t>(count)}),
                                Bounds::of({0, static_cast<int32_t>(keys)}), shape));
  }
  return outputs.size() == 1 ? outputs[0] : at::cat(outputs, 0);
}

// x [T, C] -> [T, C]
Tensor self_attention(Pass& pass, const Decoder& decoder, size_t index, const Tensor& x,
                      const Rotation& rotation, const DecoderInputs& in) {
  const DecoderLayer& layer = decoder.layers[index];
  const int64_t head_dim = decoder.config.head_dim;
  Tensor q = heads_of(pass, layer.q.forward(pass, x), layer.q_norm, head_dim);  // [T, H, D]
  Tensor k = heads_of(pass, layer.k.forward(pass, x), layer.k_norm, head_dim);  // [T, G, D]
  const Tensor v = layer.v.forward(pass, x).view({x.size(0), -1, head_dim});    // [T, G, D]
  q = rope(*pass.device, q, rotation.cos, rotation.sin);
  k = rope(*pass.device, k, rotation.cos, rotation.sin);
  const AttentionShape shape{1 / std::sqrt(static_cast<double>(head_dim)), true, layer.window};
  Tensor o;
  if (!in.caches.empty()) {
    o = attend_cached(pass, index, q, k, v, in, shape);
  } else if (in.key_rows.defined()) {
    o = attention(*pass.device, q, at::index_select(k, 0, in.key_rows),
                  at::index_select(v, 0, in.key_rows), in.bounds, in.key_bounds, shape);
  } else {
    o = attention(*pass.device, q, k, v, in.bounds, in.bounds, shape);
  }
  return layer.o.forward(pass, o.view({x.size(0), -1}));
}

// x [T, C] -> [T, C]
Tensor mlp(Pass& pass, const DecoderLayer& layer, const Tensor& x) {
  const Tensor gate = layer.gate.forward(pass, x);  // [T, F]
  const Tensor up = layer.up.forward(pass, x);      // [T, F]
  return layer.down.forward(pass, swiglu(*pass.device, gate, up));
}

// Between layers flow {the stream [T, C], what the last layer adds to it [T, C]}; before the first
// layer the stream alone. {norm of the sum, the sum}.
std::pair<Tensor, Tensor> next_norm(Pass& pass, const std::vector<Tensor>& flow, const Norm& norm) {
  if (flow.size() == 1) return {rms_norm(*pass.device, flow[0], norm.weight, norm.eps), flow[0]};
  return rms_norm_residual(*pass.device, flow[1], flow[0], norm.weight, norm.eps);
}

Tensor stream_of(const std::vector<Tensor>& flow) {
  return flow.size() == 1 ? flow[0] : flow[0] + flow[1];
}

std::vector<Tensor> decoder_layer(Pass& pass, const Decoder& decoder, size_t index,
                                  const std::vector<Tensor>& flow, const Rotation& rotation,
                                  const DecoderInputs& in) {
  const DecoderLayer& layer = decoder.layers[index];
  const auto [x, stream] = next_norm(pass, flow, layer.input_norm);
  const Tensor delta = self_attention(pass, decoder, index, x, rotation, in);
  const auto [y, sum] = next_norm(pass, {stream, delta}, layer.post_norm);
  return {sum, mlp(pass, layer, y)};
}

std::vector<Tensor> trained_of(const DecoderLayer& l) {
  return trained_tensors({&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down},
                         {&l.input_norm, &l.post_norm, &l.q_norm, &l.k_norm});
}

void check_room(const DecoderInputs& in) {
  for (size_t s = 0; s < in.caches.size(); ++s) {
    const int64_t count = in.bounds.host[s + 1] - in.bounds.host[s];
    if (in.caches[s]->length() + count > in.caches[s]->capacity()) {
      fail(base::Code::kResourceExhausted, "The sequence is longer than the " +
                                               std::to_string(in.caches[s]->capacity()) +
                                               " tokens its cache was made for.");
    }
  }
}

}  // namespace

KvCache::KvCache(const TextConfig& config, int64_t capacity, const Tensor& like)
    : capacity_(capacity) {
  for (int64_t i = 0; i < config.layers; ++i) {
    keys_.push_back(at::empty({capacity, config.kv_heads, config.head_dim}, like.options()));
    values_.push_back(at::empty({capacity, config.kv_heads, config.head_dim}, like.options()));
  }
}

void KvCache::store(size_t layer, const Tensor& k, const Tensor& v) {
  keys_[layer].narrow(0, length_, k.size(0)).copy_(k);
  values_[layer].narrow(0, length_, v.size(0)).copy_(v);
}

Tensor KvCache::keys(size_t layer, int64_t count) const {
  return keys_[layer].narrow(0, 0, count);
}
Tensor KvCache::values(size_t layer, int64_t count) const {
  return values_[layer].narrow(0, 0, count);
}

std::pair<Tensor, Tensor> rotary_table(const TextConfig& config, std::span<const int32_t> positions,
                                       int64_t axes) {
  const std::vector<float> inverse = inverse_frequencies(config);
  const int64_t half = static_cast<int64_t>(inverse.size());
  const int64_t rows = static_cast<int64_t>(positions.size()) / axes;
  const std::vector<int64_t> starts = axis_starts(config, axes, rows);
  const auto options = at::TensorOptions().dtype(at::kFloat);
  Tensor cos = at::empty({rows, 2 * half}, options), sin = at::empty({rows, 2 * half}, options);
  float* c = cos.mutable_data_ptr<float>();
  float* s = sin.mutable_data_ptr<float>();
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t i = 0; i < half; ++i) {
      const auto at = static_cast<size_t>(i);
      const auto place = static_cast<size_t>(starts[at] + t);
      const float angle = static_cast<float>(positions[place]) * inverse[at];
      c[t * 2 * half + i] = c[t * 2 * half + half + i] = std::cos(angle);
      s[t * 2 * half + i] = s[t * 2 * half + half + i] = std::sin(angle);
    }
  }
  return {cos, sin};
}

DecoderOutputs run_decoder(Pass& pass, const Decoder& decoder, const DecoderInputs& in) {
  check_room(in);
  DecoderOutputs out;
  const auto rows = static_cast<size_t>(in.embeds.size(0));
  const int64_t axes = in.positions.size() == 3 * rows ? 3 : 1;
  const auto [cos, sin] = rotary_table(decoder.config, in.positions, axes);
  const Rotation rotation{cos.to(in.embeds.options()), sin.to(in.embeds.options())};
  const auto shared =
      std::make_shared<const DecoderInputs>(DecoderInputs{.embeds = {},
                                                          .positions = {},
                                                          .bounds = in.bounds,
                                                          .key_rows = in.key_rows,
                                                          .key_bounds = in.key_bounds,
                                                          .caches = in.caches});
  std::vector<Tensor> flow = {in.embeds};
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    if (in.keep_states) out.states.push_back(stream_of(flow));
    flow = run_layer(pass, flow, trained_of(decoder.layers[i]),
                     [&decoder, i, rotation, shared](Pass& now, const std::vector<Tensor>& x) {
                       return decoder_layer(now, decoder, i, x, rotation, *shared);
                     });
  }
  auto [last, stream] = next_norm(pass, flow, decoder.norm);
  if (in.keep_states) out.states.push_back(stream);
  for (size_t s = 0; s < in.caches.size(); ++s) {
    in.caches[s]->advance(in.bounds.host[s + 1] - in.bounds.host[s]);
  }
  out.last = last;
  return out;
}

Tensor head_weight(const Decoder& decoder) {
  const Tensor& weight = decoder.head.weight.defined() ? decoder.head.weight : decoder.embed.weight;
  const LoraFactors* lora = decoder.head.lora;
  if (lora == nullptr) return weight;
  if (lora->dropout > 0 || lora->magnitude.defined()) {
    fail(base::Code::kUnimplemented, "Dropout and DoRA on lm_head are not computed by this engine.",
         "Leave lm_head out of target_modules, or set lora_dropout to 0 and use_dora to false.");
  }
  const Tensor delta = at::mm(lora->b, lora->a) * lora->scale;  // [V, C]
  return (weight.to(at::kFloat) + delta).to(weight.scalar_type());
}

}  // namespace mortise::engine
