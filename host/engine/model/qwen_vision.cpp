#include "engine/model/qwen_vision.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>

#include "engine/model/clip.h"
#include "engine/model/recompute.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;

Tensor index_tensor(const std::vector<int64_t>& values) {
  return at::tensor(at::ArrayRef<int64_t>(values), at::kLong);
}

Tensor block_norm(Pass& pass, const Tensor& x, const Norm& norm) {
  if (!norm.bias.defined()) return rms_norm(*pass.device, x, norm.weight, norm.eps);
  return layer_norm(*pass.device, x, norm.weight, norm.bias, norm.eps);
}

std::string grid_text(const PatchGrid& grid) {
  return std::to_string(grid.frames) + " x " + std::to_string(grid.rows) + " x " +
         std::to_string(grid.columns);
}

void check_pictures(const QwenVisionConfig& config, const PatchBatch& pictures) {
  int64_t patches = 0;
  for (const PatchGrid& grid : pictures.grids) {
    const bool fits = grid.frames > 0 && grid.rows > 0 && grid.columns > 0 &&
                      grid.rows % config.merge_size == 0 && grid.columns % config.merge_size == 0;
    if (!fits) {
      fail(Code::kInvalidArgument,
           "A grid of " + grid_text(grid) +
               " patches cannot be merged: its sides must be multiples" + " of " +
               std::to_string(config.merge_size) + ".",
           "Prepare the pictures with the preprocessor of this model.");
    }
    patches += grid.patches();
  }
  const Tensor& given = pictures.patches;
  if (given.dim() == 2 && given.size(0) == patches && given.size(1) == config.patch_values()) {
    return;
  }
  std::string shape;
  for (const int64_t size : given.sizes()) {
    shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  }
  fail(Code::kInvalidArgument,
       "The pixels have the shape [" + shape + "], but " + std::to_string(pictures.grids.size()) +
           " grids of this tower take [" + std::to_string(patches) + ", " +
           std::to_string(config.patch_values()) + "].",
       "Give pixels and grids of the same pictures, prepared for this model.");
}

// Row and column of each patch, merge block after merge block.
struct Places {
  std::vector<int32_t> rows, columns;  // [P]
};

Places places_of(const QwenVisionConfig& config, const std::vector<PatchGrid>& grids) {
  const int64_t m = config.merge_size;
  Places places;
  for (const PatchGrid& grid : grids) {
    for (int64_t i = 0; i < grid.patches(); ++i) {
      const int64_t inside = i % (grid.rows * grid.columns);  // its number in the frame
      const int64_t cell = inside / (m * m), part = inside % (m * m), wide = grid.columns / m;
      places.rows.push_back(static_cast<int32_t>(cell / wide * m + part / m));
      places.columns.push_back(static_cast<int32_t>(cell % wide * m + part % m));
    }
  }
  return places;
}

struct TowerRotation {
  Tensor cos, sin;  // fp32 [P, D]
};

// D/4 frequencies of the row, then of the column, the whole twice (Wang et al. 2024, section 2.1).
TowerRotation rotation_of(const QwenVisionConfig& config, const Places& places) {
  const int64_t size = config.head_dim(), quarter = size / 4;
  const auto count = static_cast<int64_t>(places.rows.size());
  TowerRotation out{at::empty({count, size}, at::kFloat), at::empty({count, size}, at::kFloat)};
  float* c = out.cos.mutable_data_ptr<float>();
  float* s = out.sin.mutable_data_ptr<float>();
  for (int64_t j = 0; j < 2 * quarter; ++j) {
    const float exponent = static_cast<float>(4 * (j % quarter)) / static_cast<float>(size);
    const float inverse = 1.0f / std::pow(static_cast<float>(config.rope_theta), exponent);
    const std::vector<int32_t>& axis = j < quarter ? places.rows : places.columns;
    for (int64_t p = 0; p < count; ++p) {
      const float angle = static_cast<float>(axis[static_cast<size_t>(p)]) * inverse;
      c[p * size + j] = c[p * size + 2 * quarter + j] = std::cos(angle);
      s[p * size + j] = s[p * size + 2 * quarter + j] = std::sin(angle);
    }
  }
  return out;
}

// Attention never leaves a frame.
Bounds frame_bounds(const std::vector<PatchGrid>& grids) {
  std::vector<int32_t> bounds = {0};
  for (const PatchGrid& grid : grids) {
    for (int64_t f = 0; f < grid.frames; ++f) {
      bounds.push_back(bounds.back() + static_cast<int32_t>(grid.rows * grid.columns));
    }
  }
  return Bounds::of(std::move(bounds));
}

