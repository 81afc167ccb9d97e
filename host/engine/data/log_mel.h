// Sound as the log-mel spectrum that Whisper's encoder takes (Radford et al. 2022), as
// transformers' WhisperFeatureExtractor computes it, chosen by preprocessor_config.json. Called by
// data/picture_prepare and chat/sound_tensors. Knows no files of sound, no tensors and no text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::engine {

struct LogMelOptions {
  int64_t bins = 80;
  int64_t rate = 16'000;          // Hz, of the samples
  int64_t fft_size = 400;         // samples of a frame
  int64_t hop = 160;              // samples from one frame to the next
  int64_t samples_max = 480'000;  // the longest sound; "chunk_length" seconds
  bool pads = true;               // shorter ones with silence to samples_max; "padding"

  int64_t frames_max() const { return samples_max / hop; }
};

// The fields feature_size, sampling_rate, n_fft, hop_length, chunk_length and padding
// ("max_length", the default, "longest" or false) of preprocessor_config.json; absent ones as
// `defaults` has them. Errors: INVALID_ARGUMENT naming a field of a wrong kind or out of range;
// UNIMPLEMENTED for another feature_extractor_type than WhisperFeatureExtractor, and for noise
// ("dither").
base::Result<LogMelOptions> parse_log_mel(const base::Json& json, const LogMelOptions& defaults);

struct LogMel {
  std::vector<float> values;  // [frames, bins]
  int64_t frames = 0, bins = 0;
  int64_t heard = 0;  // frames that begin within the sound; behind them is silence
};

// The first frames_wanted frames, or all where that is 0 or more than there are. Errors:
// INVALID_ARGUMENT for a sound without samples, one that is longer than samples_max (naming both in
// seconds), one too short for a frame where nothing is padded.
base::Result<LogMel> log_mel(std::span<const float> samples, const LogMelOptions& options,
                             int64_t frames_wanted = 0);

// One triangle on the mel scale: weights of the spectrum's bins from `begin` on.
struct MelFilter {
  size_t begin = 0;
  std::vector<double> weights;
};
// Slaney's scale and norm, 0 Hz to half the rate. (Auditory Toolbox, Slaney 1998)
std::vector<MelFilter> mel_filters(const LogMelOptions& options);

}  // namespace mortise::engine
