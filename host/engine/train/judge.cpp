#include "engine/train/judge.h"

#include <cmath>

namespace mortise::engine {

Verdict judge(const BestSettings& settings, const Verdict& before, int64_t step, double metric) {
  const bool is_first = before.best_step == 0;
  const bool is_better =
      is_first || (settings.greater_is_better ? metric > before.best : metric < before.best);
  const bool counts = is_first || std::fabs(metric - before.best) > settings.threshold;
  Verdict after = before;
  after.waited = is_better && counts ? 0 : before.waited + 1;
  if (is_better) {
    after.best_step = step;
    after.best = metric;
  }
  return after;
}

}  // namespace mortise::engine
