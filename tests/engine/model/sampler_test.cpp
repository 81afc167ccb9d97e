// Choosing tokens: greedy, temperature, top-k, nucleus, and repeatable by seed and index.
#include "engine/infer/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace mortise::engine {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f};

std::map<int32_t, int> histogram(const SamplingOptions& options, int draws) {
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) {
    ++counts[sample_token(kLogits, options, static_cast<uint64_t>(i))];
  }
  return counts;
}

TEST(Sampler, TemperatureZeroTakesTheLowestOfTheBest) {
  EXPECT_EQ(sample_token(kLogits, {}, 0), 1);
}

TEST(Sampler, DrawsInProportionToTheProbabilities) {
  const auto counts = histogram({.temperature = 1, .seed = 5}, 40000);
  double total = 0;
  for (const float logit : kLogits) total += std::exp(logit);
  for (int32_t id = 0; id < 5; ++id) {
    const double want = std::exp(kLogits[static_cast<size_t>(id)]) / total;
    EXPECT_NEAR(counts.at(id) / 40000.0, want, 0.01) << id;
  }
}

TEST(Sampler, TopKKeepsOnlyTheKBest) {
  for (const auto& [id, count] : histogram({.temperature = 2, .top_k = 3, .seed = 1}, 2000)) {
    EXPECT_TRUE(id == 1 || id == 2 || id == 3) << id;
  }
}

TEST(Sampler, NucleusKeepsTheSmallestSetWithEnoughProbability) {
  // The two best hold 0.793 of the probability, so 0.79 needs no third.
  for (const auto& [id, count] : histogram({.temperature = 1, .top_p = 0.79, .seed = 1}, 2000)) {
    EXPECT_TRUE(id == 1 || id == 3) << id;
  }
  EXPECT_EQ(histogram({.temperature = 1, .top_p = 1e-9, .seed = 1}, 200).size(), 1u);
}

TEST(Sampler, TheSameSeedAndIndexGiveTheSameToken) {
  const SamplingOptions options{.temperature = 1, .seed = 9}, other{.temperature = 1, .seed = 10};
  int differing = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(sample_token(kLogits, options, i), sample_token(kLogits, options, i));
    differing += sample_token(kLogits, options, i) != sample_token(kLogits, other, i);
  }
  EXPECT_GT(differing, 10);
}

TEST(Sampler, LogprobsAreALogSoftmax) {
  double total = 0;
  for (int32_t id = 0; id < 5; ++id) total += std::exp(logprob_of(kLogits, id));
  EXPECT_NEAR(total, 1, 1e-12);
  const auto best = top_logprobs(kLogits, 3);
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].first, 1);
  EXPECT_EQ(best[1].first, 3);
  EXPECT_EQ(best[2].first, 2);
  EXPECT_TRUE(top_logprobs(kLogits, 0).empty());
  EXPECT_EQ(top_logprobs(kLogits, 99).size(), 5u);
}

TEST(Sampler, NamesTheOptionThatIsOutOfRange) {
  EXPECT_EQ(check_sampling({.temperature = -1}).error().field, "temperature");
  EXPECT_EQ(check_sampling({.temperature = NAN}).error().field, "temperature");
  EXPECT_EQ(check_sampling({.top_p = 0}).error().field, "top_p");
  EXPECT_EQ(check_sampling({.top_p = 1.5}).error().field, "top_p");
  EXPECT_EQ(check_sampling({.top_k = -1}).error().field, "top_k");
}

}  // namespace
}  // namespace mortise::engine
