// Sampler (Fisher and Yates 1938, from the end).
#include "engine/data/sampler.h"

#include <numeric>
#include <utility>

#include "engine/op/counter_rng.h"

namespace mortise::engine {

Sampler::Sampler(uint64_t count, uint64_t seed, bool shuffle)
    : count_(count), seed_(seed), shuffle_(shuffle), order_(count) {
  shuffle_epoch();
}

void Sampler::shuffle_epoch() {
  std::iota(order_.begin(), order_.end(), uint64_t{0});
  if (!shuffle_) return;
  // Stream 0 is left to others: a run draws its weights and its order from one seed.
  const CounterRng random(seed_, cursor_.epoch + 1);
  for (uint64_t i = count_; i > 1; --i) std::swap(order_[i - 1], order_[random.below(i, i)]);
}

uint64_t Sampler::next() {
  if (cursor_.position == count_) {
    ++cursor_.epoch;
    cursor_.position = 0;
    shuffle_epoch();
  }
  return order_[cursor_.position++];
}

base::Status Sampler::seek(const SamplerCursor& cursor) {
  if (cursor.position > count_) {
    return base::Error(base::Code::kInvalidArgument,
                       "The checkpoint stands at row " + std::to_string(cursor.position) +
                           " of an epoch, but the data set has " + std::to_string(count_) + ".",
                       "Resume with the version of the data set that the run began with.");
  }
  cursor_ = cursor;
  shuffle_epoch();
  return {};
}

}  // namespace mortise::engine
