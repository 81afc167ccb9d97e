#include "engine/infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "engine/op/counter_rng.h"

namespace mortise::engine {
namespace {

double log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum);
}

// The `count` ids with the largest logits, falling; equal ones by rising id.
std::vector<int32_t> largest(std::span<const float> logits, size_t count) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  count = std::min(count, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(count), ids.end(), before);
  ids.resize(count);
  return ids;
}

}  // namespace

base::Status check_sampling(const SamplingOptions& options) {
  const auto refuse = [](const char* name, const char* range) {
    base::Error error(base::Code::kInvalidArgument,
                      std::string("\"") + name + "\" must be " + range + ".");
    return std::move(error.at_field(name));
  };
  if (!(options.temperature >= 0 && options.temperature <= 100)) {
    return refuse("temperature", "from 0 to 100");
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) return refuse("top_p", "above 0 and at most 1");
  if (options.top_k < 0) return refuse("top_k", "0 (off) or more");
  return {};
}

int32_t sample_token(std::span<const float> logits, const SamplingOptions& options,
                     uint64_t index) {
  if (options.temperature == 0) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  const size_t count = options.top_k > 0 ? static_cast<size_t>(options.top_k) : logits.size();
  const std::vector<int32_t> ids = largest(logits, count);
  std::vector<double> weights;
  const double top = logits[static_cast<size_t>(ids[0])];
  for (const int32_t id : ids) {
    const double logit = logits[static_cast<size_t>(id)];
    weights.push_back(std::exp((logit - top) / options.temperature));
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double kept = 0;  // Holtzman et al. 2020: the nucleus
  size_t size = 0;
  while (size < weights.size() && (size == 0 || kept < options.top_p * total)) {
    kept += weights[size++];
  }
  double at = CounterRng(options.seed).uniform(index) * kept;
  for (size_t i = 0; i < size; ++i) {
    at -= weights[i];
    if (at < 0) return ids[i];
  }
  return ids[size - 1];
}

double logprob_of(std::span<const float> logits, int32_t id) {
  return static_cast<double>(logits[static_cast<size_t>(id)]) - log_sum_exp(logits);
}

std::vector<std::pair<int32_t, double>> top_logprobs(std::span<const float> logits, int32_t k) {
  std::vector<std::pair<int32_t, double>> result;
  if (k <= 0) return result;
  const double norm = log_sum_exp(logits);
  for (const int32_t id : largest(logits, static_cast<size_t>(k))) {
    result.emplace_back(id, static_cast<double>(logits[static_cast<size_t>(id)]) - norm);
  }
  return result;
}

}  // namespace mortise::engine
