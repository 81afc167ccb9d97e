// An image as a vision tower wants it: resized, cropped, scaled and normalised exactly as the PIL
// processors of transformers do (CLIP, llava, SigLIP). Called by engine/data/batch, serve and
// `mortise media preprocess`. Knows no tensors and no files.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"
#include "ingest/image.h"

namespace mortise::engine {

using ingest::Image;

enum class Resample : int { kBilinear = 2, kBicubic = 3 };  // Pillow's numbers

struct ImageOptions {
  bool do_resize = true, do_center_crop = true, do_rescale = true, do_normalize = true;
  Resample resample = Resample::kBicubic;
  int64_t shortest_edge = 224;        // the shorter side becomes this; 0: exactly as below
  int64_t height = 224, width = 224;  // used when shortest_edge is 0
  int64_t crop_height = 224, crop_width = 224;
  double rescale_factor = 1.0 / 255;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};
};

// Values [3, height, width].
struct PixelValues {
  int64_t height = 0, width = 0;
  std::vector<float> values;
};

// From preprocessor_config.json. Errors: INVALID_ARGUMENT naming the field; UNIMPLEMENTED for a
// processor, padding or filter that is not known here.
base::Result<ImageOptions> parse_image_options(const base::Json& json);
// folder/preprocessor_config.json; without one CLIP's defaults at image_size. Errors also those of
// reading.
base::Result<ImageOptions> read_image_options(base::FileOps& files, const std::string& folder,
                                              int64_t image_size);

// Pillow's Image.resize on uint8 to width x height, both from 1 on. [any]
Image resize_image(const Image& image, int64_t width, int64_t height, Resample resample);
// {height, width} before the crop.
std::pair<int64_t, int64_t> resized_size(int64_t height, int64_t width,
                                         const ImageOptions& options);
// Errors: RESOURCE_EXHAUSTED when an extreme shape would grow beyond 64 million pixels.
base::Result<PixelValues> prepare_image(const Image& image, const ImageOptions& options);

}  // namespace mortise::engine
