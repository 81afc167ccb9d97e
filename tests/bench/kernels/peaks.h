// What the processor can do at most, measured: multiply-adds from registers, copies from memory.
#pragma once

#include <cstdint>

namespace mortise::bench {

// Operations (two a multiply-add) per second of one thread, in float32 and in bfloat16 (dpbf16; as
// float32 where the processor has no AVX-512 BF16).
double float32_rate();
double bfloat16_rate();
// Bytes per second that one thread moves (read and written) copying 256 MiB.
double copy_rate();

}  // namespace mortise::bench
