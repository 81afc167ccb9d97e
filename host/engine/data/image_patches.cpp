// smart_resize and the cutting into patches, as transformers' Qwen2VLImageProcessor does both.
#include "engine/data/image_patches.h"

#include <algorithm>
#include <cmath>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

Error wrong(const std::string& field, const std::string& wanted) {
  return Error(Code::kInvalidArgument,
               "preprocessor_config.json: \"" + field + "\" must be " + wanted + ".")
      .at_field("/" + field);
}

base::Status read_number(const Json& value, const std::string& field, int64_t most, int64_t& out) {
  if (value.is_null()) return {};
  if (!value.is_integer() || value.as_int() < 1 || value.as_int() > most) {
    return wrong(field, "a whole number from 1 to " + std::to_string(most));
  }
  out = value.as_int();
  return {};
}

base::Status read_three(const Json& json, const std::string& field, std::array<double, 3>& out) {
  const Json& value = json[field];
  if (value.is_null()) return {};
  for (size_t i = 0; i < 3; ++i) {
    if (value.size() != 3 || !value.at(i).is_number() || value.at(i).as_double() == 0) {
      return wrong(field, "a list of three numbers that are not 0");
    }
    out[i] = value.at(i).as_double();
  }
  return {};
}

// What each value of a channel becomes.
struct LightTable {
  explicit LightTable(const PatchOptions& o) {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t raw = 0; raw < 256; ++raw) {
        const double light = static_cast<double>(raw) * o.rescale_factor;
        of[c][raw] = (static_cast<float>(light) - static_cast<float>(o.mean[c])) /
                     static_cast<float>(o.std[c]);
      }
    }
  }
  std::array<std::array<float, 256>, 3> of;
};

// One patch: channel, time (the last slice repeated), row, column.
void write_patch(const std::vector<Image>& slices, const PatchOptions& o, const LightTable& table,
                 int64_t top, int64_t left, float* out) {
  const int64_t p = o.patch_size, last = static_cast<int64_t>(slices.size()) - 1;
  for (size_t c = 0; c < 3; ++c) {
    for (int64_t t = 0; t < o.temporal_patch_size; ++t) {
      const Image& slice = slices[static_cast<size_t>(std::min(t, last))];
      for (int64_t y = 0; y < p; ++y) {
        const uint8_t* row =
            slice.pixels.data() + ((top + y) * slice.width + left) * 3 + static_cast<int64_t>(c);
        for (int64_t x = 0; x < p; ++x) *out++ = table.of[c][row[x * 3]];
      }
    }
  }
}

}  // namespace

base::Result<PatchOptions> parse_patch_options(const Json& json, const PatchOptions& defaults) {
  PatchOptions o = defaults;
  constexpr int64_t kPixels = 64'000'000;
  MORTISE_TRY(read_number(json["patch_size"], "patch_size", 256, o.patch_size));
  MORTISE_TRY(read_number(json["merge_size"], "merge_size", 16, o.merge_size));
  MORTISE_TRY(
      read_number(json["temporal_patch_size"], "temporal_patch_size", 16, o.temporal_patch_size));
  const Json& size = json["size"];  // the spellings of transformers 5, and of its first releases
  MORTISE_TRY(read_number(size["min_pixels"], "size/min_pixels", kPixels, o.min_pixels));
  MORTISE_TRY(read_number(size["max_pixels"], "size/max_pixels", kPixels, o.max_pixels));
  MORTISE_TRY(read_number(size["shortest_edge"], "size/shortest_edge", kPixels, o.min_pixels));
  MORTISE_TRY(read_number(size["longest_edge"], "size/longest_edge", kPixels, o.max_pixels));
  MORTISE_TRY(read_number(json["min_pixels"], "min_pixels", kPixels, o.min_pixels));
  MORTISE_TRY(read_number(json["max_pixels"], "max_pixels", kPixels, o.max_pixels));
  MORTISE_TRY(read_three(json, "image_mean", o.mean));
  MORTISE_TRY(read_three(json, "image_std", o.std));
  o.rescale_factor = json["rescale_factor"].as_double(o.rescale_factor);
  if (o.min_pixels > o.max_pixels) {
    return wrong("min_pixels", "at most max_pixels, which is " + std::to_string(o.max_pixels));
  }
  const int64_t resample = json["resample"].as_int(static_cast<int64_t>(o.resample));
  if (resample != 2 && resample != 3) return wrong("resample", "2 or 3");
  o.resample = static_cast<Resample>(resample);
  return o;
}

base::Result<std::pair<int64_t, int64_t>> smart_resize(int64_t height, int64_t width,
                                                       int64_t factor, int64_t min_pixels,
                                                       int64_t max_pixels) {
  if (std::max(height, width) > 200 * std::min(height, width)) {
    return Error(Code::kInvalidArgument, "An image of " + std::to_string(width) + " x " +
                                             std::to_string(height) +
                                             " pixels is longer than 200 to 1.");
  }
  const auto h = static_cast<double>(height), w = static_cast<double>(width),
             f = static_cast<double>(factor);
  const auto multiple = [&](double count) { return static_cast<int64_t>(count) * factor; };
  int64_t out_h = multiple(std::nearbyint(h / f)), out_w = multiple(std::nearbyint(w / f));
  if (out_h * out_w > max_pixels) {
    const double beta = std::sqrt(h * w / static_cast<double>(max_pixels));
    out_h = std::max(factor, multiple(std::floor(h / beta / f)));
    out_w = std::max(factor, multiple(std::floor(w / beta / f)));
  } else if (out_h * out_w < min_pixels) {
    const double beta = std::sqrt(static_cast<double>(min_pixels) / (h * w));
    out_h = multiple(std::ceil(h * beta / f));
    out_w = multiple(std::ceil(w * beta / f));
  }
  return std::pair(out_h, out_w);
}

base::Result<PatchValues> prepare_film_patches(std::span<const Image* const> frames,
                                               const PatchOptions& o) {
  const int64_t p = o.patch_size, m = o.merge_size, deep = o.temporal_patch_size;
  const Image& first = *frames.front();
  MORTISE_ASSIGN(const auto size,
                 smart_resize(first.height, first.width, p * m, o.min_pixels, o.max_pixels));
  const auto count = static_cast<int64_t>(frames.size());
  PatchValues out{.grid_frames = (count + deep - 1) / deep,
                  .grid_height = size.first / p,
                  .grid_width = size.second / p,
                  .values = {}};
  out.values.resize(static_cast<size_t>(out.grid_frames * size.first * size.second * 3 * deep));
  const LightTable table(o);
  float* patch = out.values.data();
  for (int64_t f = 0; f < out.grid_frames; ++f) {
    std::vector<Image> slices;  // those that one patch is deep
    for (int64_t t = 0; t < deep && f * deep + t < count; ++t) {
      const Image& frame = *frames[static_cast<size_t>(f * deep + t)];
      slices.push_back(resize_image(frame, size.second, size.first, o.resample));
    }
    for (int64_t block_y = 0; block_y < out.grid_height / m; ++block_y) {
      for (int64_t block_x = 0; block_x < out.grid_width / m; ++block_x) {
        for (int64_t i = 0; i < m * m; ++i) {
          write_patch(slices, o, table, (block_y * m + i / m) * p, (block_x * m + i % m) * p,
                      patch);
          patch += 3 * deep * p * p;
        }
      }
    }
  }
  return out;
}

base::Result<PatchValues> prepare_patches(const Image& image, const PatchOptions& options) {
  const Image* const one[] = {&image};
  return prepare_film_patches(one, options);
}

}  // namespace mortise::engine
