// The cache fills up to its bound and then computes what it does not hold.
#include "engine/train/feature_cache.h"

#include <ATen/ops/cat.h>

#include "engine/model/layout.h"
#include "engine/op/node.h"

namespace mortise::engine {

bool keeps_image_features(const Model& model, const std::vector<Parameter>& trained) {
  if (!model.config.has_fixed_images()) return false;
  const ModulePrefixes prefixes = prefixes_of(model.config.model_type);
  for (const Parameter& parameter : trained) {
    // An adapter's keys hold the module's path too.
    const bool in_tower = parameter.name.find(prefixes.vision) != std::string::npos ||
                          parameter.name.find(prefixes.projector) != std::string::npos;
    if (in_tower) return false;
  }
  return true;
}

at::Tensor FeatureCache::features(Device& device, const Model& model, const at::Tensor& pixels,
                                  const std::vector<std::string>& keys) {
  const NoRecord quiet;
  std::vector<at::Tensor> all;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = known_.find(keys[i]);
    if (found != known_.end()) {
      all.push_back(found->second);
      continue;
    }
    Pass pass{.device = &device};
    const at::Tensor one =
        image_features_of(pass, model, pixels.narrow(0, static_cast<int64_t>(i), 1)).squeeze(0);
    all.push_back(one);
    const uint64_t bytes = one.nbytes();
    if (bytes_ + bytes > bytes_max_) continue;
    bytes_ += bytes;
    known_.emplace(keys[i], one);
  }
  return at::cat(all, 0);  // [I*P, C]
}

}  // namespace mortise::engine
