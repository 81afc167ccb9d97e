// Learning from preferences (DPO, KTO, ...): the log-probability of each answer under the model and
// under the one it began as goes through a pack's preference loss. Called by train/objective.
#pragma once

#include <memory>

#include "engine/train/objective.h"

namespace mortise::engine {

// The request has a preference loss. Errors: INVALID_ARGUMENT when the loss takes pairs and the
// rows are none, or the other way round, or kl has no second row to come from.
base::Result<std::unique_ptr<Objective>> make_preference(const TrainRequest& request,
                                                         const Setup& setup);

}  // namespace mortise::engine
