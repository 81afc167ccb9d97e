// The vision tower of Qwen2-VL and Qwen2.5-VL (Wang et al. 2024, Bai et al. 2025): images and films
// of any grid as patches, blocks with two-dimensional rotation, and the merger that makes one
// feature of each merge x merge cell. Also where the features stand on the three axes of the
// decoder's rotation. Called by model/model, infer/forward and infer/generate. Knows nothing of
// decoders or of how pictures become patches.
//
// Letters: P patches of all pictures, M merged cells (P / merge^2), C channels, H heads, D head
// size, T packed tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/config.h"
#include "engine/model/decoder.h"
#include "engine/model/linear.h"

namespace mortise::engine {

struct QwenBlock {
  Norm norm1, norm2;
  Linear qkv, proj;
  Linear fc1, fc2;        // 2
  Linear gate, up, down;  // 2.5
};

struct QwenTower {
  QwenVisionConfig config;
  at::Tensor patch_weight;  // [C, channels, temporal_patch, patch, patch]
  std::vector<QwenBlock> blocks;
  Norm merger_norm;
  Linear merger_1, merger_2;
};

// One picture in patches; rows and columns are multiples of merge_size. A still image has 1 frame.
struct PatchGrid {
  int64_t frames = 0, rows = 0, columns = 0;

  int64_t patches() const { return frames * rows * columns; }
};

// Pictures of one kind, all images or all films, end to end.
struct PatchBatch {
  at::Tensor patches;            // [P, channels * temporal * patch * patch]; undefined: none
  std::vector<PatchGrid> grids;  // patches in the order of the merge blocks, frame by frame
  std::vector<double> seconds;   // films: how long one frame of the grid lasts; empty: 1 each
};

struct QwenFeatures {
  at::Tensor features;             // [M, out_size], in the order of the patches
  std::vector<at::Tensor> states;  // [P, C] after 0 .. layers blocks; 2.5: in the windows' order
};

// Throws OpFailure: INVALID_ARGUMENT naming both numbers when grids and patches do not fit each
// other or the tower; what engine/op throws.
QwenFeatures run_qwen_vision(Pass& pass, const QwenTower& tower, const PatchBatch& pictures);

// The two halves of it: rows [P, C] after the last block, in the order of the patches; and the
// merger's features [M, out_size] of such rows. Throw as the whole.
at::Tensor qwen_tower_rows(Pass& pass, const QwenTower& tower, const PatchBatch& pictures);
at::Tensor merge_rows(Pass& pass, const QwenTower& tower, const at::Tensor& rows);

// The merged cells of all frames in the order of the windows, and where each window ends (in cells,
// from 0): inside a frame row by row, edge windows smaller.
struct WindowOrder {
  std::vector<int64_t> index;   // [M]
  std::vector<int32_t> bounds;  // windows + 1
};
WindowOrder window_order(const QwenVisionConfig& config, const std::vector<PatchGrid>& grids);

// Features that the placeholders of these grids stand for.
int64_t merged_cells(const QwenVisionConfig& config, const std::vector<PatchGrid>& grids);

struct MropePositions {
  std::vector<int32_t> values;  // [3, T]: temporal, height, width
  std::vector<int32_t> deltas;  // of each sequence: decoding goes on at its length + this
};

// Where each token stands: text counts on all axes together; a picture at p spreads over p + frame,
// p + row, p + column, and text goes on at p + its longer merged side. Grids are taken in the order
// of the placeholders. Throws OpFailure INVALID_ARGUMENT when placeholders and grids do not fit.
MropePositions mrope_positions(const ModelConfig& config, std::span<const int32_t> ids,
                               std::span<const int32_t> bounds, const PatchBatch& images,
                               const PatchBatch& videos);

}  // namespace mortise::engine
