// Pillow's resampling of 8-bit images: antialiased filter, fixed-point coefficients of 22 bits, a
// pass over the rows and one over the columns, each rounded to 8 bits. The sums are of whole
// numbers, so wide registers give what narrow ones give.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/data/image_prepare.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mortise::engine {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);

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
    int64_t begin = 0;            // of the input
    size_t first = 0, count = 0;  // in weights
  };
  std::vector<Sample> samples;
  std::vector<int32_t> weights;
};

Taps taps_of(int64_t in, int64_t out, Resample resample) {
  const auto filter = resample == Resample::kBicubic ? bicubic : bilinear;
  const double radius = resample == Resample::kBicubic ? 2 : 1;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);  // antialiasing when shrinking
  const double support = radius * stretch;
  Taps taps;
  taps.samples.resize(static_cast<size_t>(out));
  std::vector<double> weights;
  for (int64_t i = 0; i < out; ++i) {
    Taps::Sample& sample = taps.samples[static_cast<size_t>(i)];
    const double center = (static_cast<double>(i) + 0.5) * scale;
    sample.begin = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t end = std::min(in, static_cast<int64_t>(center + support + 0.5));
    weights.clear();
    double sum = 0;
    for (int64_t x = sample.begin; x < end; ++x) {
      weights.push_back(filter((static_cast<double>(x) - center + 0.5) / stretch));
      sum += weights.back();
    }
    sample.first = taps.weights.size();
    sample.count = weights.size();
    for (const double weight : weights) {
      const double fixed = (sum != 0 ? weight / sum : weight) * (1 << kPrecisionBits);
      taps.weights.push_back(static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return taps;
}

uint8_t clipped(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

// --- one row, or one column of rows, in plain code
// ------------------------------------------------

// row: [pixels, 4]; out: [samples, 3].
void resize_row(const uint8_t* row, const Taps& taps, uint8_t* out) {
  for (const Taps::Sample& sample : taps.samples) {
    int32_t sums[3] = {kHalf, kHalf, kHalf};
    const uint8_t* from = row + sample.begin * 4;
    for (size_t k = 0; k < sample.count; ++k, from += 4) {
      for (int c = 0; c < 3; ++c) sums[c] += from[c] * taps.weights[sample.first + k];
    }
    for (const int32_t sum : sums) *out++ = clipped(sum);
  }
}

// `count` rows, `stride` bytes apart, become one; its bytes from `x` on.
void resize_column(const uint8_t* from, int64_t stride, const int32_t* weights, size_t count,
                   int64_t x, uint8_t* out) {
  for (; x < stride; ++x) {
    int32_t sum = kHalf;
    for (size_t k = 0; k < count; ++k) {
      sum += from[static_cast<int64_t>(k) * stride + x] * weights[k];
    }
    out[x] = clipped(sum);
  }
}

// --- the same with AVX2 --------------------------------------------------------------------------

#if defined(__x86_64__)
#define MORTISE_AVX2 __attribute__((target("avx2"), always_inline)) inline

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

// Each sample with an even number of taps.
Taps evened(const Taps& taps) {
  Taps even;
  for (const Taps::Sample& sample : taps.samples) {
    even.samples.push_back({sample.begin, even.weights.size(), sample.count});
    const auto first = taps.weights.begin() + static_cast<std::ptrdiff_t>(sample.first);
    even.weights.insert(even.weights.end(), first,
                        first + static_cast<std::ptrdiff_t>(sample.count));
    if (sample.count % 2 != 0) even.weights.push_back(0);
  }
  return even;
}

MORTISE_AVX2 __m256i widened(const uint8_t* from) {  // 8 bytes as 8 numbers
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}

// Two taps at a time: each has a pixel of four bytes and its weight four times.
__attribute__((target("avx2"))) void resize_row_avx2(const uint8_t* row, const Taps& taps,
                                                     uint8_t* out) {
  const __m256i spread = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  for (const Taps::Sample& sample : taps.samples) {
    __m256i sums = _mm256_setr_epi32(kHalf, kHalf, kHalf, kHalf, 0, 0, 0, 0);
    const uint8_t* from = row + sample.begin * 4;
    const int32_t* weights = taps.weights.data() + sample.first;
    for (size_t k = 0; k < sample.count; k += 2, from += 8) {  // an odd one has a weight of 0 after
      const __m128i pair = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + k));
      const __m256i both = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(pair), spread);
      sums = _mm256_add_epi32(sums, _mm256_mullo_epi32(widened(from), both));
    }
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    sum = _mm_srai_epi32(sum, kPrecisionBits);
    sum = _mm_packus_epi16(_mm_packs_epi32(sum, sum), sum);
    const int rgb = _mm_cvtsi128_si32(sum);
    std::memcpy(out, &rgb, 3);
    out += 3;
  }
}

