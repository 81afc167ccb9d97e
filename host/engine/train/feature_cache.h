// What a frozen tower makes of pictures or sounds, computed once a run: later epochs never run it.
// Where the projector (or Qwen-VL's merger) stands still too, its features are kept; where it
// trains, the rows of the tower before it are. Called by train/train and held_out. Knows nothing of
// rows or files.
//
// Letters: N rows of one picture (features, or patches of the tower), C channels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/model/model.h"
#include "engine/train/batch.h"

namespace mortise::engine {

// How much of a picture's way into the text stays the same while these parameters train.
enum class FrozenPart { kNothing, kTower, kTowerAndProjector };
FrozenPart frozen_part(const Model& model, const std::vector<Parameter>& trained);

class FeatureCache {  // [serial]
 public:
  explicit FeatureCache(FrozenPart part, uint64_t bytes_max = uint64_t{1} << 30)
      : part_(part), bytes_max_(bytes_max) {}

  // Puts features in place of the pictures of a batch; their grids stay. Each picture goes through
  // the tower alone, so that its rows do not depend on which others were new: a resumed run has the
  // same bits. Nothing happens where the tower trains. Throws OpFailure as the tower does.
  void place(Pass& pass, const Model& model, PassBatch& batch);

  int64_t tower_runs() const { return tower_runs_; }  // pictures and sounds through the tower

 private:
  // run(i): the rows of picture i, which is called keys[i].
  template <class Run>
  at::Tensor rows_of(const std::vector<std::string>& keys, const Run& run);
  at::Tensor features_of(Pass& pass, const Model& model, const PatchBatch& pictures,
                         const std::vector<std::string>& keys);
  at::Tensor features_of(Pass& pass, const Model& model, const SoundBatch& sounds,
                         const std::vector<std::string>& keys);
  // Of the tower's rows: all that is kept, and all that enters the text.
  at::Tensor kept(Pass& quiet, const Model& model, const at::Tensor& rows) const;
  at::Tensor entering(Pass& pass, const Model& model, const at::Tensor& kept) const;

  FrozenPart part_;
  uint64_t bytes_max_, bytes_ = 0;
  int64_t tower_runs_ = 0;
  std::unordered_map<std::string, at::Tensor> known_;  // [N, C]
};

}  // namespace mortise::engine
