#include "ingest/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

namespace mortise::ingest {
namespace {

// Pushes `samples` in pieces of `piece` and takes everything that comes.
std::vector<float> resampled(const std::vector<float>& samples, int from, int to, size_t piece) {
  Resampler resampler(from, to);
  std::vector<float> out, part(7);
  const auto take = [&] {
    while (const size_t got = resampler.pull(part)) {
      out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
  };
  for (size_t at = 0; at < samples.size(); at += piece) {
    resampler.push(std::span(samples).subspan(at, std::min(piece, samples.size() - at)));
    take();
  }
  resampler.finish();
  take();
  return out;
}

std::vector<float> tone(double hertz, int rate, size_t count) {
  std::vector<float> samples;
  for (size_t i = 0; i < count; ++i) {
    samples.push_back(
        static_cast<float>(std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / rate)));
  }
  return samples;
}

TEST(Resample, EqualRatesPassThrough) {
  const std::vector<float> samples = {1, -0.5f, 0.25f};
  EXPECT_EQ(resampled(samples, 16000, 16000, 2), samples);
}

TEST(Resample, GivesTheRoundedUpLength) {
  EXPECT_EQ(resampled(std::vector<float>(441), 44100, 16000, 100).size(), 160u);
  EXPECT_EQ(resampled(std::vector<float>(442), 44100, 16000, 100).size(), 161u);
  EXPECT_EQ(resampled(std::vector<float>(1), 8000, 16000, 1).size(), 2u);
  EXPECT_EQ(resampled({}, 44100, 16000, 1).size(), 0u);
}

// The definition, written as torchaudio documents it, without phases or windows.
TEST(Resample, EqualsTheDefinitionWhateverThePieces) {
  const unsigned seed = 20240607;
  std::mt19937 dice(seed);
  std::vector<float> samples(500);
  for (float& sample : samples) sample = static_cast<float>(dice() % 2001) / 1000 - 1;
  for (const auto& [from, to] :
       {std::pair(44100, 16000), {8000, 16000}, {48000, 16000}, {11025, 24000}}) {
    const double cut = 0.99 * std::min(from, to);
    const auto got = resampled(samples, from, to, 13);
    ASSERT_EQ(got, resampled(samples, from, to, 500)) << from;
    for (size_t j = 0; j < got.size(); ++j) {
      double sum = 0;
      for (size_t i = 0; i < samples.size(); ++i) {
        const double t = (static_cast<double>(i) / from - static_cast<double>(j) / to) * cut;
        if (std::abs(t) >= 6) continue;
        const double x = t * std::numbers::pi, root = std::cos(x / 12);
        sum += samples[i] * (x == 0 ? 1 : std::sin(x) / x) * root * root * cut / from;
      }
      ASSERT_NEAR(got[j], sum, 2e-6)
          << "seed " << seed << " " << from << " -> " << to << " at " << j;
    }
  }
}

TEST(Resample, KeepsAToneAndDropsWhatTheLowerRateCannotHold) {
  const auto kept = resampled(tone(1000, 48000, 48000), 48000, 16000, 4096);
  const auto wanted = tone(1000, 16000, 16000);
  for (size_t i = 100; i + 100 < wanted.size(); ++i) ASSERT_NEAR(kept[i], wanted[i], 2e-3) << i;
  const auto dropped = resampled(tone(15000, 48000, 48000), 48000, 16000, 4096);
  for (size_t i = 100; i + 100 < dropped.size(); ++i) ASSERT_NEAR(dropped[i], 0, 5e-3) << i;
}

}  // namespace
}  // namespace mortise::ingest