// x [P, C] -> [P, C]
Tensor tower_attention(Pass& pass, const QwenTower& tower, const QwenBlock& block, const Tensor& x,
                       const TowerRotation& rotation, const Bounds& bounds) {
  const int64_t patches = x.size(0), head_dim = tower.config.head_dim();
  const Tensor qkv =
      block.qkv.forward(pass, x).view({patches, 3, tower.config.heads, head_dim});  // [P, 3, H, D]
  const auto rotated = [&](int64_t part) {  // in fp32, as the reference does
    const Tensor y = qkv.select(1, part).to(at::kFloat).contiguous();  // [P, H, D]
    return rope(*pass.device, y, rotation.cos, rotation.sin).to(x.scalar_type());
  };
  const AttentionShape shape{1 / std::sqrt(static_cast<double>(head_dim)), /*causal=*/false, 0};
  const Tensor o = attention(*pass.device, rotated(0), rotated(1), qkv.select(1, 2).contiguous(),
                             bounds, bounds, shape);
  return block.proj.forward(pass, o.view({patches, -1}));
}

// x [P, C] -> [P, C]
Tensor tower_mlp(Pass& pass, const QwenTower& tower, const QwenBlock& block, const Tensor& x) {
  if (tower.config.is_gated) {
    const Tensor gate = block.gate.forward(pass, x), up = block.up.forward(pass, x);  // [P, F]
    return block.down.forward(pass, swiglu(*pass.device, gate, up));
  }
  const Tensor inner = block.fc1.forward(pass, x);  // [P, F]
  return block.fc2.forward(pass, gelu(*pass.device, inner, gelu_kind(tower.config.activation)));
}

// Everything that the order of the patches decides.
struct TowerPlan {
  std::vector<int64_t> patch_order;   // [P]; empty without windows
  std::vector<int64_t> cell_inverse;  // [M]: where a cell went
  TowerRotation rotation;             // in that order
  Bounds frames, windows;
};

// Throws as run_qwen_vision for pictures that do not fit.
TowerPlan plan_of(const QwenVisionConfig& config, const PatchBatch& pictures) {
  check_pictures(config, pictures);
  const std::vector<PatchGrid>& grids = pictures.grids;
  TowerPlan plan;
  plan.frames = frame_bounds(grids);
  Places places = places_of(config, grids);
  if (config.window > 0) {
    const int64_t each = config.merge_size * config.merge_size;
    const WindowOrder order = window_order(config, grids);
    plan.cell_inverse.resize(order.index.size());
    Places moved;
    for (size_t i = 0; i < order.index.size(); ++i) {
      plan.cell_inverse[static_cast<size_t>(order.index[i])] = static_cast<int64_t>(i);
      for (int64_t p = order.index[i] * each; p < (order.index[i] + 1) * each; ++p) {
        plan.patch_order.push_back(p);
        moved.rows.push_back(places.rows[static_cast<size_t>(p)]);
        moved.columns.push_back(places.columns[static_cast<size_t>(p)]);
      }
    }
    places = std::move(moved);
    std::vector<int32_t> bounds = order.bounds;
    for (int32_t& bound : bounds) bound *= static_cast<int32_t>(each);
    plan.windows = Bounds::of(std::move(bounds));
  }
  plan.rotation = rotation_of(config, places);
  return plan;
}

// x [P, C] -> [P, C]
Tensor tower_block(Pass& pass, const QwenTower& tower, const QwenBlock& block, const Tensor& x,
                   const TowerPlan& plan, bool is_full) {
  const Tensor h = x + tower_attention(pass, tower, block, block_norm(pass, x, block.norm1),
                                       plan.rotation, is_full ? plan.frames : plan.windows);
  return h + tower_mlp(pass, tower, block, block_norm(pass, h, block.norm2));
}

std::vector<Tensor> trained_of(const QwenBlock& b) {
  return trained_tensors({&b.qkv, &b.proj, &b.fc1, &b.fc2, &b.gate, &b.up, &b.down},
                         {&b.norm1, &b.norm2});
}

