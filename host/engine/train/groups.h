// Which of the parameters that could train do so, and at which rate. Called by train/setup.
#pragma once

#include <vector>

#include "base/result.h"
#include "engine/model/model.h"
#include "engine/train/optimizer.h"
#include "engine/train/settings.h"

namespace mortise::engine {

// Takes the frozen ones out of `parameters` and gives the rate of each that is left: that of the
// first group whose pattern is found in its name, else the run's. Errors: INVALID_ARGUMENT for a
// pattern that cannot be read, a group that decides on no parameter, naming some that there are,
// and groups that leave nothing to train.
base::Result<std::vector<ParameterRate>> take_groups(const TrainSettings& settings,
                                                     std::vector<Parameter>& parameters);

}  // namespace mortise::engine
