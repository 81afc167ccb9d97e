// See audio_tower.h. A convolution is a product with the rows that it looks at.
#include "engine/model/audio_tower.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <string>

#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;

void check_sounds(const AudioConfig& config, const SoundBatch& sounds) {
  int64_t frames = 0;
  for (const SoundClip& clip : sounds.clips) {
    if (clip.heard < 1 || clip.heard > config.frames_max()) {
      fail(Code::kInvalidArgument,
           "A clip has " + std::to_string(clip.heard) + " frames; the audio tower takes 1 to " +
               std::to_string(config.frames_max()) + ".",
           "Cut the sound into pieces.");
    }
    if (clip.frames < clip.heard) {
      fail(Code::kInvalidArgument, "A clip of " + std::to_string(clip.heard) +
                                       " frames was given with " + std::to_string(clip.frames) +
                                       " of its spectrum.");
    }
    frames += clip.frames;
  }
  const Tensor& mels = sounds.mels;
  if (mels.dim() == 2 && mels.size(0) == frames && mels.size(1) == config.mel_bins) return;
  std::string shape;
  for (const int64_t size : mels.sizes())
    shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  fail(Code::kInvalidArgument,
       "The spectra have the shape [" + shape + "], but " + std::to_string(sounds.clips.size()) +
           " clips of this tower take [" + std::to_string(frames) + ", " +
           std::to_string(config.mel_bins) + "].",
       "Prepare the sound with the preprocessor of this model.");
}

// What a kernel of three sees at every `stride`-th row of x [N, K], zeros before and behind:
// [N', 3 K].
Tensor windows_of(const Tensor& x, int64_t before, int64_t behind, int64_t stride) {
  return at::constant_pad_nd(x, {0, 0, before, behind})
      .unfold(0, 3, stride)  // [N', K, 3]
      .reshape({-1, 3 * x.size(1)});
}

Tensor convolve(Pass& pass, const std::vector<Tensor>& windows, const Tensor& weight,
                const Tensor& bias) {
  const Tensor kernel = weight.reshape({weight.size(0), -1});  // [C, 3 K]
  return gelu(*pass.device, linear(*pass.device, at::cat(windows, 0), kernel, bias), Gelu::kErf);
}

// Both convolutions: [sum of L, C]. Of a clip only the frames count that its L steps look at.
Tensor run_convolutions(Pass& pass, const AudioTower& tower, const SoundBatch& sounds) {
  const Tensor mels = sounds.mels.to(tower.conv1_weight.scalar_type());
  std::vector<Tensor> windows;
  int64_t at = 0;
  for (const SoundClip& clip : sounds.clips) {
    const int64_t used = std::min(clip.frames, AudioConfig::frames_needed(clip.heard));
    windows.push_back(windows_of(mels.narrow(0, at, used), 1, 1, 1));
    at += clip.frames;
  }
  const Tensor inner = convolve(pass, windows, tower.conv1_weight, tower.conv1_bias);
  std::vector<Tensor> second;
  at = 0;
  for (size_t i = 0; i < windows.size(); ++i) {
    const int64_t wanted = 2 * AudioConfig::steps(sounds.clips[i].heard),
                  there = windows[i].size(0);
    const int64_t used = std::min(wanted, there);  // the row behind them saw a frame left out
    second.push_back(windows_of(inner.narrow(0, at, used), 1, wanted - used, 2));
    at += there;
  }
  return convolve(pass, second, tower.conv2_weight, tower.conv2_bias);
}

// The mean of each two steps of a clip; an odd last one is left out. x [sum of L, C]
Tensor pool_pairs(const Tensor& x, const std::vector<SoundClip>& clips) {
  std::vector<Tensor> pooled;
  int64_t at = 0;
  for (const SoundClip& clip : clips) {
    const int64_t steps = AudioConfig::steps(clip.heard), pairs = steps / 2;
    pooled.push_back(x.narrow(0, at, 2 * pairs).view({pairs, 2, x.size(1)}).mean(1));
    at += steps;
  }
  return at::cat(pooled, 0);
}

}  // namespace

Tensor run_audio_tower(Pass& pass, const AudioTower& tower, const SoundBatch& sounds,
                       std::vector<Tensor>* states) {
  check_sounds(tower.config, sounds);
  std::vector<Tensor> places;
  std::vector<int32_t> bounds = {0};
  for (const SoundClip& clip : sounds.clips) {
    const int64_t steps = AudioConfig::steps(clip.heard);
    places.push_back(tower.positions.narrow(0, 0, steps));
    bounds.push_back(bounds.back() + static_cast<int32_t>(steps));
  }
  const Bounds clips = Bounds::of(std::move(bounds));
  Tensor x = run_convolutions(pass, tower, sounds) + at::cat(places, 0);  // [sum of L, C]
  if (states != nullptr) states->push_back(x);
  for (const EncoderLayer& layer : tower.layers) {
    x = run_encoder_layer(pass, tower.config.layers, layer, x, clips, /*causal=*/false);
    if (states != nullptr) states->push_back(x);
  }
  if (tower.config.pools) x = pool_pairs(x, sounds.clips);
  return layer_norm(*pass.device, x, tower.norm.weight, tower.norm.bias, tower.norm.eps);
}

}  // namespace mortise::engine
