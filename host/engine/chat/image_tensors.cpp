// See image_tensors.h.
#include "engine/chat/image_tensors.h"

#include <ATen/ops/empty.h>

#include "engine/infer/pictures.h"
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

// Of Qwen2-VL: patches with grids.
bool cuts_patches(const Json& processor) {
  return processor["image_processor_type"].as_string().starts_with("Qwen2VLImageProcessor");
}

at::Tensor grids_of(const std::vector<PatchGrid>& grids) {
  at::Tensor out = at::empty({static_cast<int64_t>(grids.size()), 3}, at::kLong);
  auto* at = out.mutable_data_ptr<int64_t>();
  for (const PatchGrid& grid : grids) {
    *at++ = grid.frames;
    *at++ = grid.rows;
    *at++ = grid.columns;
  }
  return out;
}

}  // namespace

Result<NamedTensors> image_tensors(base::FileOps& files, const std::string& folder,
                                   const std::vector<std::string>& images) {
  if (images.empty()) {
    return Error(Code::kInvalidArgument, "There is no image to prepare.", "Give --image FILE.");
  }
  MORTISE_ASSIGN(const Json processor, read_processor(files, folder));
  const bool in_patches = cuts_patches(processor);
  PatchOptions patches;
  ImageOptions fixed;
  if (in_patches) {
    MORTISE_ASSIGN(patches, parse_patch_options(processor));
  } else {
    MORTISE_ASSIGN(fixed, read_image_options(files, folder, kImageSize));
  }
  std::vector<PreparedPicture> prepared(images.size());
  std::vector<const PreparedPicture*> all;
  for (size_t i = 0; i < images.size(); ++i) {
    MORTISE_ASSIGN(const Image image, read_image(files, images[i]));
    if (in_patches) {
      auto values = prepare_patches(image, patches);
      if (!values.ok()) return std::move(values.error().at_file(images[i]));
      prepared[i].values = std::move(*values);
    } else {
      MORTISE_ASSIGN(PixelValues values, prepare_image(image, fixed));
      prepared[i].values = std::move(values);
    }
    all.push_back(&prepared[i]);
  }
  MORTISE_ASSIGN(const PictureTensors tensors, tensors_of(all));
  if (!in_patches) return NamedTensors{{"pixel_values", tensors.pixels}};
  return NamedTensors{{"pixel_values", tensors.images.patches},
                      {"image_grid_thw", grids_of(tensors.images.grids)}};
}

}  // namespace mortise::engine
