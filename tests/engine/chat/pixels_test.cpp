// Prepared images as one tensor.
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "engine/chat/image_tensors.h"
#include "engine/chat/sound_tensors.h"
#include "engine/infer/pictures.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

PreparedPicture pixels(int64_t height, int64_t width, float value) {
  PreparedPicture picture;
  picture.values =
      PixelValues{.height = height,
                  .width = width,
                  .values = std::vector<float>(static_cast<size_t>(3 * height * width), value)};
  return picture;
}

PreparedPicture patches(ingest::MediaKind kind, int64_t frames, int64_t rows, int64_t columns,
                        float value) {
  PreparedPicture picture{.kind = kind, .values = {}, .seconds = 0.5};
  picture.values = PatchValues{
      .grid_frames = frames,
      .grid_height = rows,
      .grid_width = columns,
      .values = std::vector<float>(static_cast<size_t>(frames * rows * columns * 5), value)};
  return picture;
}

TEST(Pictures, OfOneSizeStandInTheirOrder) {
  const auto a = pixels(2, 3, 0.5f), b = pixels(2, 3, -1.0f);
  const auto made = tensors_of({&a, &b});
  ASSERT_TRUE(made.ok()) << made.error().text();
  EXPECT_EQ(made->pixels.sizes(), (std::vector<int64_t>{2, 3, 2, 3}));
  const float* values = made->pixels.const_data_ptr<float>();
  EXPECT_EQ(values[0], 0.5f);
  EXPECT_EQ(values[17], 0.5f);
  EXPECT_EQ(values[18], -1.0f);
  EXPECT_EQ(values[35], -1.0f);
}

TEST(Pictures, OfAnySizeStandKindByKindWithTheirGrids) {
  const auto a = patches(ingest::MediaKind::kImage, 1, 2, 2, 1);
  const auto film = patches(ingest::MediaKind::kVideo, 3, 2, 4, 2);
  const auto b = patches(ingest::MediaKind::kImage, 1, 4, 2, 3);
  const auto made = tensors_of({&a, &film, &b});
  ASSERT_TRUE(made.ok()) << made.error().text();
  EXPECT_FALSE(made->pixels.defined());
  EXPECT_EQ(made->images.patches.sizes(), (std::vector<int64_t>{12, 5}));
  EXPECT_EQ(made->images.patches[4][0].item<float>(), 3);
  EXPECT_EQ(made->images.grids[1].rows, 4);
  EXPECT_TRUE(made->images.seconds.empty());
  EXPECT_EQ(made->videos.patches.sizes(), (std::vector<int64_t>{24, 5}));
  EXPECT_EQ(made->videos.seconds, std::vector<double>{0.5});
}

TEST(Pictures, AreUndefinedWithoutAny) {
  const auto made = tensors_of({});
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(made->pixels.defined() || made->images.patches.defined());
}

TEST(Pictures, OfTwoSizesWithoutGridsAreRefusedWithBoth) {
  const auto a = pixels(2, 2, 0), b = pixels(4, 5, 0);
  const auto made = tensors_of({&a, &b});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, base::Code::kInvalidArgument);
  EXPECT_NE(made.error().message.find("2 x 2 and 5 x 4"), std::string::npos);
}

TEST(ImageTensors, NeedAnImage) {
  const tests::TempFolder folder;
  const auto made = image_tensors(base::posix_file_ops(), folder.path(), {});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, base::Code::kInvalidArgument);
}

TEST(ImageTensors, NameTheFileThatIsNoImage) {
  const tests::TempFolder folder;
  const std::string path = folder / "x.png";
  ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), path, "no image").ok());
  const auto made = image_tensors(base::posix_file_ops(), folder.path(), {path});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().file, path);
}

TEST(SoundTensors, NeedASoundAndNameTheFileThatIsNone) {
  const tests::TempFolder folder;
  const auto none = sound_tensors(base::posix_file_ops(), folder.path(), {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, base::Code::kInvalidArgument);
  const std::string path = folder / "x.wav";
  ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), path, "no sound").ok());
  const auto made = sound_tensors(base::posix_file_ops(), folder.path(), {path});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().file, path);
}

}  // namespace
}  // namespace mortise::engine
