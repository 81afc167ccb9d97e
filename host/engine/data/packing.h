// Best-fit packing of rows into passes of bounded length. Called by engine/train. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mortise::engine {

// Indices of `lengths` in bins whose sums stay within `capacity` (a longer row stands alone): rows
// by falling length, each into the fullest bin that still takes it. Bins and the rows inside are in
// the order of the rows, so the result is a function of the lengths alone.
std::vector<std::vector<size_t>> pack_best_fit(std::span<const int64_t> lengths, int64_t capacity);

}  // namespace mortise::engine
