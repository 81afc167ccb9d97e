// Pillow's resampling of 8-bit images: antialiased filter, fixed-point coefficients of 22 bits, a
// pass over the rows and one over the columns, each rounded to 8 bits.
#include <algorithm>
#include <cmath>

#include "engine/data/image_prepare.h"

namespace mortise::engine {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;

double bicubic(double x) {  // Keys 1981, a = -0.5
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double bilinear(double x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

// The weights of each output sample along one axis.
struct Taps {
  struct Sample {
    int64_t begin = 0;
    std::vector<int32_t> weights;
  };
  std::vector<Sample> samples;
};

Taps taps_of(int64_t in, int64_t out, Resample resample) {
  const auto filter = resample == Resample::kBicubic ? bicubic : bilinear;
  const double radius = resample == Resample::kBicubic ? 2 : 1;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);  // antialiasing when shrinking
  const double support = radius * stretch;
  Taps taps;
  taps.samples.resize(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    Taps::Sample& sample = taps.samples[static_cast<size_t>(i)];
    const double center = (static_cast<double>(i) + 0.5) * scale;
    sample.begin = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t end = std::min(in, static_cast<int64_t>(center + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int64_t x = sample.begin; x < end; ++x) {
      weights.push_back(filter((static_cast<double>(x) - center + 0.5) / stretch));
      sum += weights.back();
    }
    for (const double weight : weights) {
      const double fixed = (sum != 0 ? weight / sum : weight) * (1 << kPrecisionBits);
      sample.weights.push_back(static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return taps;
}

uint8_t clipped(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

Image resize_rows(const Image& image, int64_t width, Resample resample) {
  const Taps taps = taps_of(image.width, width, resample);
  Image out{.width = width, .height = image.height, .pixels = {}};
  out.pixels.resize(static_cast<size_t>(width * image.height * 3));
  uint8_t* to = out.pixels.data();
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.pixels.data() + y * image.width * 3;
    for (const Taps::Sample& sample : taps.samples) {
      int32_t sum[3] = {1 << (kPrecisionBits - 1), 1 << (kPrecisionBits - 1),
                        1 << (kPrecisionBits - 1)};
      const uint8_t* from = row + sample.begin * 3;
      for (const int32_t weight : sample.weights) {
        for (int c = 0; c < 3; ++c) sum[c] += *from++ * weight;
      }
      for (const int32_t s : sum) *to++ = clipped(s);
    }
  }
  return out;
}

Image resize_columns(const Image& image, int64_t height, Resample resample) {
  const Taps taps = taps_of(image.height, height, resample);
  const int64_t row_bytes = image.width * 3;
  Image out{.width = image.width, .height = height, .pixels = {}};
  out.pixels.resize(static_cast<size_t>(row_bytes * height));
  uint8_t* to = out.pixels.data();
  for (const Taps::Sample& sample : taps.samples) {
    const uint8_t* from = image.pixels.data() + sample.begin * row_bytes;
    for (int64_t x = 0; x < row_bytes; ++x) {
      int32_t sum = 1 << (kPrecisionBits - 1);
      for (size_t k = 0; k < sample.weights.size(); ++k) {
        sum += from[static_cast<int64_t>(k) * row_bytes + x] * sample.weights[k];
      }
      *to++ = clipped(sum);
    }
  }
  return out;
}

}  // namespace

// Pillow 13 takes the vertical pass first when it removes many more rows than the horizontal one
// removes columns. The order shows where a sharp edge overshoots and is cut to 8 bits in between.
Image resize_image(const Image& image, int64_t width, int64_t height, Resample resample) {
  const bool columns_first =
      height < image.height && image.height - height > 2 * (image.width - width);
  Image work = image;
  if (columns_first) work = resize_columns(work, height, resample);
  if (work.width != width) work = resize_rows(work, width, resample);
  return work.height == height ? work : resize_columns(work, height, resample);
}

}  // namespace mortise::engine
