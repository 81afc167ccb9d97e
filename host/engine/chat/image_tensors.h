// Image files as the tensors that a model's own processor gives, chosen by
// preprocessor_config.json: pixels of one size (CLIP, SigLIP) or patches with their grids
// (Qwen2-VL). Called by `mortise media preprocess`. Knows nothing of rows or of models' weights.
#pragma once

#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {

// `pixel_values` [I, 3, H, W]; or, of Qwen2-VL, `pixel_values` [P, 3 * temporal * patch * patch]
// with the patches of all images in turn and `image_grid_thw` [I, 3]. `folder` has
// preprocessor_config.json; without one CLIP's defaults hold. Errors: INVALID_ARGUMENT for no
// image, for one that is broken (naming its file) and for images that come out in two sizes; those
// of read_image_options, parse_patch_options and FileOps.
base::Result<NamedTensors> image_tensors(base::FileOps& files, const std::string& folder,
                                         const std::vector<std::string>& images);

}  // namespace mortise::engine