// Rows after the last block [P, C], in the order of the plan. `states`: those after each, or
// nullptr.
Tensor run_blocks(Pass& pass, const QwenTower& tower, const PatchBatch& pictures,
                  const std::shared_ptr<const TowerPlan>& plan, std::vector<Tensor>* states) {
  const QwenVisionConfig& config = tower.config;
  const Tensor weight = tower.patch_weight.reshape({config.hidden_size, -1});
  Tensor x = linear(*pass.device, pictures.patches.to(weight.scalar_type()), weight, Tensor());
  if (config.window > 0) x = at::index_select(x, 0, index_tensor(plan->patch_order));  // [P, C]
  if (states != nullptr) states->push_back(x);
  for (size_t i = 0; i < tower.blocks.size(); ++i) {
    const QwenBlock& block = tower.blocks[i];
    const bool is_full = config.window == 0 || config.full_layers[i];
    x = run_layer(pass, {x}, trained_of(block),
                  [&tower, &block, plan, is_full](Pass& now, const std::vector<Tensor>& in) {
                    return std::vector{tower_block(now, tower, block, in[0], *plan, is_full)};
                  })[0];
    if (states != nullptr) states->push_back(x);
  }
  return x;
}

// The next grid of one kind, for the placeholders that begin at token t.
struct GridCursor {
  const PatchBatch& pictures;
  int64_t id;
  const char* kind;
  size_t next = 0;
};

const PatchGrid& next_grid(GridCursor& cursor, const QwenVisionConfig& config,
                           std::span<const int32_t> rest) {
  const std::string kind = cursor.kind;
  if (cursor.next == cursor.pictures.grids.size()) {
    fail(Code::kInvalidArgument,
         "The text has placeholders for more " + kind + "s than the " +
             std::to_string(cursor.next) + " that were given.",
         "Give the " + kind + "s, or leave their placeholders out of the text.");
  }
  const PatchGrid& grid = cursor.pictures.grids[cursor.next++];
  const int64_t cells = grid.patches() / (config.merge_size * config.merge_size);
  const auto run = static_cast<int64_t>(
      std::find_if(rest.begin(), rest.end(), [&](int32_t id) { return id != cursor.id; }) -
      rest.begin());
  if (run < cells) {
    fail(Code::kInvalidArgument,
         "A grid of " + grid_text(grid) + " patches takes " + std::to_string(cells) + " " + kind +
             " tokens, but the text has " + std::to_string(run) + " in this place.",
         "Expand each placeholder to one token for each merged cell of its grid.");
  }
  return grid;
}

using Axes = std::array<std::vector<int32_t>, 3>;  // temporal, height, width

// How far in time frame f of a picture stands from its first: its number (2), or (2.5) the seconds
// before it in units of 1 / tokens_per_second.
int32_t frame_time(const QwenVisionConfig& config, const PatchBatch& pictures, size_t number,
                   int64_t f) {
  if (!config.is_gated) return static_cast<int32_t>(f);
  const double seconds = number < pictures.seconds.size() ? pictures.seconds[number] : 1;
  if (!(seconds >= 0 && seconds <= 3600)) {
    fail(Code::kInvalidArgument,
         "A frame of video " + std::to_string(number) + " lasts " + std::to_string(seconds) +
             " seconds.",
         "Give second_per_grid_ts from 0 to 3600.");
  }
  return static_cast<int32_t>(static_cast<float>(f) * static_cast<float>(seconds) *
                              static_cast<float>(config.tokens_per_second));
}

// Appends the ids of one picture that begins at p; gives the largest of them.
int32_t place_picture(const QwenVisionConfig& config, const PatchGrid& grid,
                      const PatchBatch& pictures, size_t number, int32_t p, Axes& axes) {
  const auto rows = static_cast<int32_t>(grid.rows / config.merge_size);
  const auto columns = static_cast<int32_t>(grid.columns / config.merge_size);
  int32_t largest = p + std::max(rows, columns) - 1;
  for (int64_t f = 0; f < grid.frames; ++f) {
    const int32_t time = p + frame_time(config, pictures, number, f);
    for (int32_t i = 0; i < rows * columns; ++i) {
      axes[0].push_back(time);
      axes[1].push_back(p + i / columns);
      axes[2].push_back(p + i % columns);
    }
    largest = std::max(largest, time);
  }
  return largest;
}

}  // namespace

int64_t merged_cells(const QwenVisionConfig& config, const std::vector<PatchGrid>& grids) {
  int64_t cells = 0;
  for (const PatchGrid& grid : grids) cells += grid.patches();
  return cells / (config.merge_size * config.merge_size);
}

