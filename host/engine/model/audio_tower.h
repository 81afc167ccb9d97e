// Whisper's encoder (Radford et al. 2022), also the audio tower of Qwen2-Audio (Chu et al. 2024),
// which averages two steps into one: two convolutions in time, fixed positions, layers that look
// both ways. Clips of any length run end to end, each seeing itself alone. Called by model/model
// and infer/forward. Knows nothing of decoders or of how sound becomes spectra.
//
// Letters: F frames of a spectrum, B its bins, L steps after the convolutions, M features, C
// channels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/model/clip.h"
#include "engine/model/config.h"
#include "engine/model/linear.h"

namespace mortise::engine {

struct AudioTower {
  AudioConfig config;
  at::Tensor conv1_weight, conv1_bias;  // [C, B, 3], [C]
  at::Tensor conv2_weight, conv2_bias;  // [C, C, 3], [C]
  at::Tensor positions;                 // [positions_max, C]; never trains
  std::vector<EncoderLayer> layers;
  Norm norm;
};

// One clip. Of a spectrum that was padded with silence, the frames behind
// AudioConfig::frames_needed(heard)
// change nothing and may be left out.
struct SoundClip {
  int64_t frames = 0;  // in mels, from 1
  int64_t heard = 0;   // those that are of the sound, 1 .. 2 * positions_max
};

// Clips end to end.
struct SoundBatch {
  at::Tensor mels;  // [sum of frames, B]; undefined: none
  std::vector<SoundClip> clips;
};

// Features [M, C] after the last norm, clip by clip. `states`, unless nullptr, gets the streams
// [sum of L, C] after 0 .. layers layers. Throws OpFailure: INVALID_ARGUMENT naming both numbers
// for clips that do not fit their frames or the tower; what engine/op throws.
at::Tensor run_audio_tower(Pass& pass, const AudioTower& tower, const SoundBatch& sounds,
                           std::vector<at::Tensor>* states = nullptr);

}  // namespace mortise::engine
