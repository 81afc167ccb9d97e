// Sizes, crop and normalisation; the resampling itself is in resize.cpp.
#include "engine/data/image_prepare.h"

#include <algorithm>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr int64_t kPixelsMax = 64'000'000;

Error wrong(const std::string& field, const std::string& wanted) {
  return Error(Code::kInvalidArgument,
               "preprocessor_config.json: \"" + field + "\" must be " + wanted + ".")
      .at_field("/" + field);
}

bool is_side(int64_t side) {
  return side >= 1 && side <= 16384;
}

base::Status read_size(const Json& json, ImageOptions& options) {
  const Json& size = json["size"];
  if (size.is_null()) return {};
  const bool by_edge = size.is_integer() || size.contains("shortest_edge");
  options.shortest_edge = 0;
  if (by_edge) {
    options.shortest_edge = (size.is_integer() ? size : size["shortest_edge"]).as_int();
  } else {
    options.height = size["height"].as_int();
    options.width = size["width"].as_int();
  }
  const bool fits =
      by_edge ? is_side(options.shortest_edge) : is_side(options.height) && is_side(options.width);
  if (!fits) return wrong("size", "a side, {shortest_edge} or {height, width}, from 1 to 16384");
  return {};
}

base::Status read_crop(const Json& json, ImageOptions& options) {
  const Json& crop = json["crop_size"];
  if (crop.is_null()) return {};
  options.crop_height = crop.is_integer() ? crop.as_int() : crop["height"].as_int();
  options.crop_width = crop.is_integer() ? crop.as_int() : crop["width"].as_int();
  if (!is_side(options.crop_height) || !is_side(options.crop_width)) {
    return wrong("crop_size", "a side or {height, width}, from 1 to 16384");
  }
  return {};
}

base::Status read_three(const Json& json, const std::string& field, std::array<double, 3>& out) {
  const Json& value = json[field];
  if (value.is_null()) return {};
  if (value.size() != 3) return wrong(field, "a list of three numbers");
  for (size_t i = 0; i < 3; ++i) {
    if (!value.at(i).is_number()) return wrong(field, "a list of three numbers");
    out[i] = value.at(i).as_double();
  }
  return {};
}

base::Status check_processor(const Json& json, ImageOptions& options) {
  const std::string& type = json["image_processor_type"].as_string();
  const bool siglip = type.starts_with("Siglip");
  const bool known = type.empty() || siglip || type.starts_with("CLIP") ||
                     type.starts_with("Llava") || type.starts_with("ViT");
  if (!known || type.starts_with("LlavaNext") || type.starts_with("LlavaOnevision")) {
    return Error(Code::kUnimplemented, "The image processor \"" + type + "\" is not known here.",
                 "CLIPImageProcessor, SiglipImageProcessor and LlavaImageProcessor are.")
        .at_field("/image_processor_type");
  }
  if (json["do_pad"].as_bool()) {
    return Error(Code::kUnimplemented, "\"do_pad\" of the image processor is not supported here.")
        .at_field("/do_pad");
  }
  if (siglip) {
    options.do_center_crop = false;
    options.shortest_edge = 0;
    options.mean = options.std = {0.5, 0.5, 0.5};
  }
  return {};
}

int64_t half_down(int64_t value) {  // Python's value // 2
  return value >= 0 ? value / 2 : -((-value + 1) / 2);
}

// Centre crop of transformers: what lies outside of the image is 0. Rows [h, w, 3].
Image center_crop(const Image& image, int64_t height, int64_t width) {
  Image out{.width = width, .height = height, .pixels = {}};
  out.pixels.assign(static_cast<size_t>(width * height * 3), 0);
  int64_t top = half_down(image.height - height), left = half_down(image.width - width);
  const bool inside = top >= 0 && left >= 0;
  if (!inside) {  // the image is padded first, with the odd row above and the odd column to the
                  // left
    const int64_t pad_top = (std::max(height, image.height) - image.height + 1) / 2;
    const int64_t pad_left = (std::max(width, image.width) - image.width + 1) / 2;
    top = std::max<int64_t>(0, top + pad_top) - pad_top;
    left = std::max<int64_t>(0, left + pad_left) - pad_left;
  }
  for (int64_t y = 0; y < height; ++y) {
    const int64_t from_y = y + top;
    if (from_y < 0 || from_y >= image.height) continue;
    for (int64_t x = 0; x < width; ++x) {
      const int64_t from_x = x + left;
      if (from_x < 0 || from_x >= image.width) continue;
      const auto from = static_cast<size_t>((from_y * image.width + from_x) * 3);
      const auto to = static_cast<size_t>((y * width + x) * 3);
      std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(from), 3,
                  out.pixels.begin() + static_cast<std::ptrdiff_t>(to));
    }
  }
  return out;
}

}  // namespace

