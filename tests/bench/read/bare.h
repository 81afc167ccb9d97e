// The libraries by themselves, as little around them as can be: what the host's decoders are
// measured against.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mortise::bench {

// An RGB picture, [height, width, 3], as a JPEG of quality 90 with 4:2:0 colours.
std::string jpeg_of(const std::vector<uint8_t>& pixels, int width, int height);

class BareJpeg {  // one decompressor and one buffer for all
 public:
  BareJpeg();
  ~BareJpeg();
  void decode(const std::string& jpeg);

 private:
  void* turbo_;
  std::vector<uint8_t> pixels_;
};

int64_t bare_sound_frames(const std::string& path);  // decoded with libsndfile
int64_t bare_film_frames(const std::string& path);   // decoded with libavcodec, not converted
std::string library_versions();                      // "libavcodec 59.37, libsndfile-1.2.0"
std::string flac_of(const std::vector<float>& samples, int rate);

}  // namespace mortise::bench
