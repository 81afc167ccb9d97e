// Sound at one rate to sound at another, a piece at a time: a windowed sinc as torchaudio's
// resample gives by default (Hann window, six zero crossings, roll-off 0.99). Called by audio.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mortise::ingest {

class Resampler {  // [serial]
 public:
  // Rates in Hz, at least 1. Equal rates pass samples through.
  Resampler(int64_t rate_in, int64_t rate_out);

  // Takes the next samples; finish() says that there are no more.
  void push(std::span<const float> samples);
  void finish() { is_finished_ = true; }
  // Gives up to out.size() samples; fewer when more input is wanted, or at the end. In all it gives
  // ceil(samples in * rate_out / rate_in).
  size_t pull(std::span<float> out);

 private:
  int64_t in_, out_;              // rates, divided by what they share
  int64_t width_ = 0, taps_ = 1;  // of the filter, in input samples
  std::vector<float> filter_;     // [out_ phases, taps_]
  std::vector<float> window_;     // input samples from begin_ on
  int64_t begin_ = 0;             // may be negative: silence before the first sample
  int64_t taken_ = 0, given_ = 0;
  bool is_finished_ = false;
};

}  // namespace mortise::ingest
