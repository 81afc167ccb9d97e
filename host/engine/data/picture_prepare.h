// Pictures as a model's tower takes them, and how many tokens of the text each one stands for: of a
// llava all images have one size and one count, of Qwen-VL each image and film has a grid of its
// own within a budget of pixels and frames, and a sound as many as it is long. One object serves
// training, evaluation and serving, so that a picture has the same tokens and values in all three.
// Called by train/batch and chat. Knows no tensors, no rows and no text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/data/image_patches.h"
#include "engine/data/image_prepare.h"
#include "engine/data/log_mel.h"
#include "engine/model/config.h"
#include "ingest/media_decode.h"

namespace mortise::engine {

struct PreparedPicture {
  ingest::MediaKind kind = ingest::MediaKind::kImage;
  int64_t tokens = 0;  // that stand for it in the text, from 1
  std::variant<PixelValues, PatchValues, LogMel> values;
  double seconds = 1;  // of a film: how long one frame of its grid lasts
};

class PictureProcessor {  // [parallel]
 public:
  PictureProcessor() = default;  // of a model that takes no pictures

  // For a model, from preprocessor_config.json of the first of `folders` that has one (else
  // "image_processor" or "feature_extractor" in its processor_config.json, else the family's
  // defaults); films by
  // video_preprocessor_config.json, else as images of at most 768 cells of 28 x 28 a frame. `media`
  // is that section of a job's manifest, or null: min_pixels, max_pixels, video_min_pixels,
  // video_max_pixels, fps, min_frames, max_frames. Errors: INVALID_ARGUMENT naming file and field,
  // for patches or spectra that are not the tower's, and for a budget where the model has none;
  // those of reading.
  static base::Result<PictureProcessor> read(base::FileOps& files,
                                             const std::vector<std::string>& folders,
                                             const ModelConfig& config, const base::Json& media);

  // How media are decoded for it: frames a second and at most, of a film.
  const ingest::MediaOptions& media_options() const { return media_; }
  // The most bytes that prepare() holds for a medium of this shape, its result included.
  uint64_t bytes_max(ingest::MediaKind kind, const ingest::MediumShape& shape) const;
  // Errors: INVALID_ARGUMENT for a kind that the model does not take, or a shape that it cannot
  // see; those of prepare_image and of log_mel. Of a sound's spectrum only the frames are given
  // that decide its features.
  base::Result<PreparedPicture> prepare(const ingest::Medium& medium) const;

  // Writes the budget beside a model that was trained with it, in the files and spellings of
  // transformers; nothing where `media` changed nothing. Errors: those of FileOps.
  base::Status save(base::FileOps& files, const std::string& folder) const;

 private:
  base::Status read_patches(base::FileOps& files, const std::string& folder,
                            const QwenVisionConfig& vision, const base::Json& media);
  base::Status read_sound(base::FileOps& files, const std::vector<std::string>& folders,
                          const AudioConfig& audio);
  base::Result<PreparedPicture> prepare_film(const ingest::Film& film) const;
  base::Result<PreparedPicture> prepare_sound(const ingest::Sound& sound) const;

  std::optional<ImageOptions> fixed_;
  int64_t fixed_tokens_ = 0;
  std::optional<PatchOptions> image_, film_;
  std::optional<LogMelOptions> sound_;
  AudioConfig tower_;  // of sound
  ingest::MediaOptions media_;
  base::Json image_json_, film_json_;  // as they were read
  bool is_changed_ = false;            // by `media`
};

}  // namespace mortise::engine
