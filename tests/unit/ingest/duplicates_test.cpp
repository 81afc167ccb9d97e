#include "ingest/duplicates.h"

#include <gtest/gtest.h>

#include "base/json_read.h"
#include "ingest/pictures.h"

namespace mortise::ingest {
namespace {

// splitmix64 from a seed that stands in the test.
std::string words(uint64_t seed, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    text += (i == 0 ? "w" : " w") + std::to_string((z ^ (z >> 27)) % 5000);
  }
  return text;
}

class DuplicatesTest : public ::testing::Test {
 protected:
  std::optional<Duplicates::Found> add(const std::string& row) {
    return duplicates_.add(reader_.scan(row).value(), next_++);
  }
  static std::string row(const std::string& text, const std::string& id = "1") {
    return R"({"id":)" + id + R"(,"text":")" + text + "\"}";
  }
  base::RowReader reader_;
  Duplicates duplicates_;
  uint32_t next_ = 0;
};

TEST_F(DuplicatesTest, ARowWithTheSameFieldsInAnotherOrderIsExactlyTheSame) {
  EXPECT_FALSE(add(R"({"text":"a","n":1})"));
  const auto found = add(R"({"n":1,"text":"a"})");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_exact);
  EXPECT_EQ(found->earlier, 0u);
  EXPECT_FALSE(add(R"({"n":2,"text":"a"})"));
  EXPECT_FALSE(add(R"({"n":"1","text":"a"})"));
}

TEST_F(DuplicatesTest, CaseBlanksAndPunctuationDoNotMakeATextAnother) {
  EXPECT_FALSE(add(row("The lungs are clear. No pleural effusion, no pneumothorax is seen.")));
  const auto found =
      add(row("the LUNGS are  clear; no pleural effusion\\nno pneumothorax is seen", "2"));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->is_exact);
  EXPECT_EQ(found->similarity, 1);
}

TEST_F(DuplicatesTest, OneWordOfAHundredLeavesATextNearlyTheSame) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    const std::string text = words(seed * 1000, 100);
    EXPECT_FALSE(add(row(text)));
    const auto found = add(row(text + " another", "2"));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->earlier, next_ - 2);
  }
}

TEST_F(DuplicatesTest, OtherTextsShortTextsAndOtherPicturesAreNoCopies) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    EXPECT_FALSE(add(row(words(seed * 1000, 60)))) << "seed " << seed;
  }
  EXPECT_FALSE(add(row("Yes.")));
  EXPECT_FALSE(add(row("yes", "2")));
  const std::string text = "\",\"output\":\"" + words(9, 50) + "\"}";
  EXPECT_FALSE(add(R"({"image_path":"a.png)" + text));
  EXPECT_FALSE(add(R"({"image_path":"b.png)" + text));
}

TEST_F(DuplicatesTest, ChineseTextsAreComparedByCharacters) {
  const std::string text =
      "双肺纹理清晰，未见明显实变影，心影大小正常，双侧肋膈角锐利，骨质未见异常。";
  EXPECT_FALSE(add(row(text)));
  EXPECT_TRUE(add(row(text + "无", "2")));
  EXPECT_FALSE(
      add(row("右下肺见斑片状密度增高影，边界模糊，考虑炎症，建议抗炎治疗后复查胸部影像。")));
}

Image gradient(int64_t width, int64_t height, int shift, bool is_mirrored) {
  Image image{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t at = is_mirrored ? width - 1 - x : x;
      const auto grey = static_cast<uint8_t>(at * 200 / width + shift + y * 20 / height);
      image.pixels.insert(image.pixels.end(), 3, grey);
    }
  }
  return image;
}

TEST(PictureIndex, ASmallerAndBrighterCopyIsTheSamePictureAMirroredOneIsNot) {
  PictureIndex index;
  const uint64_t first = picture_hash(gradient(90, 80, 0, true));
  EXPECT_EQ(index.add(0, first), 0u);
  EXPECT_EQ(index.add(1, picture_hash(gradient(45, 40, 10, true))), 0u);
  EXPECT_EQ(index.add(2, picture_hash(gradient(90, 80, 0, false))), 2u);
}

TEST(PictureHash, AFlatPictureSaysNothing) {
  Image flat{32, 32, Pixels(32 * 32 * 3, 90)};
  EXPECT_EQ(picture_hash(flat), 0u);
  EXPECT_EQ(picture_hash(Image{4, 4, Pixels(48, 1)}), 0u);
}

}  // namespace
}  // namespace mortise::ingest
