// Which rows are held out: one answer for the check that looks for leaks, for training and for
// evaluation. Pure. [any]
#pragma once

#include <cstdint>
#include <string_view>

namespace mortise::job {

// A keyed hash of the row's canonical text decides, so the same row falls on the same side in every
// version of a data set. ratio 0 .. <1.
bool is_held_out(std::string_view canonical_row, double ratio, uint64_t seed);

}  // namespace mortise::job
