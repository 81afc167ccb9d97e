#include "engine/infer/batch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using at::Tensor;

constexpr int64_t kNoLabel = -100;

std::string shape_text(const Tensor& tensor) {
  std::string text = "[";
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(tensor.size(i));
  }
  text += ']';
  return text;
}

[[noreturn]] void bad_input(const std::string& name, const std::string& message) {
  base::Error error(base::Code::kInvalidArgument, "The input \"" + name + "\" " + message);
  throw OpFailure(error.at_field(name));
}

// The numbers of an integer tensor, row-major; empty when it is absent.
std::vector<int64_t> numbers_of(const TensorMap& inputs, const std::string& name,
                                const Tensor* like) {
  const auto at = inputs.find(name);
  if (at == inputs.end()) return {};
  const Tensor& tensor = at->second;
  if (tensor.is_floating_point()) bad_input(name, "must hold whole numbers.");
  if (like != nullptr && tensor.numel() != like->numel()) {
    bad_input(name, "has the shape " + shape_text(tensor) + ", but input_ids has " +
                        shape_text(*like) + ".");
  }
  const Tensor numbers = tensor.to(at::kLong).cpu().contiguous();
  const int64_t* data = numbers.const_data_ptr<int64_t>();
  return {data, data + numbers.numel()};
}

int32_t narrow_id(int64_t id) {
  if (id < INT32_MIN || id > INT32_MAX) {
    bad_input("input_ids", "holds " + std::to_string(id) + ", which is no token id.");
  }
  return static_cast<int32_t>(id);
}

// Bounds of the sequences of a packed row, checked against its length.
std::vector<int32_t> packed_bounds(const std::vector<int64_t>& bounds, int64_t tokens) {
  std::vector<int32_t> result;
  for (size_t i = 0; i < bounds.size(); ++i) {
    const bool rises = i == 0 ? bounds[0] == 0 : bounds[i] >= bounds[i - 1];
    if (!rises || bounds[i] > tokens) {
      bad_input("cu_seqlens", "must rise from 0 to the number of tokens, but entry " +
                                  std::to_string(i) + " is " + std::to_string(bounds[i]) + ".");
    }
    result.push_back(static_cast<int32_t>(bounds[i]));
  }
  if (result.size() < 2 || result.back() != tokens) {
    bad_input("cu_seqlens", "must end at the number of tokens, " + std::to_string(tokens) + ".");
  }
  return result;
}

// The rows of a batch as sequences: `first[s]` is the index of its first cell, `kept` all cells
// used.
struct Cells {
  std::vector<int32_t> bounds = {0};
  std::vector<int64_t> kept;  // indices into the flat input
};

Cells cells_of(const PackedBatch& batch, const std::vector<int64_t>& mask) {
  Cells cells;
  for (int64_t row = 0; row < batch.batch; ++row) {
    for (int64_t column = 0; column < batch.columns; ++column) {
      const int64_t cell = row * batch.columns + column;
      if (mask.empty() || mask[static_cast<size_t>(cell)] != 0) cells.kept.push_back(cell);
    }
    cells.bounds.push_back(static_cast<int32_t>(cells.kept.size()));
  }
  return cells;
}

// Token t of a sequence predicts the label of the token behind it.
void shift_labels(const std::vector<int64_t>& labels, const std::vector<int64_t>& mask,
                  PackedBatch& batch) {
  std::vector<int32_t> rows, values;
  for (size_t s = 0; s + 1 < batch.bounds.host.size(); ++s) {
    for (int32_t t = batch.bounds.host[s]; t + 1 < batch.bounds.host[s + 1]; ++t) {
      const int64_t next = labels[static_cast<size_t>(batch.places[static_cast<size_t>(t) + 1])];
      if (next == kNoLabel) continue;
      rows.push_back(t);
      values.push_back(narrow_id(next));
    }
  }
  for (size_t cell = 0; cell < mask.size(); ++cell) {
    if (mask[cell] == 0 && labels[cell] != kNoLabel) {
      bad_input("labels", "has a label at position " + std::to_string(cell) +
                              ", which attention_mask hides.");
    }
  }
  batch.rows = int_tensor(rows);
  batch.labels = int_tensor(values);
  batch.has_labels = true;
}

