// See pictures.h.
#include "engine/infer/pictures.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <string>

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;
using base::Result;
using ingest::MediaKind;

Result<Tensor> pixels_of(const std::vector<const PixelValues*>& images) {
  if (images.empty()) return Tensor();
  const int64_t height = images[0]->height, width = images[0]->width;
  for (const PixelValues* image : images) {
    if (image->height == height && image->width == width) continue;
    return Error(Code::kInvalidArgument,
                 "The images come out in two sizes, " + std::to_string(width) + " x " +
                     std::to_string(height) + " and " + std::to_string(image->width) + " x " +
                     std::to_string(image->height) + ", which one tensor cannot hold.",
                 "Give them one by one, or let preprocessor_config.json crop.");
  }
  Tensor pixels = at::empty({static_cast<int64_t>(images.size()), 3, height, width}, at::kFloat);
  float* out = pixels.mutable_data_ptr<float>();
  for (const PixelValues* image : images) {
    out = std::copy(image->values.begin(), image->values.end(), out);
  }
  return pixels;
}

PatchBatch patches_of(const std::vector<const PreparedPicture*>& pictures, MediaKind kind) {
  PatchBatch batch;
  size_t values = 0;
  for (const PreparedPicture* picture : pictures) {
    const auto* one = std::get_if<PatchValues>(&picture->values);
    if (one == nullptr || picture->kind != kind) continue;
    batch.grids.push_back({one->grid_frames, one->grid_height, one->grid_width});
    if (kind == MediaKind::kVideo) batch.seconds.push_back(picture->seconds);
    values += one->values.size();
  }
  if (batch.grids.empty()) return batch;
  int64_t count = 0;
  for (const PatchGrid& grid : batch.grids) count += grid.patches();
  batch.patches = at::empty({count, static_cast<int64_t>(values) / count}, at::kFloat);
  float* out = batch.patches.mutable_data_ptr<float>();
  for (const PreparedPicture* picture : pictures) {
    const auto* one = std::get_if<PatchValues>(&picture->values);
    if (one == nullptr || picture->kind != kind) continue;
    out = std::copy(one->values.begin(), one->values.end(), out);
  }
  return batch;
}

SoundBatch spectra_of(const std::vector<const PreparedPicture*>& pictures) {
  SoundBatch batch;
  int64_t frames = 0, bins = 0;
  for (const PreparedPicture* picture : pictures) {
    const auto* one = std::get_if<LogMel>(&picture->values);
    if (one == nullptr) continue;
    batch.clips.push_back({one->frames, one->heard});
    frames += one->frames;
    bins = one->bins;
  }
  if (batch.clips.empty()) return batch;
  batch.mels = at::empty({frames, bins}, at::kFloat);
  float* out = batch.mels.mutable_data_ptr<float>();
  for (const PreparedPicture* picture : pictures) {
    const auto* one = std::get_if<LogMel>(&picture->values);
    if (one != nullptr) out = std::copy(one->values.begin(), one->values.end(), out);
  }
  return batch;
}

}  // namespace

Result<PictureTensors> tensors_of(const std::vector<const PreparedPicture*>& pictures) {
  std::vector<const PixelValues*> fixed;
  for (const PreparedPicture* picture : pictures) {
    if (const auto* one = std::get_if<PixelValues>(&picture->values)) fixed.push_back(one);
  }
  PictureTensors out;
  MORTISE_ASSIGN(out.pixels, pixels_of(fixed));
  out.images = patches_of(pictures, MediaKind::kImage);
  out.videos = patches_of(pictures, MediaKind::kVideo);
  out.sounds = spectra_of(pictures);
  return out;
}

}  // namespace mortise::engine
