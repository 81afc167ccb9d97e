// One medium of a row, from its file to what a model takes: pixels, samples, frames. It is opened
// first and decoded later, so that what it will hold in memory is known before it is held. Called
// by engine/data. Reads by position, so a sealed object never becomes a plain file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ingest/audio.h"
#include "ingest/image.h"
#include "ingest/video.h"

namespace mortise::ingest {

// Where media lie, under the names that rows use. [parallel]
class MediaFiles {
 public:
  virtual ~MediaFiles() = default;
  // Errors: NOT_FOUND naming it; those of the file.
  virtual base::Result<std::unique_ptr<base::File>> open_medium(const std::string& name) const = 0;
  // The names directly below a folder; none when there is no such folder.
  virtual base::Result<std::vector<std::string>> media_below(const std::string& folder) const = 0;
};

enum class MediaKind { kImage, kAudio, kVideo };

struct MediaOptions {
  ImageLimits image = {};
  int audio_rate = 16'000;  // Hz, of the samples that are given
  AudioLimits audio = {};
  VideoLimits video = {};
  FrameBudget frames = {};
  double picture_fps = 0;  // of a film that is a sequence of pictures; 0: not known
  uint64_t file_bytes_max = UINT64_C(256) << 20;  // of a picture, which is read whole
};

struct Sound {
  int rate = 0;                // Hz
  std::vector<float> samples;  // mono, about -1 .. 1
};
struct Film {
  std::vector<VideoFrame> frames;
};
using Medium = std::variant<Image, Sound, Film>;
uint64_t size_bytes(const Medium& medium);

// As far as its head tells: a picture has one frame, of a film those that will be taken; a sound is
// all 0. A film's frames may come out fewer and smaller.
struct MediumShape {
  int64_t frames = 0, width = 0, height = 0;
};

class OpenMedium {  // [serial]
 public:
  // names: one, or the pictures of a film in order. A film's one name is a film file, a folder of
  // pictures or a tar of them. Reads heads and, of a film, packets; decodes nothing. `files`
  // outlives this. Errors: those of MediaFiles, image_size, AudioReader, Video and frame_sequence,
  // naming the file; INVALID_ARGUMENT for several names of what is no film.
  static base::Result<OpenMedium> open(const MediaFiles& files, MediaKind kind,
                                       const std::vector<std::string>& names,
                                       const MediaOptions& options);
  // The most that decode() holds at a time, its result included. Of an MP3 without a table of
  // its length this is an estimate.
  uint64_t bytes_max() const { return bytes_max_; }
  const MediumShape& shape() const { return shape_; }
  // Once. Errors: DATA_LOSS and those of open for what only shows when it is decoded, naming the
  // file.
  base::Result<Medium> decode();

  struct Source;  // one of the ways in which a medium lies in files

 private:
  OpenMedium(std::unique_ptr<Source> source, uint64_t bytes_max, MediumShape shape,
             std::string name);

  std::unique_ptr<Source> source_;
  uint64_t bytes_max_;
  MediumShape shape_;
  std::string name_;

 public:
  OpenMedium(OpenMedium&&) noexcept;
  OpenMedium& operator=(OpenMedium&&) noexcept;
  ~OpenMedium();
};

}  // namespace mortise::ingest
