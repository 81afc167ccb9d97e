// Choosing the next token from logits. Called by infer/generate. Knows no tensors and no models;
// the choice is a pure function of logits, options and the index of the token.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mortise::engine {

struct SamplingOptions {
  double temperature = 0;  // 0: the most probable token (the lowest id among equals)
  double top_p = 1;        // (0, 1]: the smallest set of tokens with at least this probability
  int32_t top_k = 0;       // > 0: only the k most probable
  uint64_t seed = 0;
};

// Errors: INVALID_ARGUMENT naming the option that is out of range.
base::Status check_sampling(const SamplingOptions& options);

// The id of token number `index`. logits is not empty; options are checked. [any]
int32_t sample_token(std::span<const float> logits, const SamplingOptions& options, uint64_t index);

// Log-softmax of one id (in double precision).
double logprob_of(std::span<const float> logits, int32_t id);
// The k most probable ids with their log-probabilities, falling; equal ones by rising id.
std::vector<std::pair<int32_t, double>> top_logprobs(std::span<const float> logits, int32_t k);

}  // namespace mortise::engine
