// Sound to mono samples at a wanted rate, within limits: the one door to libsndfile. Reads WAV,
// FLAC, MP3, Ogg Vorbis and Opus, AIFF. Called by media_check. Memory does not
// grow with the length. Knows nothing of spectra.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ingest/byte_source.h"

namespace mortise::ingest {

struct AudioFacts {
  int64_t frames = 0;  // samples a channel; of an MP3 an estimate
  int rate = 0;        // Hz
  int channels = 0;
  double seconds() const { return static_cast<double>(frames) / rate; }
};

struct AudioLimits {
  double seconds_max = 4 * 3600;
  int channels_max = 16;
  int rate_min = 1000, rate_max = 384'000;  // Hz, of the file and as wanted
};

class AudioReader {  // [serial]
 public:
  // Reads the headers only. Errors: INVALID_ARGUMENT for what is no sound that is read here;
  // DATA_LOSS for a file that is cut or damaged; RESOURCE_EXHAUSTED over a limit; those of the
  // source.
  static base::Result<AudioReader> open(std::unique_ptr<ByteSource> source,
                                        const AudioLimits& limits = {});
  AudioReader(AudioReader&&) noexcept;
  AudioReader& operator=(AudioReader&&) noexcept;
  ~AudioReader();

  const AudioFacts& facts() const { return facts_; }
  // The next samples at the rate of the file, the mean of the channels, about -1 .. 1; 0 at the
  // end. Errors: DATA_LOSS where the file is cut or damaged, RESOURCE_EXHAUSTED past seconds_max,
  // which a header cannot get round.
  base::Result<size_t> read(std::span<float> out);

 private:
  struct State;
  explicit AudioReader(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
  AudioFacts facts_;
};

// How many samples `facts` become at `rate` Hz.
int64_t resampled_frames(const AudioFacts& facts, int rate);
// All that `reader` has left, resampled to `rate` Hz, from 1 on. Errors: as AudioReader::read.
base::Result<std::vector<float>> read_audio(AudioReader& reader, int rate);

}  // namespace mortise::ingest
