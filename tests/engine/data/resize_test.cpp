// resize_image against the same sums written as plainly as can be; Pillow's own bytes are compared
// in tests/external/image.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/data/image_prepare.h"

namespace mortise::engine {
namespace {

double filter(double x, Resample resample) {
  x = std::abs(x);
  if (resample == Resample::kBilinear) return x < 1 ? 1 - x : 0;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

// `count` values, `step` bytes apart, become `out` values.
std::vector<uint8_t> plain_line(const uint8_t* from, int64_t step, int64_t count, int64_t out,
                                Resample resample) {
  const double scale = static_cast<double>(count) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double support = (resample == Resample::kBicubic ? 2 : 1) * stretch;
  std::vector<uint8_t> values;
  for (int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t end = std::min(count, static_cast<int64_t>(center + support + 0.5));
    std::vector<double> weights;
    double all = 0;
    for (int64_t k = begin; k < end; ++k) {
      weights.push_back(filter((static_cast<double>(k) - center + 0.5) / stretch, resample));
      all += weights.back();
    }
    int64_t sum = 1 << 21;
    for (int64_t k = begin; k < end; ++k) {
      const double weight = weights[static_cast<size_t>(k - begin)] / all * (1 << 22);
      sum += from[k * step] * static_cast<int64_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    values.push_back(static_cast<uint8_t>(std::clamp<int64_t>(sum >> 22, 0, 255)));
  }
  return values;
}

Image plain_pass(const Image& image, int64_t size, bool is_rows, Resample resample) {
  Image out{is_rows ? size : image.width, is_rows ? image.height : size, {}};
  out.pixels.resize(static_cast<size_t>(out.width * out.height * 3));
  const int64_t lines = is_rows ? image.height : image.width;
  for (int64_t line = 0; line < lines; ++line) {
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t begin = (is_rows ? line * image.width : line) * 3 + c;
      const auto values = plain_line(image.pixels.data() + begin, is_rows ? 3 : image.width * 3,
                                     is_rows ? image.width : image.height, size, resample);
      for (int64_t i = 0; i < size; ++i) {
        const int64_t to = is_rows ? line * size + i : i * out.width + line;
        out.pixels[static_cast<size_t>(to * 3 + c)] = values[static_cast<size_t>(i)];
      }
    }
  }
  return out;
}

TEST(ResizeImage, GivesThePlainSumsAtEverySize) {
  const unsigned seed = 20261127;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 dice(seed);
  const auto below = [&](int64_t limit) { return 1 + static_cast<int64_t>(dice()) % limit; };
  for (int round = 0; round < 200; ++round) {
    Image image{below(90), below(90), {}};
    for (int64_t i = 0; i < image.width * image.height * 3; ++i) {
      const bool is_edge = dice() % 2 == 0;  // edges overshoot and are cut
      image.pixels.push_back(static_cast<uint8_t>(is_edge ? 255 * (dice() % 2) : dice() % 256));
    }
    const int64_t width = below(120), height = below(120);
    const auto resample = round % 2 == 0 ? Resample::kBicubic : Resample::kBilinear;
    const bool columns_first =
        height < image.height && image.height - height > 2 * (image.width - width);
    Image want = image;
    for (const bool is_rows : {!columns_first, columns_first}) {
      const int64_t size = is_rows ? width : height, has = is_rows ? want.width : want.height;
      if (size != has) want = plain_pass(want, size, is_rows, resample);
    }
    const Image got = resize_image(image, width, height, resample);
    ASSERT_EQ(got.width, width);
    ASSERT_EQ(got.height, height);
    ASSERT_EQ(got.pixels, want.pixels)
        << image.width << " x " << image.height << " to " << width << " x " << height;
  }
}

}  // namespace
}  // namespace mortise::engine
