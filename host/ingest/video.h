// Film to a few frames in RGB, within limits: the one door to libavformat, libavcodec and
// libswscale. Reads MP4 and MOV, Matroska and WebM, AVI, MPEG; nothing but the given bytes is ever
// opened: no protocol is allowed, no reference to another file is followed. Called by media_check.
// Frames are not turned by a file's display matrix.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ingest/byte_source.h"
#include "ingest/image.h"

namespace mortise::ingest {

struct VideoFacts {
  int64_t frames = 0;  // in the file; after sample(), those that are shown
  int64_t width = 0, height = 0;
  double seconds = 0, fps = 0;  // 0 where the file does not tell
};

struct VideoLimits {
  double seconds_max = 4 * 3600;
  int64_t frames_max = 500'000;     // in the file
  int64_t pixels_max = 16'000'000;  // width times height
};

// What is taken of a film.
struct FrameBudget {
  int64_t frames_max = 32;             // evenly, the first and the last among them
  int64_t frame_pixels_max = 1 << 20;  // larger frames are made smaller, their shape kept
  // So many frames of each second, as far as the film tells its time: at least frames_min of them
  // and at most frames_max. 0: frames_max whatever the film's length.
  double fps = 0;
  int64_t frames_min = 1;
};

// How many frames are taken of `total` that are shown `film_fps` a second (0: not known).
int64_t frames_wanted(const FrameBudget& budget, int64_t total, double film_fps);

struct VideoFrame {
  Image image;
  int64_t index = 0;   // in the film, from 0
  double seconds = 0;  // when it is shown
};

class Video {  // [serial]
 public:
  // Walks over the whole file once without decoding. Errors: INVALID_ARGUMENT for what is no film
  // that is read here or has no frames; DATA_LOSS for a file that is cut or damaged;
  // RESOURCE_EXHAUSTED over a limit; UNIMPLEMENTED for a codec that is not read; those of the
  // source.
  static base::Result<Video> open(std::unique_ptr<ByteSource> source,
                                  const VideoLimits& limits = {});

  const VideoFacts& facts() const { return facts_; }
  // Frames in order, decoded from the start. One decoded frame and the frames that are given are in
  // memory. Errors: INVALID_ARGUMENT for a budget below 1; as open.
  base::Result<std::vector<VideoFrame>> sample(const FrameBudget& budget);

 private:
  Video(std::unique_ptr<ByteSource> source, const VideoLimits& limits)
      : source_(std::move(source)), limits_(limits) {}
  base::Status count();
  // As sample; sets facts_.frames to what was decoded where that is less than was counted.
  base::Result<std::vector<VideoFrame>> decode(const FrameBudget& budget);

  std::unique_ptr<ByteSource> source_;
  VideoLimits limits_;
  VideoFacts facts_;
};

// Which of `total` frames are taken: round(k * (total - 1) / (wanted - 1)); all when wanted is not
// less.
std::vector<int64_t> even_indices(int64_t total, int64_t wanted);

// A smaller picture of the same shape with at most `pixels_max` pixels; one that fits is given back
// as it is.
base::Result<Image> fit_pixels(Image image, int64_t pixels_max);

}  // namespace mortise::ingest
