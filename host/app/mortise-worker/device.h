// The device pack of a task behind engine::Device, and the count of how its operations were done.
#pragma once

#include <memory>
#include <string>

#include "app/mortise-worker/context.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/op/device.h"
#include "plugin/device_ops.h"

namespace mortise::worker {

struct TaskDevice {
  plugin::DeviceOps ops;  // keeps the table alive
  engine::Device device;

  explicit TaskDevice(plugin::DeviceOps opened) : ops(std::move(opened)), device(ops.table()) {}
  // {"native": n, "composed": n, "fallback": n, "by_op": {...}} as the run record shows it.
  base::Json counts() const;
};

// Opens the device that the manifest names (plugins.device, else resources.device), or the CPU's.
base::Result<std::unique_ptr<TaskDevice>> open_device(Context& context);

}  // namespace mortise::worker
