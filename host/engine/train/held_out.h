// The loss over rows that are not trained on. Called by train/train every eval_steps.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "engine/train/feature_cache.h"
#include "engine/train/setup.h"
#include "engine/train/train.h"

namespace mortise::engine {

struct HeldOutLoss {
  double loss = 0;  // mean over the labelled tokens, or of the preference loss
  int64_t rows = 0, labelled_tokens = 0;
  base::Json metrics;  // of the objective, under the names it has in training
};

// Over the first rows_max held-out rows, without dropout and without gradients; the numbers of the
// training do not depend on it; `features` may learn pictures. There must be a held-out row.
// Errors: those of the rows and the model.
base::Result<HeldOutLoss> held_out_loss(const TrainRequest& request, const Setup& setup,
                                        FeatureCache& features, int64_t rows_max);

// A line of eval.jsonl: step, eval_loss, "eval_" and the name of each metric, rows,
// labelled_tokens.
base::Json held_out_line(int64_t step, const HeldOutLoss& loss);

}  // namespace mortise::engine