// Gives the number of bytes that are done: a multiple of 32.
__attribute__((target("avx2"))) int64_t resize_column_avx2(const uint8_t* from, int64_t stride,
                                                           const int32_t* weights, size_t count,
                                                           uint8_t* out) {
  int64_t x = 0;
  for (; x + 32 <= stride; x += 32) {
    __m256i a = _mm256_set1_epi32(kHalf), b = a, c = a, d = a;
    const uint8_t* at = from + x;
    for (size_t k = 0; k < count; ++k, at += stride) {
      const __m256i weight = _mm256_set1_epi32(weights[k]);
      a = _mm256_add_epi32(a, _mm256_mullo_epi32(widened(at), weight));
      b = _mm256_add_epi32(b, _mm256_mullo_epi32(widened(at + 8), weight));
      c = _mm256_add_epi32(c, _mm256_mullo_epi32(widened(at + 16), weight));
      d = _mm256_add_epi32(d, _mm256_mullo_epi32(widened(at + 24), weight));
    }
    const __m256i ab = _mm256_packs_epi32(_mm256_srai_epi32(a, kPrecisionBits),
                                          _mm256_srai_epi32(b, kPrecisionBits));
    const __m256i cd = _mm256_packs_epi32(_mm256_srai_epi32(c, kPrecisionBits),
                                          _mm256_srai_epi32(d, kPrecisionBits));
    // Packing works within halves: groups of four come as a0 b0 c0 d0 a1 b1 c1 d1.
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + x), bytes);
  }
  return x;
}
#endif

// --- an image ------------------------------------------------------------------------------------

Image resize_rows(const Image& image, int64_t width, Resample resample) {
  Taps taps = taps_of(image.width, width, resample);
  auto* each = resize_row;
#if defined(__x86_64__)
  if (has_avx2()) {
    each = resize_row_avx2;
    taps = evened(taps);
  }
#endif
  Image out{.width = width, .height = image.height, .pixels = {}};
  out.pixels.resize(static_cast<size_t>(width * image.height * 3));
  std::vector<uint8_t> row(static_cast<size_t>(image.width + 1) * 4);  // and one for a weight of 0
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* from = image.pixels.data() + y * image.width * 3;
    for (int64_t x = 0; x < image.width; ++x) std::memcpy(row.data() + 4 * x, from + 3 * x, 3);
    each(row.data(), taps, out.pixels.data() + y * width * 3);
  }
  return out;
}

Image resize_columns(const Image& image, int64_t height, Resample resample) {
  const Taps taps = taps_of(image.height, height, resample);
  const int64_t stride = image.width * 3;
  Image out{.width = image.width, .height = height, .pixels = {}};
  out.pixels.resize(static_cast<size_t>(stride * height));
  uint8_t* to = out.pixels.data();
  for (const Taps::Sample& sample : taps.samples) {
    const uint8_t* from = image.pixels.data() + sample.begin * stride;
    const int32_t* weights = taps.weights.data() + sample.first;
    int64_t done = 0;
#if defined(__x86_64__)
    if (has_avx2()) done = resize_column_avx2(from, stride, weights, sample.count, to);
#endif
    resize_column(from, stride, weights, sample.count, done, to);
    to += stride;
  }
  return out;
}

}  // namespace

// Pillow 13 takes the vertical pass first when it removes many more rows than the horizontal one
// removes columns. The order shows where a sharp edge overshoots and is cut to 8 bits in between.
Image resize_image(const Image& image, int64_t width, int64_t height, Resample resample) {
  const bool columns_first =
      height < image.height && image.height - height > 2 * (image.width - width);
  if (width == image.width && height == image.height) return image;
  if (columns_first) {
    Image work = resize_columns(image, height, resample);
    return work.width == width ? work : resize_rows(work, width, resample);
  }
  if (width == image.width) return resize_columns(image, height, resample);
  Image work = resize_rows(image, width, resample);
  return work.height == height ? work : resize_columns(work, height, resample);
}

}  // namespace mortise::engine
