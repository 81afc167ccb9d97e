// The cache fills up to its bound and then computes what it does not hold.
#include "engine/train/feature_cache.h"

#include <ATen/ops/cat.h>

#include "engine/model/layout.h"
#include "engine/op/node.h"

namespace mortise::engine {

using at::Tensor;

FrozenPart frozen_part(const Model& model, const std::vector<Parameter>& trained) {
  if (!model.config.is_multimodal()) return FrozenPart::kNothing;
  const ModulePrefixes prefixes = prefixes_of(model.config.model_type);
  FrozenPart part = FrozenPart::kTowerAndProjector;
  for (const Parameter& parameter : trained) {
    // An adapter's keys hold the module's path too. Qwen-VL's projector is a part of its tower.
    if (parameter.name.find(prefixes.projector) != std::string::npos) {
      part = FrozenPart::kTower;
    } else if (parameter.name.find(prefixes.tower) != std::string::npos) {
      return FrozenPart::kNothing;
    }
  }
  return part;
}

Tensor FeatureCache::kept(Pass& quiet, const Model& model, const Tensor& rows) const {
  return part_ == FrozenPart::kTower ? rows : project(quiet, model, rows);
}

Tensor FeatureCache::entering(Pass& pass, const Model& model, const Tensor& kept) const {
  return part_ == FrozenPart::kTower ? project(pass, model, kept) : kept;
}

template <class Run>
Tensor FeatureCache::rows_of(const std::vector<std::string>& keys, const Run& run) {
  const NoRecord quiet;
  std::vector<Tensor> all;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = known_.find(keys[i]);
    if (found != known_.end()) {
      all.push_back(found->second);
      continue;
    }
    const Tensor one = run(static_cast<int64_t>(i));
    ++tower_runs_;
    all.push_back(one);
    const uint64_t bytes = one.nbytes();
    if (bytes_ + bytes > bytes_max_) continue;
    bytes_ += bytes;
    known_.emplace(keys[i], one);
  }
  return at::cat(all, 0);  // [N of all, C]
}

Tensor FeatureCache::features_of(Pass& pass, const Model& model, const PatchBatch& pictures,
                                 const std::vector<std::string>& keys) {
  std::vector<int64_t> begins = {0};
  for (const PatchGrid& grid : pictures.grids) begins.push_back(begins.back() + grid.patches());
  const Tensor rows = rows_of(keys, [&](int64_t i) {
    const PatchGrid& grid = pictures.grids[static_cast<size_t>(i)];
    const PatchBatch one{
        .patches = pictures.patches.narrow(0, begins[static_cast<size_t>(i)], grid.patches()),
        .grids = {grid},
        .seconds = {}};
    Pass quiet{.device = pass.device};
    return kept(quiet, model, tower_rows_of(quiet, model, one));
  });
  return entering(pass, model, rows);
}

Tensor FeatureCache::features_of(Pass& pass, const Model& model, const SoundBatch& sounds,
                                 const std::vector<std::string>& keys) {
  std::vector<int64_t> begins = {0};
  for (const SoundClip& clip : sounds.clips) begins.push_back(begins.back() + clip.frames);
  const Tensor rows = rows_of(keys, [&](int64_t i) {
    const SoundClip& clip = sounds.clips[static_cast<size_t>(i)];
    const SoundBatch one{.mels = sounds.mels.narrow(0, begins[static_cast<size_t>(i)], clip.frames),
                         .clips = {clip}};
    Pass quiet{.device = pass.device};
    return kept(quiet, model, tower_rows_of(quiet, model, one));
  });
  return entering(pass, model, rows);
}

void FeatureCache::place(Pass& pass, const Model& model, PassBatch& batch) {
  if (part_ == FrozenPart::kNothing) return;
  TextInputs& in = batch.inputs;
  if (in.pixels.defined()) {
    const Tensor rows = rows_of(batch.image_keys, [&](int64_t i) {
      Pass quiet{.device = pass.device};
      return kept(quiet, model, tower_rows_of(quiet, model, in.pixels.narrow(0, i, 1)));
    });
    in.image_features = entering(pass, model, rows);
    in.pixels = Tensor();
  }
  if (in.images.patches.defined()) {
    in.image_features = features_of(pass, model, in.images, batch.image_keys);
    in.images.patches = Tensor();
  }
  if (in.videos.patches.defined()) {
    in.video_features = features_of(pass, model, in.videos, batch.video_keys);
    in.videos.patches = Tensor();
  }
  if (in.sounds.mels.defined()) {
    in.sound_features = features_of(pass, model, in.sounds, batch.sound_keys);
    in.sounds.mels = Tensor();
  }
}

}  // namespace mortise::engine
