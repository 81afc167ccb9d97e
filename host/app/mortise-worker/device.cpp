// See device.h.
#include "app/mortise-worker/device.h"

namespace mortise::worker {

using base::Json;

Json TaskDevice::counts() const {
  engine::OpCounts sum;
  Json by_op = Json::object();
  for (const auto& [op, count] : device.counts()) {
    sum.native += count.native;
    sum.composed += count.composed;
    sum.fallback += count.fallback;
    by_op[op] = Json::object(
        {{"native", count.native}, {"composed", count.composed}, {"fallback", count.fallback}});
  }
  return Json::object({{"native", sum.native},
                       {"composed", sum.composed},
                       {"fallback", sum.fallback},
                       {"by_op", std::move(by_op)}});
}

base::Result<std::unique_ptr<TaskDevice>> open_device(Context& context) {
  std::string id = context.task.manifest["plugins"]["device"].as_string();
  if (id.empty()) {
    const std::string& device = context.task.manifest["resources"]["device"].as_string();
    id = "mortise.device_" + (device.empty() ? "cpu" : device);
  }
  MORTISE_ASSIGN(plugin::DeviceOps ops, context.registry.open_device_ops(id));
  return std::make_unique<TaskDevice>(std::move(ops));
}

}  // namespace mortise::worker
