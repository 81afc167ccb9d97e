// Which evaluation was the best, and when to stop: transformers' metric_for_best_model and
// EarlyStoppingCallback. Called by train/train after each evaluation. Pure.
#pragma once

#include <cstdint>

#include "engine/train/settings.h"

namespace mortise::engine {

// A part of the state of a run: a checkpoint holds it.
struct Verdict {
  int64_t best_step = 0;  // 0: nothing was judged yet
  double best = 0;        // the metric there
  int64_t waited = 0;     // evaluations since then that were not better by the threshold

  bool stops(const BestSettings& settings) const {
    return settings.patience > 0 && waited >= settings.patience;
  }
};

// The verdict after the evaluation of `step` gave `metric`. Better is greater or less; it ends the
// wait when it differs by more than the threshold.
Verdict judge(const BestSettings& settings, const Verdict& before, int64_t step, double metric);

}  // namespace mortise::engine