base::Result<ImageOptions> parse_image_options(const Json& json) {
  if (!json.is_object()) {
    return Error(Code::kInvalidArgument, "preprocessor_config.json must hold a JSON object.");
  }
  ImageOptions options;
  MORTISE_TRY(check_processor(json, options));
  options.do_resize = json["do_resize"].as_bool(true);
  options.do_center_crop = json["do_center_crop"].as_bool(options.do_center_crop);
  options.do_rescale = json["do_rescale"].as_bool(true);
  options.do_normalize = json["do_normalize"].as_bool(true);
  options.rescale_factor = json["rescale_factor"].as_double(options.rescale_factor);
  MORTISE_TRY(read_size(json, options));
  MORTISE_TRY(read_crop(json, options));
  MORTISE_TRY(read_three(json, "image_mean", options.mean));
  MORTISE_TRY(read_three(json, "image_std", options.std));
  for (const double std : options.std) {
    if (std == 0) return wrong("image_std", "a list of three numbers, none of them 0");
  }
  const int64_t resample = json["resample"].as_int(3);
  if (resample != 2 && resample != 3) {
    return Error(Code::kUnimplemented, "Resampling filter " + std::to_string(resample) +
                                           " is not known here; 2 (bilinear) and 3 (bicubic) are.")
        .at_field("/resample");
  }
  options.resample = static_cast<Resample>(resample);
  return options;
}

base::Result<ImageOptions> read_image_options(base::FileOps& files, const std::string& folder,
                                              int64_t image_size) {
  const std::string path = base::join_path(folder, "preprocessor_config.json");
  MORTISE_ASSIGN(const bool exists, files.exists(path));
  if (!exists) {
    ImageOptions options;
    options.shortest_edge = options.crop_height = options.crop_width = image_size;
    return options;
  }
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1 << 20));
  auto json = base::parse_json(text);
  if (!json.ok()) return std::move(json.error().at_file(path));
  auto options = parse_image_options(*json);
  if (!options.ok()) return std::move(options.error().at_file(path));
  return options;
}

std::pair<int64_t, int64_t> resized_size(int64_t height, int64_t width,
                                         const ImageOptions& options) {
  if (!options.do_resize) return {height, width};
  if (options.shortest_edge == 0) return {options.height, options.width};
  const int64_t side = options.shortest_edge;
  if (width <= height) return {side * height / width, side};  // the long side is truncated
  return {side, side * width / height};
}

base::Result<PixelValues> prepare_image(const Image& image, const ImageOptions& options) {
  const auto [height, width] = resized_size(image.height, image.width, options);
  if (height < 1 || width < 1 || height > kPixelsMax / width) {
    return Error(Code::kResourceExhausted, "An image of " + std::to_string(image.width) + " x " +
                                               std::to_string(image.height) +
                                               " pixels would become " + std::to_string(width) +
                                               " x " + std::to_string(height) + ".");
  }
  Image work = height == image.height && width == image.width
                   ? image
                   : resize_image(image, width, height, options.resample);
  if (options.do_center_crop) work = center_crop(work, options.crop_height, options.crop_width);
  PixelValues out{.height = work.height, .width = work.width, .values = {}};
  const auto area = static_cast<size_t>(work.height * work.width);
  out.values.resize(3 * area);
  for (size_t c = 0; c < 3; ++c) {
    // Rescaled in double, then float: the order of transformers.
    const auto mean = static_cast<float>(options.mean[c]);
    const auto std = static_cast<float>(options.std[c]);
    for (size_t i = 0; i < area; ++i) {
      const double raw = work.pixels[3 * i + c];
      auto value = static_cast<float>(options.do_rescale ? raw * options.rescale_factor : raw);
      if (options.do_normalize) value = (value - mean) / std;
      out.values[c * area + i] = value;
    }
  }
  return out;
}

}  // namespace mortise::engine