WindowOrder window_order(const QwenVisionConfig& config, const std::vector<PatchGrid>& grids) {
  WindowOrder order{{}, {0}};
  int64_t first = 0;  // cell of the frame
  for (const PatchGrid& grid : grids) {
    const int64_t rows = grid.rows / config.merge_size, columns = grid.columns / config.merge_size;
    const int64_t side = config.window;
    for (int64_t f = 0; f < grid.frames; ++f, first += rows * columns) {
      for (int64_t top = 0; top < rows; top += side) {
        for (int64_t left = 0; left < columns; left += side) {
          for (int64_t r = top; r < std::min(top + side, rows); ++r) {
            for (int64_t c = left; c < std::min(left + side, columns); ++c) {
              order.index.push_back(first + r * columns + c);
            }
          }
          order.bounds.push_back(static_cast<int32_t>(order.index.size()));
        }
      }
    }
  }
  return order;
}

Tensor merge_rows(Pass& pass, const QwenTower& tower, const Tensor& rows) {
  const QwenVisionConfig& config = tower.config;
  const int64_t merged = config.hidden_size * config.merge_size * config.merge_size;
  const Tensor cells =
      block_norm(pass, rows, tower.merger_norm).view({-1, merged});  // [M, C * m^2]
  const Tensor inner = gelu(*pass.device, tower.merger_1.forward(pass, cells), Gelu::kErf);
  return tower.merger_2.forward(pass, inner);  // [M, out_size]
}

Tensor qwen_tower_rows(Pass& pass, const QwenTower& tower, const PatchBatch& pictures) {
  const auto plan = std::make_shared<const TowerPlan>(plan_of(tower.config, pictures));
  const Tensor rows = run_blocks(pass, tower, pictures, plan, nullptr);
  if (plan->patch_order.empty()) return rows;
  std::vector<int64_t> inverse(plan->patch_order.size());
  for (size_t i = 0; i < inverse.size(); ++i) {
    inverse[static_cast<size_t>(plan->patch_order[i])] = static_cast<int64_t>(i);
  }
  return at::index_select(rows, 0, index_tensor(inverse));
}

QwenFeatures run_qwen_vision(Pass& pass, const QwenTower& tower, const PatchBatch& pictures) {
  const auto plan = std::make_shared<const TowerPlan>(plan_of(tower.config, pictures));
  QwenFeatures out;
  out.features = merge_rows(pass, tower, run_blocks(pass, tower, pictures, plan, &out.states));
  if (tower.config.window > 0) {
    out.features = at::index_select(out.features, 0, index_tensor(plan->cell_inverse));
  }
  return out;
}

MropePositions mrope_positions(const ModelConfig& config, std::span<const int32_t> ids,
                               std::span<const int32_t> bounds, const PatchBatch& images,
                               const PatchBatch& videos) {
  const QwenVisionConfig& vision = *config.qwen_vision;
  GridCursor cursors[] = {{images, config.image_token_id, "image"},
                          {videos, config.video_token_id, "video"}};
  Axes axes;
  MropePositions out;
  for (size_t s = 0; s + 1 < bounds.size(); ++s) {
    const auto end = static_cast<size_t>(bounds[s + 1]), begin = static_cast<size_t>(bounds[s]);
    int32_t next = 0, largest = -1;
    while (axes[0].size() < end) {
      const size_t t = axes[0].size();
      GridCursor* cursor = std::find_if(std::begin(cursors), std::end(cursors),
                                        [&](const GridCursor& c) { return c.id == ids[t]; });
      if (cursor == std::end(cursors)) {
        for (auto& axis : axes) axis.push_back(next);
        largest = std::max(largest, next++);
        continue;
      }
      const size_t number = cursor->next;
      const PatchGrid& grid = next_grid(*cursor, vision, ids.subspan(t, end - t));
      largest =
          std::max(largest, place_picture(vision, grid, cursor->pictures, number, next, axes));
      next += static_cast<int32_t>(std::max(grid.rows, grid.columns) / vision.merge_size);
    }
    out.deltas.push_back(largest + 1 - static_cast<int32_t>(end - begin));
  }
  for (const GridCursor& cursor : cursors) {
    if (cursor.next == cursor.pictures.grids.size()) continue;
    fail(Code::kInvalidArgument, std::to_string(cursor.pictures.grids.size()) + " " + cursor.kind +
                                     "s were given, but the text has placeholders for " +
                                     std::to_string(cursor.next) + ".");
  }
  for (const auto& axis : axes) out.values.insert(out.values.end(), axis.begin(), axis.end());
  return out;
}

}  // namespace mortise::engine
