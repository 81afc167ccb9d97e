// Image features of a frozen tower, computed once a run: while neither tower nor projector trains,
// later epochs never run them. Called by train/train. Knows nothing of rows or files.
//
// Letters: I images, P tokens of one image, C channels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/model/model.h"

namespace mortise::engine {

// Whether the features of an image stay the same through a run that trains these parameters.
bool keeps_image_features(const Model& model, const std::vector<Parameter>& trained);

class FeatureCache {  // [serial]
 public:
  explicit FeatureCache(uint64_t bytes_max = uint64_t{1} << 30) : bytes_max_(bytes_max) {}

  // pixels [I, 3, H, W], one key an image -> features [I*P, C]. Each image is computed alone, so
  // that its features do not depend on which others were new: a resumed run has the same bits.
  // Throws OpFailure as the tower does.
  at::Tensor features(Device& device, const Model& model, const at::Tensor& pixels,
                      const std::vector<std::string>& keys);

 private:
  uint64_t bytes_max_, bytes_ = 0;
  std::unordered_map<std::string, at::Tensor> known_;  // [P, C]
};

}  // namespace mortise::engine
