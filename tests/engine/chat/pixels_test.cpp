// Prepared images as one tensor.
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "engine/chat/chat_model.h"
#include "engine/chat/image_tensors.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

PixelValues pixels(int64_t height, int64_t width, float value) {
  return {.height = height,
          .width = width,
          .values = std::vector<float>(static_cast<size_t>(3 * height * width), value)};
}

TEST(Pixels, StandInTheOrderOfTheImages) {
  const auto made = pixels_of({pixels(2, 3, 0.5f), pixels(2, 3, -1.0f)});
  ASSERT_TRUE(made.ok()) << made.error().text();
  EXPECT_EQ(made->sizes(), (std::vector<int64_t>{2, 3, 2, 3}));
  const float* values = made->const_data_ptr<float>();
  EXPECT_EQ(values[0], 0.5f);
  EXPECT_EQ(values[17], 0.5f);
  EXPECT_EQ(values[18], -1.0f);
  EXPECT_EQ(values[35], -1.0f);
}

TEST(Pixels, AreUndefinedWithoutImages) {
  const auto made = pixels_of({});
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(made->defined());
}

TEST(Pixels, OfTwoSizesAreRefusedWithBoth) {
  const auto made = pixels_of({pixels(2, 2, 0), pixels(4, 5, 0)});
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

}  // namespace
}  // namespace mortise::engine
