// Pipelines: train -> evaluate -> gate -> export as jobs of one parent, one after the other. A step
// names what an earlier one published as "steps.NAME". Called by runner in each round; all state is
// in the children, so a restart goes on where it was.
#pragma once

#include "hub/hub.h"

namespace mortise::run {

// One look at a running pipeline: submits the next step, ends it, or waits.
base::Status advance_pipeline(hub::Hub& hub, const hub::Job& pipeline);

// Whether `scores` ([{metric, name, value, of}, ...]) pass a gate. Errors: FAILED_PRECONDITION with
// the figures when they do not; NOT_FOUND when the metric was not measured.
base::Status check_gate(const base::Json& gate, const base::Json& scores);

}  // namespace mortise::run
