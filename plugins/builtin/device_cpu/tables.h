// The tables of device_cpu beside its operations. The device is the processor: one device, host
// memory, no queues.
#pragma once

#include <mortise/draft/device_discovery.h>
#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_partition.h>
#include <mortise/draft/device_stream.h>
#include <mortise/draft/device_telemetry.h>
#include <mortise/draft/device_torch_bridge.h>

#include <mortise/cpp/view.hpp>

namespace mortise::device_cpu {

const mortise_device_discovery* device_discovery();
const mortise_device_memory* device_memory();
const mortise_device_partition* device_partition();
const mortise_device_stream* device_stream();
const mortise_device_telemetry* device_telemetry();
const mortise_device_torch_bridge* device_torch_bridge();

// Bytes of the machine that are available, and all; 0 where the system does not say.
struct MemoryFacts {
  uint64_t available_bytes, total_bytes;
};
MemoryFacts memory_facts();

// Throws NOT_FOUND unless the id is 0.
inline void check_device(int32_t device_id) {
  if (device_id == 0) return;
  throw sdk::Failure(MORTISE_STATUS_NOT_FOUND, "Device " + std::to_string(device_id) +
                                                   " does not exist; the processor is device 0.");
}

}  // namespace mortise::device_cpu