// position_ids [axes, B, N], 1 or 3 axes.
std::vector<int64_t> position_numbers(const TensorMap& inputs, const Tensor& ids) {
  const auto found = inputs.find("position_ids");
  const bool has_axes = found != inputs.end() && found->second.dim() == ids.dim() + 1 &&
                        found->second.numel() == 3 * ids.numel();
  return numbers_of(inputs, "position_ids", has_axes ? nullptr : &ids);
}

void set_positions(const std::vector<int64_t>& given, PackedBatch& batch) {
  const auto cells = static_cast<size_t>(batch.batch * batch.columns);
  const size_t axes = given.empty() ? 1 : given.size() / cells;
  batch.has_positions = !given.empty();
  for (size_t axis = 0; axis < axes; ++axis) {
    for (size_t s = 0; s + 1 < batch.bounds.host.size(); ++s) {
      for (int32_t t = batch.bounds.host[s]; t < batch.bounds.host[s + 1]; ++t) {
        const int64_t place = batch.places[static_cast<size_t>(t)];
        const int64_t position = batch.has_positions
                                     ? given[axis * cells + static_cast<size_t>(place)]
                                 : batch.was_packed ? t - batch.bounds.host[s]
                                                    : place % batch.columns;
        if (position < 0 || position > INT32_MAX) {
          bad_input("position_ids", "holds " + std::to_string(position) + ".");
        }
        batch.positions.push_back(static_cast<int32_t>(position));
      }
    }
  }
}

PatchBatch pictures_named(const TensorMap& inputs, const char* pixels, const char* grids) {
  PatchBatch pictures;
  const auto values = inputs.find(pixels), shapes = inputs.find(grids);
  if (values == inputs.end() && shapes == inputs.end()) return pictures;
  if (values == inputs.end() || shapes == inputs.end()) {
    bad_input(grids, std::string("and \"") + pixels + "\" belong together: give both or none.");
  }
  if (shapes->second.dim() != 2 || shapes->second.size(1) != 3) {
    bad_input(grids, "has the shape " + shape_text(shapes->second) +
                         ", but must be [pictures, 3]: frames, rows and columns of each.");
  }
  pictures.patches = values->second;
  const std::vector<int64_t> sizes = numbers_of(inputs, grids, nullptr);
  for (const int64_t size : sizes) {
    if (size < 1 || size > 1 << 16) bad_input(grids, "holds " + std::to_string(size) + ".");
  }
  for (size_t i = 0; i < sizes.size(); i += 3) {
    pictures.grids.push_back({sizes[i], sizes[i + 1], sizes[i + 2]});
  }
  return pictures;
}

}  // namespace

std::pair<PatchBatch, PatchBatch> pictures_of(const TensorMap& inputs) {
  PatchBatch images = pictures_named(inputs, "pixel_values", "image_grid_thw");
  PatchBatch videos = pictures_named(inputs, "pixel_values_videos", "video_grid_thw");
  const auto seconds = inputs.find("second_per_grid_ts");
  if (seconds == inputs.end()) return {images, videos};
  const Tensor numbers = seconds->second.to(at::kDouble).contiguous();
  if (numbers.numel() != static_cast<int64_t>(videos.grids.size())) {
    bad_input("second_per_grid_ts", "must hold one number for each of the " +
                                        std::to_string(videos.grids.size()) + " videos.");
  }
  const double* data = numbers.const_data_ptr<double>();
  videos.seconds.assign(data, data + numbers.numel());
  return {images, videos};
}

PatchBatch joined(const std::vector<const PatchBatch*>& batches) {
  PatchBatch all;
  std::vector<Tensor> patches;
  for (const PatchBatch* batch : batches) {
    if (!batch->patches.defined()) continue;
    patches.push_back(batch->patches);
    all.grids.insert(all.grids.end(), batch->grids.begin(), batch->grids.end());
    all.seconds.insert(all.seconds.end(), batch->seconds.begin(), batch->seconds.end());
    all.seconds.resize(all.grids.size(), 1);
  }
  if (!patches.empty()) all.patches = patches.size() == 1 ? patches[0] : at::cat(patches, 0);
  return all;
}

