// The device of a worker as the engine sees it: the table of mortise.device_ops/1 (or none), the
// operations already prepared on it, and how often each was native, composed there, or left to the
// host. Called by every operation in engine/op. Knows nothing of tensors of libtorch: it takes
// DLTensor views. Failures are thrown as OpFailure, since they happen inside libtorch's autograd;
// op/failure.h turns them back into a Result at the engine's public functions.
#pragma once

#include <mortise/draft/device_ops.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace mortise::engine {

// Calls of one operation, by who computed it.
struct OpCounts {
  uint64_t native = 0;    // one kernel of the device
  uint64_t composed = 0;  // the device, from simpler kernels
  uint64_t fallback = 0;  // the host's composition in libtorch
};

class Device {
 public:
  // ops: the device's table, kept by the caller while the Device lives; nullptr: every operation is
  // the host's composition.
  explicit Device(const mortise_device_ops* ops = nullptr, DLDevice where = {kDLCPU, 0});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  DLDevice where() const { return where_; }
  const mortise_device_ops* ops() const { return ops_; }

  // The operation ready for these types, counted as a call; nullptr when the host must compose it
  // (counted as a fallback). Throws OpFailure when the device calls it supported and cannot prepare
  // it. [parallel]
  mortise_op* find(std::string_view op, DLDataType activation, DLDataType weight);

  // Runs it on the device's default stream. A missing optional tensor is nullptr. Throws OpFailure
  // with the device's own message. [parallel]
  void launch(mortise_op* op, std::string_view name, std::span<const DLTensor* const> inputs,
              std::span<const DLTensor* const> outputs, std::span<const double> scalars);

  // What ran so far, by name of the operation. [parallel]
  std::map<std::string, OpCounts> counts() const;

 private:
  struct Entry {
    mortise_op* op = nullptr;  // nullptr: the host composes it
    uint32_t answer = MORTISE_OP_UNSUPPORTED;
  };
  Entry prepare(std::string_view op, DLDataType activation, DLDataType weight) const;

  const mortise_device_ops* ops_;
  DLDevice where_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> prepared_;  // name and the two types
  std::map<std::string, OpCounts, std::less<>> counts_;
};

}  // namespace mortise::engine
