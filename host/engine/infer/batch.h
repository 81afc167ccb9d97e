// From tensors named as transformers names its arguments to packed rows, and back. Called by
// infer/forward. Knows nothing of weights or devices.
//
// Letters: B rows of a batch, N its columns, T packed tokens, S sequences, L labelled positions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/model/audio_tower.h"
#include "engine/model/qwen_vision.h"
#include "engine/op/op.h"

namespace mortise::engine {

using TensorMap = std::map<std::string, at::Tensor>;

// The tokens that count, end to end.
struct PackedBatch {
  at::Tensor ids;                  // int32 [T]
  std::vector<int32_t> positions;  // [T], or [3, T] when position_ids are so
  bool has_positions = false;      // they were given
  Bounds bounds;                   // S+1
  at::Tensor rows, labels;         // int32 [L]: position t predicts labels[t]; shifted already
  bool has_labels = false;

  // Puts values [T, ...] back where the tokens came from: [B, N, ...] with zeros at the padding, or
  // unchanged when the input was packed.
  at::Tensor unpacked(const at::Tensor& values) const;

  bool was_packed = false;
  int64_t batch = 0, columns = 0;
  std::vector<int64_t> places;  // of each token in B*N
};

// Reads input_ids [B, N] (or [N], [1, N] with cu_seqlens [S+1]), attention_mask, position_ids and
// labels (-100: none; not shifted). position_ids may be [3, B, N]. Without them they count columns,
// and restart at each packed sequence. Throws OpFailure INVALID_ARGUMENT naming the tensor and both
// shapes.
PackedBatch pack_batch(const TensorMap& inputs);

// Images and videos of Qwen-VL: pixel_values with image_grid_thw [I, 3], pixel_values_videos with
// video_grid_thw and second_per_grid_ts. Throws OpFailure INVALID_ARGUMENT naming the tensor.
std::pair<PatchBatch, PatchBatch> pictures_of(const TensorMap& inputs);
// Pictures of several sequences end to end; without any, as a batch of none.
PatchBatch joined(const std::vector<const PatchBatch*>& batches);

// Sounds of Qwen2-Audio and Whisper: input_features [clips, bins, frames] with
// feature_attention_mask [clips, frames], ones before zeros; without it all frames are heard.
// Throws OpFailure INVALID_ARGUMENT naming the tensor.
SoundBatch sounds_of(const TensorMap& inputs);
SoundBatch joined(const std::vector<const SoundBatch*>& batches);

}  // namespace mortise::engine
