// Image preprocessing against the PIL processors of transformers: resized bytes, pixel values,
// sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/crypto.h"
#include "base/file_ops.h"
#include "engine/data/image_patches.h"
#include "engine/data/image_prepare.h"
#include "engine/weights/safetensors.h"

namespace mortise::engine {
namespace {

using base::Json;

class ImageGoldens : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* fixtures = std::getenv("MORTISE_FIXTURES");
    if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: no golden images.";
    folder_ = std::string(fixtures) + "/goldens/image-preprocessing/";
    info_ = *base::parse_json(read("case.json"));
    tensors_.emplace(
        *SafetensorsFile::open(base::posix_file_ops(), folder_ + "tensors.safetensors"));
  }

  std::string read(const std::string& name) const {
    auto text = base::read_file(base::posix_file_ops(), folder_ + name);
    EXPECT_TRUE(text.ok()) << name;
    return text.ok() ? std::move(text).value() : std::string();
  }
  Image image(const std::string& name) const {
    const std::string bytes = read(name);
    auto decoded = ingest::decode_image(base::as_bytes(bytes));
    EXPECT_TRUE(decoded.ok()) << name;
    return decoded.ok() ? std::move(decoded).value() : Image{};
  }
  static Json config_of(const Json& row) {
    Json config = row["options"].is_object() ? row["options"] : Json::object();
    const std::string& processor = row["processor"].as_string();
    config["image_processor_type"] = processor == "siglip" ? "SiglipImageProcessor"
                                     : processor == "clip" ? "CLIPImageProcessor"
                                                           : "Qwen2VLImageProcessor";
    return config;
  }
  static std::string stem(const Json& row) {
    const std::string& name = row["image"].as_string();
    return row["run"].as_string() + "." + name.substr(0, name.rfind('.'));
  }
  void expect_bytes(const std::string& key, const ingest::Pixels& got) const {
    const TensorBytes* want = tensors_->find(key);
    ASSERT_NE(want, nullptr) << key;
    ASSERT_EQ(want->data.size(), got.size()) << key;
    EXPECT_EQ(std::memcmp(want->data.data(), got.data(), got.size()), 0) << key;
  }
  // every: only each n-th row of a plane is stored.
  void expect_values(const std::string& key, const std::vector<float>& got, int64_t height,
                     int64_t width) const {
    const TensorBytes* want = tensors_->find(key);
    ASSERT_NE(want, nullptr) << key;
    const int64_t rows = want->shape.size() == 3 ? want->shape[1] : height;
    const int64_t every = rows == height ? 1 : 7;
    std::vector<float> stored(want->data.size() / sizeof(float));
    std::memcpy(stored.data(), want->data.data(), want->data.size());
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      if (static_cast<int64_t>(i) / width % height % every != 0) continue;
      ASSERT_LT(at, stored.size()) << key;
      worst = std::max(worst, std::abs(static_cast<double>(got[i]) - stored[at++]));
    }
    EXPECT_EQ(at, stored.size()) << key;
    EXPECT_LE(worst, 1e-5) << key;
  }

  std::string folder_;
  Json info_;
  std::optional<SafetensorsFile> tensors_;
};

TEST_F(ImageGoldens, DecodesToTheRgbOfPillow) {
  for (const char* name : {"gray_50x120", "palette_64x40", "rgba_75x83"}) {
    expect_bytes(std::string("rgb.") + name, image(std::string(name) + ".png").pixels);
  }
}

TEST_F(ImageGoldens, ClipAndSiglipGiveTheirBytesAndValues) {
  size_t bytes = 0, values = 0;
  for (const Json& row : info_["rows"].items()) {
    if (row["processor"].as_string() == "qwen2_vl") continue;
    const auto options = parse_image_options(config_of(row));
    ASSERT_TRUE(options.ok()) << options.error().text();
    const Image original = image(row["image"].as_string());
    const auto [height, width] = resized_size(original.height, original.width, *options);
    EXPECT_EQ(height, row["resized_hw"].at(0).as_int()) << stem(row);
    EXPECT_EQ(width, row["resized_hw"].at(1).as_int()) << stem(row);
    if (tensors_->find(stem(row) + ".resized_u8") != nullptr) {
      expect_bytes(stem(row) + ".resized_u8",
                   resize_image(original, width, height, options->resample).pixels);
      ++bytes;
    }
    if (!row["pixel_values"].is_string()) continue;
    const auto prepared = prepare_image(original, *options);
    ASSERT_TRUE(prepared.ok());
    expect_values(row["pixel_values"].as_string(), prepared->values, prepared->height,
                  prepared->width);
    ++values;
  }
  EXPECT_GE(bytes, 15u);
  EXPECT_GE(values, 12u);
}

TEST_F(ImageGoldens, QwenGivesItsPatches) {
  size_t values = 0;
  for (const Json& row : info_["rows"].items()) {
    if (row["processor"].as_string() != "qwen2_vl") continue;
    const auto options = parse_patch_options(config_of(row));
    ASSERT_TRUE(options.ok());
    const Image original = image(row["image"].as_string());
    const auto patches = prepare_patches(original, *options);
    ASSERT_TRUE(patches.ok());
    EXPECT_EQ(patches->grid_height, row["grid_thw"].at(1).as_int()) << stem(row);
    EXPECT_EQ(patches->grid_width, row["grid_thw"].at(2).as_int()) << stem(row);
    expect_bytes(stem(row) + ".resized_u8",
                 resize_image(original, patches->grid_width * 14, patches->grid_height * 14,
                              options->resample)
                     .pixels);
    if (!row["pixel_values"].is_string()) continue;
    expect_values(row["pixel_values"].as_string(), patches->values,
                  patches->grid_height * patches->grid_width, 1176);
    ++values;
  }
  EXPECT_GE(values, 6u);
}

TEST_F(ImageGoldens, SmartResizeFindsTheSidesOfTransformers) {
  const Json cases = *base::parse_json(read("smart_resize.json"));
  for (const Json& row : cases.items()) {
    const auto size =
        smart_resize(row["height"].as_int(), row["width"].as_int(), row["factor"].as_int(),
                     row["min_pixels"].as_int(), row["max_pixels"].as_int());
    if (!row["out"].is_array()) {
      EXPECT_FALSE(size.ok()) << row.dump();
      continue;
    }
    ASSERT_TRUE(size.ok()) << row.dump();
    EXPECT_EQ(size->first, row["out"].at(0).as_int()) << row.dump();
    EXPECT_EQ(size->second, row["out"].at(1).as_int()) << row.dump();
  }
  EXPECT_GT(cases.size(), 20u);
}

}  // namespace
}  // namespace mortise::engine
