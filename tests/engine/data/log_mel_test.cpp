// Spectra of made sound: where a tone lies, what silence is, what is refused.
#include "engine/data/log_mel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "engine/data/spectrum.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

std::vector<float> tone(double hertz, int64_t count) {
  std::vector<float> out;
  for (int64_t i = 0; i < count; ++i) {
    const double turns = hertz * static_cast<double>(i) / 16'000;
    out.push_back(static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * turns)));
  }
  return out;
}

// The bin that is loudest in frame `t`.
int64_t loudest(const LogMel& spectrum, int64_t t) {
  const auto row = spectrum.values.begin() + t * spectrum.bins;
  return std::max_element(row, row + spectrum.bins) - row;
}

TEST(Spectrum, IsTheSumThatItStandsForAtAnySize) {
  for (const size_t size : {1u, 2u, 30u, 97u, 400u}) {
    Spectrum spectrum(size);
    std::vector<double> a(size), b(size), got_a(spectrum.bins()), got_b(spectrum.bins());
    for (size_t i = 0; i < size; ++i) {
      a[i] = std::sin(static_cast<double>(i * i + 1));
      b[i] = std::cos(static_cast<double>(3 * i + 2));
    }
    spectrum.powers(a, b, got_a, got_b);
    for (size_t k = 0; k < spectrum.bins(); ++k) {
      std::complex<double> sum_a = 0, sum_b = 0;
      for (size_t i = 0; i < size; ++i) {
        const double angle = -2 * std::numbers::pi * static_cast<double>(k * i % size);
        const auto turn = std::polar(1.0, angle / static_cast<double>(size));
        sum_a += a[i] * turn;
        sum_b += b[i] * turn;
      }
      EXPECT_NEAR(got_a[k], std::norm(sum_a), 1e-9) << size << " bin " << k;
      EXPECT_NEAR(got_b[k], std::norm(sum_b), 1e-9) << size << " bin " << k;
    }
  }
}

TEST(LogMelSpectrum, ATonesLoudestBinRisesWithItsPitch) {
  const auto low = log_mel(tone(440, 8'000), {}), high = log_mel(tone(3'000, 8'000), {});
  ASSERT_TRUE(low.ok() && high.ok());
  EXPECT_EQ(low->frames, 3'000);
  EXPECT_EQ(low->heard, 50);
  EXPECT_EQ(loudest(*low, 20), 11);   // 11 * 40 Hz, the linear part of the scale
  EXPECT_EQ(loudest(*high, 20), 54);  // mel 30.98 of 45.25, in 81 steps: 55.5, less one
}

TEST(LogMelSpectrum, OfAPartHasTheValuesOfTheWhole) {
  const auto samples = tone(700, 4'000);
  const auto whole = log_mel(samples, {}), part = log_mel(samples, {}, 60);
  ASSERT_TRUE(whole.ok() && part.ok());
  ASSERT_EQ(part->frames, 60);
  EXPECT_EQ(part->heard, whole->heard);
  for (size_t i = 0; i < part->values.size(); ++i) ASSERT_EQ(part->values[i], whole->values[i]);
}

TEST(LogMelSpectrum, SilenceIsEvenAndFinite) {
  const auto got = log_mel(std::vector<float>(1'600, 0), {});
  ASSERT_TRUE(got.ok());
  for (const float value : got->values) ASSERT_FLOAT_EQ(value, -1.5f);  // (log10(1e-10) + 4) / 4
}

TEST(LogMelSpectrum, RefusesNothingTooMuchAndTooLittle) {
  EXPECT_EQ(log_mel({}, {}).error().message, "The sound has no samples.");
  const auto longer = log_mel(std::vector<float>(16'000 * 31, 0), {});
  EXPECT_EQ(longer.error().code, Code::kInvalidArgument);
  EXPECT_EQ(longer.error().message,
            "The sound lasts 31.00 s, but the model hears at most 30.00 s.");
  LogMelOptions bare;
  bare.pads = false;
  EXPECT_EQ(log_mel(std::vector<float>(200, 0), bare).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(log_mel(std::vector<float>(201, 0), bare).ok());
}

TEST(LogMelFields, AreReadAndRefusedByName) {
  const auto read = [](const char* text) { return parse_log_mel(*base::parse_json(text), {}); };
  const auto good = read(R"({"feature_size": 128, "chunk_length": 5, "padding": "longest"})");
  ASSERT_TRUE(good.ok()) << good.error().text();
  EXPECT_EQ(good->bins, 128);
  EXPECT_EQ(good->samples_max, 80'000);
  EXPECT_FALSE(good->pads);
  EXPECT_EQ(read(R"({"feature_size": 0})").error().field, "/feature_size");
  EXPECT_EQ(read(R"({"n_fft": "400"})").error().field, "/n_fft");
  EXPECT_EQ(read(R"({"padding": "left"})").error().field, "/padding");
  EXPECT_EQ(read(R"({"dither": 0.1})").error().code, Code::kUnimplemented);
  EXPECT_EQ(read(R"({"feature_extractor_type": "SeamlessM4TFeatureExtractor"})").error().code,
            Code::kUnimplemented);
}

}  // namespace
}  // namespace mortise::engine
