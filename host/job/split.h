// The deterministic split of rows into those to train on and those held out. The same in the worker
// (training, evaluation, the check that looks for leaks) and in the server (one side of a version). Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace mortise::job {

// Whether a row is held out: HMAC-SHA-256 of its canonical text under the seed (8 bytes, little
// endian); the first 53 bits as a fraction below `ratio`. Nothing but the row and the seed decides,
// so a row stays on its side when others come, go or change place. ratio 0 .. <1. [any]
bool is_held_out(std::string_view canonical_row, double ratio, uint64_t seed);

}  // namespace mortise::job
