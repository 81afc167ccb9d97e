// What a step learns from: the mean over labelled tokens here, a preference loss in preference.h.
// Called by train/train and train/held_out, which divide: the mean of a step is the sum of its
// passes' sums over the N of all its rows, whatever the cut into passes.
//
// Letter: L labelled positions.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/train/batch.h"
#include "engine/train/setup.h"
#include "engine/train/train.h"

namespace mortise::engine {

// All functions throw OpFailure as the model does. [serial]
class Objective {
 public:
  virtual ~Objective() = default;

  // Before the passes of a step: its N.
  virtual double begin_step(Pass& pass, const StepRows& step) = 0;
  // The forward of one pass, whose pictures are placed: its sum [1], ready for backward.
  virtual at::Tensor sum_of(Pass& pass, PassBatch& batch) = 0;
  // Numbers beside the loss over all passes since the last call; an object, empty where there are
  // none.
  virtual base::Json take_metrics() { return base::Json::object(); }
  // Their names.
  virtual std::vector<std::string> metric_names() const { return {}; }
};

// That of the request: token mean, or the preference loss of a pack. Errors: INVALID_ARGUMENT when
// loss and task type do not belong together, naming the one that does, and for a
// metric_for_best_model that no evaluation gives.
base::Result<std::unique_ptr<Objective>> make_objective(const TrainRequest& request,
                                                        const Setup& setup);

}  // namespace mortise::engine
