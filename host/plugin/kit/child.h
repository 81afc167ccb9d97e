// Runs a function in a forked child with a time limit and brings its Outcome back. Called by
// kit.cpp. Why fork and not a new program: a check then costs milliseconds, and the kit of eighty
// checks stays under a few seconds a pack.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "plugin/kit/check.h"

namespace mortise::plugin::kit {

// folder: of the child's own; its death record and what it prints lie there. Errors:
// RESOURCE_EXHAUSTED when no child can be started; CANCELLED.
base::Result<Outcome> run_in_child(const std::function<Outcome()>& body, const std::string& folder,
                                   int64_t time_limit_ms,
                                   const std::function<bool()>& is_cancelled);

}  // namespace mortise::plugin::kit
