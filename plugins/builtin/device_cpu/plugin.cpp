// The processor as a device: what the pack exports.
#include <mortise/cpp/plugin.hpp>

#include "device_cpu/ops.h"
#include "device_cpu/tables.h"

namespace cpu = mortise::device_cpu;

MORTISE_PLUGIN("mortise.device_cpu", {MORTISE_DEVICE_DISCOVERY, cpu::device_discovery()},
               {MORTISE_DEVICE_MEMORY, cpu::device_memory()},
               {MORTISE_DEVICE_STREAM, cpu::device_stream()},
               {MORTISE_DEVICE_OPS, cpu::device_ops()},
               {MORTISE_DEVICE_TORCH_BRIDGE, cpu::device_torch_bridge()},
               {MORTISE_DEVICE_TELEMETRY, cpu::device_telemetry()},
               {MORTISE_DEVICE_PARTITION, cpu::device_partition()});
