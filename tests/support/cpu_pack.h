// The shipped device_cpu, opened as the worker opens it. Linked into a program beside libtorch its
// oneDNN would bind to libtorch's (plugin/library.cpp says why), so tests of both go through the pack.
#pragma once

#include <mortise/draft/device_ops.h>

namespace mortise::tests {

// The table lives as long as the process. Throws std::runtime_error with the loader's reason.
const mortise_device_ops* cpu_pack_ops();

}  // namespace mortise::tests
