#include "ingest/image.h"

#include <gtest/gtest.h>
#include <webp/encode.h>

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

// A WebP without loss: `size` x `size` pixels of half transparent red.
std::string red_webp(int size) {
  std::string rgba;
  for (int i = 0; i < size * size; ++i) rgba += std::string("\xFF\x00\x00\x80", 4);
  uint8_t* bytes = nullptr;
  const size_t count = WebPEncodeLosslessRGBA(reinterpret_cast<const uint8_t*>(rgba.data()), size,
                                              size, size * 4, &bytes);
  const std::string file(reinterpret_cast<const char*>(bytes), count);
  WebPFree(bytes);
  return file;
}

TEST(Image, DecodesWebpOntoWhite) {
  const auto image = decode_image(as_bytes(red_webp(3)));
  ASSERT_TRUE(image.ok()) << image.error().text();
  EXPECT_EQ(image->width, 3);
  ASSERT_EQ(image->pixels.size(), 27u);
  EXPECT_EQ(image->pixels[0], 255);
  EXPECT_EQ(image->pixels[1], 127);
  EXPECT_EQ(image->pixels[2], 127);
  EXPECT_EQ(decode_image(as_bytes(red_webp(3)), {.pixels_max = 8}).error().code,
            Code::kResourceExhausted);
}

TEST(Image, EveryTruncationOfAWebpIsAnError) {
  const std::string whole = red_webp(40);
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    ASSERT_FALSE(decode_image(as_bytes(whole.substr(0, size))).ok()) << "cut at " << size;
  }
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
