// Two simulated devices: what the pack exports.
#include <mortise/cpp/plugin.hpp>

#include "machine.h"

namespace simulated = mortise::device_simulated;

MORTISE_PLUGIN("mortise.device_simulated",
               {MORTISE_DEVICE_DISCOVERY, simulated::device_discovery()},
               {MORTISE_DEVICE_MEMORY, simulated::device_memory()},
               {MORTISE_DEVICE_STREAM, simulated::device_stream()},
               {MORTISE_DEVICE_OPS, simulated::device_ops()},
               mortise::sdk::Interface(simulated::stop_queues));
