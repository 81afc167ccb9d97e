#include "ingest/image.h"

#include <gtest/gtest.h>

#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

using base::as_bytes;
using base::Code;

TEST(Image, DecodesGreyPngToRgb) {
  const auto image = decode_image(as_bytes(grey_png(5, 77)));
  ASSERT_TRUE(image.ok()) << image.error().text();
  EXPECT_EQ(image->width, 5);
  EXPECT_EQ(image->height, 5);
  ASSERT_EQ(image->pixels.size(), 75u);
  for (const uint8_t value : image->pixels) EXPECT_EQ(value, 77);
}

TEST(Image, EveryTruncationOfAPngIsAnErrorAndNeverACrash) {
  const std::string whole = grey_png(9, 10);
  for (size_t size = 0; size + 12 < whole.size(); ++size) {  // the last 12 bytes are IEND
    const auto image = decode_image(as_bytes(std::string_view(whole).substr(0, size)));
    ASSERT_FALSE(image.ok()) << "cut at " << size;
  }
}

TEST(Image, NamesTheReasonAndTheRemedyOfADamagedPng) {
  std::string damaged = grey_png(9, 10);
  damaged[50] = static_cast<char>(damaged[50] ^ 1);
  const auto image = decode_image(as_bytes(damaged));
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code, Code::kDataLoss);
  EXPECT_NE(image.error().message.find("PNG is damaged"), std::string::npos);
  EXPECT_FALSE(image.error().hint.empty());
}

TEST(Image, RefusesMorePixelsThanTheLimitBeforeDecoding) {
  const auto image = decode_image(as_bytes(grey_png(9, 10)), {.pixels_max = 80});
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code, Code::kResourceExhausted);
  EXPECT_NE(image.error().message.find("9 x 9"), std::string::npos);
}

TEST(Image, RefusesWhatIsNoImage) {
  const auto image = decode_image(as_bytes("hello"));
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code, Code::kInvalidArgument);
}

TEST(Image, TruncatedJpegIsDataLoss) {
  const auto image = decode_image(as_bytes(std::string("\xFF\xD8\xFF\xE0\x00\x10JFIF", 10)));
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace mortise::ingest
