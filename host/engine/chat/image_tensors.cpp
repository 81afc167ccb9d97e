// See image_tensors.h. I images, P patches of all of them.
#include "engine/chat/image_tensors.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "engine/chat/chat_model.h"
#include "engine/data/image_patches.h"
#include "ingest/image.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr int64_t kImageSize = 224;  // CLIP's, for a folder that says nothing

// Null when the folder has no preprocessor_config.json.
Result<Json> read_processor(base::FileOps& files, const std::string& folder) {
  const std::string path = base::join_path(folder, "preprocessor_config.json");
  MORTISE_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return Json();
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1 << 20));
  auto json = base::parse_json(text);
  if (!json.ok()) return std::move(json.error().at_file(path));
  return std::move(*json);
}

Result<Image> read_image(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const std::string bytes, base::read_file(files, path));
  auto image = ingest::decode_image(base::as_bytes(bytes));
  if (!image.ok()) return std::move(image.error().at_file(path));
  return std::move(*image);
}

Result<NamedTensors> patches_of(base::FileOps& files, const Json& processor,
                                const std::vector<std::string>& images) {
  MORTISE_ASSIGN(const PatchOptions options, parse_patch_options(processor));
  const int64_t width = 3 * options.temporal_patch_size * options.patch_size * options.patch_size;
  at::Tensor grids = at::empty({static_cast<int64_t>(images.size()), 3}, at::kLong);
  auto* grid = grids.data_ptr<int64_t>();
  std::vector<float> values;
  for (const std::string& path : images) {
    MORTISE_ASSIGN(const Image image, read_image(files, path));
    auto patches = prepare_patches(image, options);
    if (!patches.ok()) return std::move(patches.error().at_file(path));
    values.insert(values.end(), patches->values.begin(), patches->values.end());
    *grid++ = 1;  // one point in time
    *grid++ = patches->grid_height;
    *grid++ = patches->grid_width;
  }
  at::Tensor pixels = at::empty({static_cast<int64_t>(values.size()) / width, width});  // [P, ...]
  std::copy(values.begin(), values.end(), pixels.data_ptr<float>());
  return NamedTensors{{"pixel_values", pixels}, {"image_grid_thw", grids}};
}

}  // namespace

Result<NamedTensors> image_tensors(base::FileOps& files, const std::string& folder,
                                   const std::vector<std::string>& images) {
  if (images.empty()) {
    return Error(Code::kInvalidArgument, "There is no image to prepare.", "Give --image FILE.");
  }
  MORTISE_ASSIGN(const Json processor, read_processor(files, folder));
  if (processor["image_processor_type"].as_string().starts_with("Qwen2VLImageProcessor")) {
    return patches_of(files, processor, images);
  }
  MORTISE_ASSIGN(const ImageOptions options, read_image_options(files, folder, kImageSize));
  std::vector<PixelValues> prepared;
  for (const std::string& path : images) {
    MORTISE_ASSIGN(const Image image, read_image(files, path));
    MORTISE_ASSIGN(PixelValues pixels, prepare_image(image, options));
    prepared.push_back(std::move(pixels));
  }
  MORTISE_ASSIGN(const at::Tensor pixels, pixels_of(prepared));
  return NamedTensors{{"pixel_values", pixels}};
}

}  // namespace mortise::engine
