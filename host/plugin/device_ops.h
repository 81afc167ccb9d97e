// The operations of one device backend, prepared once by (op, dtypes, device) and kept. Called by
// engine/op through the raw table or through launch().
#pragma once

#include <mortise/draft/device_ops.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

struct OpKey {
  std::string_view op;
  DLDataType activation{}, weight{};
  int32_t device_id = 0;
};

class DeviceOps {
 public:
  static base::Result<DeviceOps> create(std::shared_ptr<Plugin> plugin);

  const mortise_device_ops* table() const;
  // MORTISE_OP_UNSUPPORTED, _NATIVE or _COMPOSED; remembered. [any]
  uint32_t query(const OpKey& key) const;
  // The prepared operation; lives as long as this object. Errors: UNIMPLEMENTED naming op and
  // types. [any]
  base::Result<mortise_op*> prepare(const OpKey& key) const;
  // Runs it on the default stream, or on `stream`. Absent optional tensors are NULL. [parallel]
  base::Status launch(mortise_op* op, std::span<const DLTensor* const> inputs,
                      std::span<const DLTensor* const> outputs, std::span<const double> scalars,
                      mortise_stream* stream = nullptr) const;

  DeviceOps(DeviceOps&&) noexcept;
  DeviceOps& operator=(DeviceOps&&) noexcept;
  ~DeviceOps();

 private:
  struct State;
  explicit DeviceOps(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mortise::plugin
