// An image or a film as the towers of Qwen2-VL and Qwen2.5-VL want it: sides that are multiples of
// a factor, then patches in the order of the merge blocks. Called by picture_prepare. Knows no
// tensors and no files.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/data/image_prepare.h"

namespace mortise::engine {

struct PatchOptions {
  int64_t patch_size = 14, merge_size = 2, temporal_patch_size = 2;
  int64_t min_pixels = 56 * 56, max_pixels = 28 * 28 * 1280;
  Resample resample = Resample::kBicubic;
  double rescale_factor = 1.0 / 255;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};
};

// values [grid_frames * grid_height * grid_width, 3 * temporal * patch * patch].
struct PatchValues {
  int64_t grid_frames = 0, grid_height = 0, grid_width = 0;  // in patches: image_grid_thw
  std::vector<float> values;
};

// From preprocessor_config.json, what it leaves out as in `defaults`. Bounds of the area are
// min_pixels and max_pixels, or size.shortest_edge and size.longest_edge; where both are there the
// first count. Errors: INVALID_ARGUMENT naming the field.
base::Result<PatchOptions> parse_patch_options(const base::Json& json,
                                               const PatchOptions& defaults = {});

// {height, width}, each the nearest multiple of `factor` (half to even) with an area from min to
// max pixels. Errors: INVALID_ARGUMENT for a shape longer than 200 to 1.
base::Result<std::pair<int64_t, int64_t>> smart_resize(int64_t height, int64_t width,
                                                       int64_t factor, int64_t min_pixels,
                                                       int64_t max_pixels);

// A still image fills the time of its patches by itself. Errors: those of smart_resize.
base::Result<PatchValues> prepare_patches(const Image& image, const PatchOptions& options);
// The frames of a film, at least one, temporal_patch_size of them to a patch; the last one is
// repeated where they do not come out even. All take the size of the first. Errors: as above.
base::Result<PatchValues> prepare_film_patches(std::span<const Image* const> frames,
                                               const PatchOptions& options);

}  // namespace mortise::engine