SoundBatch sounds_of(const TensorMap& inputs) {
  SoundBatch sounds;
  const auto found = inputs.find("input_features");
  if (found == inputs.end()) {
    if (inputs.contains("feature_attention_mask")) {
      bad_input("feature_attention_mask", "belongs to \"input_features\": give both or none.");
    }
    return sounds;
  }
  const Tensor& features = found->second;
  if (features.dim() != 3 || features.numel() == 0) {
    bad_input("input_features",
              "has the shape " + shape_text(features) + ", but must be [clips, bins, frames].");
  }
  const int64_t clips = features.size(0), frames = features.size(2);
  const Tensor like = features.select(1, 0);  // [clips, frames]
  const std::vector<int64_t> mask = numbers_of(inputs, "feature_attention_mask", &like);
  for (int64_t i = 0; i < clips; ++i) {
    SoundClip clip{frames, mask.empty() ? frames : 0};
    for (int64_t t = 0; !mask.empty() && t < frames; ++t) {
      const bool is_heard = mask[static_cast<size_t>(i * frames + t)] != 0;
      if (is_heard && clip.heard < t) {
        bad_input("feature_attention_mask", "hides frame " + std::to_string(clip.heard) +
                                                " of clip " + std::to_string(i) +
                                                ", but not frame " + std::to_string(t) + ".");
      }
      clip.heard += is_heard ? 1 : 0;
    }
    sounds.clips.push_back(clip);
  }
  sounds.mels = features.transpose(1, 2).reshape({clips * frames, features.size(1)});
  return sounds;
}

SoundBatch joined(const std::vector<const SoundBatch*>& batches) {
  SoundBatch all;
  std::vector<Tensor> mels;
  for (const SoundBatch* batch : batches) {
    if (!batch->mels.defined()) continue;
    mels.push_back(batch->mels);
    all.clips.insert(all.clips.end(), batch->clips.begin(), batch->clips.end());
  }
  if (!mels.empty()) all.mels = mels.size() == 1 ? mels[0] : at::cat(mels, 0);
  return all;
}

PackedBatch pack_batch(const TensorMap& inputs) {
  const auto found = inputs.find("input_ids");
  if (found == inputs.end()) bad_input("input_ids", "is missing.");
  const Tensor& ids = found->second;
  PackedBatch batch;
  batch.was_packed = inputs.contains("cu_seqlens");
  if (ids.dim() != 2 && !(ids.dim() == 1 && batch.was_packed)) {
    bad_input("input_ids", "has the shape " + shape_text(ids) + ", but must be [rows, tokens].");
  }
  if (ids.numel() == 0) bad_input("input_ids", "holds no token.");
  batch.batch = batch.was_packed ? 1 : ids.size(0);
  batch.columns = ids.numel() / batch.batch;
  const auto numbers = numbers_of(inputs, "input_ids", nullptr);
  const auto mask = numbers_of(inputs, "attention_mask", &ids);
  Cells cells = cells_of(batch, mask);
  if (batch.was_packed) {
    cells.bounds = packed_bounds(numbers_of(inputs, "cu_seqlens", nullptr),
                                 static_cast<int64_t>(cells.kept.size()));
  }
  batch.places = std::move(cells.kept);
  batch.bounds = Bounds::of(std::move(cells.bounds));
  std::vector<int32_t> flat;
  for (const int64_t place : batch.places) {
    flat.push_back(narrow_id(numbers[static_cast<size_t>(place)]));
  }
  batch.ids = int_tensor(flat);
  set_positions(position_numbers(inputs, ids), batch);
  const auto labels = numbers_of(inputs, "labels", &ids);
  if (!labels.empty()) shift_labels(labels, mask, batch);
  return batch;
}

Tensor PackedBatch::unpacked(const Tensor& values) const {
  if (was_packed) return values;
  std::vector<int64_t> shape = {batch * columns};
  shape.insert(shape.end(), values.sizes().begin() + 1, values.sizes().end());
  Tensor all = at::zeros(shape, values.options());
  all.index_copy_(0, at::tensor(at::ArrayRef<int64_t>(places), at::kLong), values.detach());
  shape.erase(shape.begin());
  shape.insert(shape.begin(), {batch, columns});
  return all.view(shape);
}

}  // namespace mortise::engine
