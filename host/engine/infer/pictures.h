// Prepared pictures as the tensors of a pass: pixels of one size (llava), patches with their grids
// (Qwen-VL), or spectra (Qwen2-Audio). Called by train/batch and chat. Knows nothing of files or
// text.
//
// Letters: I images, H, W their sides, P patches, F frames of spectra, B their bins.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "base/result.h"
#include "engine/data/picture_prepare.h"
#include "engine/model/audio_tower.h"
#include "engine/model/qwen_vision.h"

namespace mortise::engine {

// As TextInputs and GenerateRequest have them; undefined what there is none of.
struct PictureTensors {
  at::Tensor pixels;          // [I, 3, H, W]
  PatchBatch images, videos;  // [P, ...]
  SoundBatch sounds;          // [F, B]
};

// In the order given, kind by kind. Errors: INVALID_ARGUMENT naming both sizes for images of two
// sizes without grids, as a processor without a crop makes them.
base::Result<PictureTensors> tensors_of(const std::vector<const PreparedPicture*>& pictures);

}  // namespace mortise::engine
