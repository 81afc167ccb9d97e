// Rows as passes of the model: a micro-batch each, or as few as max_length allows. Called by
// train/train and the preference objective.
#pragma once

#include <vector>

#include "engine/train/batch.h"
#include "engine/train/settings.h"

namespace mortise::engine {

std::vector<PassBatch> passes_of(const std::vector<LoadedRow>& rows, const TrainSettings& settings);

}  // namespace mortise::engine
