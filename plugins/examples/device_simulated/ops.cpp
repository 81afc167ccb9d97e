// Operations of the simulated devices: checked at the launch, computed by the reference when the
// queue comes to them.
#include <vector>

#include <mortise/cpp/device_ops.hpp>
#include "conform/reference.h"
#include "machine.h"

namespace mortise::device_simulated {
namespace {

// A copy of a launch that outlives it: the host may forget its views at once.
class Recorded {
 public:
  explicit Recorded(const mortise_op_call& call)
      : scalars_(call.scalars, call.scalars + call.scalars_count) {
    copy(call.inputs, call.inputs_count, inputs_);
    copy(call.outputs, call.outputs_count, outputs_);
  }

  // Runs `body` on the call as it was.
  template <class Body>
  void with_call(Body body) const {
    std::vector<DLTensor> in_tensors, out_tensors;
    const auto in = pointers(inputs_, in_tensors), out = pointers(outputs_, out_tensors);
    mortise_op_call call{};
    call.struct_size = sizeof(call);
    call.inputs = in.data();
    call.outputs = out.data();
    call.scalars = scalars_.data();
    call.inputs_count = static_cast<uint32_t>(in.size());
    call.outputs_count = static_cast<uint32_t>(out.size());
    call.scalars_count = static_cast<uint32_t>(scalars_.size());
    body(call);
  }

 private:
  struct View {
    bool is_present = false;
    DLTensor tensor{};
    std::vector<int64_t> shape, strides;
  };

  static void copy(const DLTensor* const* from, uint32_t count, std::vector<View>& to) {
    for (uint32_t i = 0; i < count; ++i) {
      View& view = to.emplace_back();
      if (from[i] == nullptr) continue;
      view.is_present = true;
      view.tensor = *from[i];
      if (from[i]->ndim <= 0) continue;
      if (from[i]->shape != nullptr)
        view.shape.assign(from[i]->shape, from[i]->shape + from[i]->ndim);
      if (from[i]->strides != nullptr) {
        view.strides.assign(from[i]->strides, from[i]->strides + from[i]->ndim);
      }
    }
  }
  static std::vector<const DLTensor*> pointers(const std::vector<View>& views,
                                               std::vector<DLTensor>& tensors) {
    tensors.reserve(views.size());
    std::vector<const DLTensor*> result;
    for (const View& view : views) {
      if (!view.is_present) {
        result.push_back(nullptr);
        continue;
      }
      DLTensor tensor = view.tensor;
      // Why the casts: DLTensor has no pointers to const; the reference writes no shape.
      tensor.shape = view.shape.empty() ? nullptr : const_cast<int64_t*>(view.shape.data());
      tensor.strides = view.strides.empty() ? nullptr : const_cast<int64_t*>(view.strides.data());
      tensors.push_back(tensor);
      result.push_back(&tensors.back());
    }
    return result;
  }

  std::vector<View> inputs_, outputs_;
  std::vector<double> scalars_;
};

// Elements from the first to the last, with gaps.
uint64_t extent_bytes(const DLTensor& tensor) {
  int64_t last = 0, compact = 1;
  for (int32_t axis = tensor.ndim - 1; axis >= 0; --axis) {
    if (tensor.shape[axis] == 0) return 0;
    last += (tensor.shape[axis] - 1) * (tensor.strides == nullptr ? compact : tensor.strides[axis]);
    compact *= tensor.shape[axis];
  }
  return (static_cast<uint64_t>(last) + 1) * tensor.dtype.bits / 8;
}

void check_place(const DLTensor* tensor, const std::string& name, int32_t device_id) {
  if (tensor == nullptr) return;
  if (tensor->device.device_type != kDeviceType || tensor->device.device_id != device_id) {
    throw sdk::invalid_argument("Tensor " + name + " lies on device type " +
                                std::to_string(static_cast<int>(tensor->device.device_type)) +
                                ", id " + std::to_string(tensor->device.device_id) +
                                ", expected type " + std::to_string(static_cast<int>(kDeviceType)) +
                                ", id " + std::to_string(device_id) + ".");
  }
  const uint64_t size_bytes = extent_bytes(*tensor);
  const char* data = static_cast<const char*>(tensor->data) + tensor->byte_offset;
  if (size_bytes == 0 || memory_of(device_id).holds(data, size_bytes)) return;
  throw sdk::invalid_argument("Tensor " + name + ", " + sdk::describe(*tensor) +
                              ", lies outside the living memory of device " +
                              std::to_string(device_id) + ".");
}

class SimulatedOp final : public sdk::Op {
 public:
  explicit SimulatedOp(const sdk::OpQuery& query)
      : name_(query.op),
        activation_(query.activation),
        weight_(query.weight),
        device_id_(query.device_id) {}

  void launch(const sdk::OpCall& call) override {
    const mortise_op_call& raw = call.raw();
    Queue& queue = queue_of(raw.stream, device_id_);
    conform::check_reference(name_, activation_, weight_, raw);
    for (uint32_t i = 0; i < raw.inputs_count; ++i) {
      check_place(raw.inputs[i], "inputs[" + std::to_string(i) + "] of " + name_, device_id_);
    }
    for (uint32_t i = 0; i < raw.outputs_count; ++i) {
      check_place(raw.outputs[i], "outputs[" + std::to_string(i) + "] of " + name_, device_id_);
    }
    // Everything by value: the operation may be destroyed before the queue comes to it.
    queue.push(
        [recorded = Recorded(raw), name = name_, activation = activation_, weight = weight_] {
          recorded.with_call([&](const mortise_op_call& copy) {
            conform::run_reference(name, activation, weight, copy);
          });
        });
  }

 private:
  std::string name_;
  DLDataType activation_, weight_;
  int32_t device_id_;
};

class SimulatedOps final : public sdk::DeviceOps {
 public:
  uint32_t query(const sdk::OpQuery& query) override {
    const bool is_here = query.device_id >= 0 && query.device_id < kDevices;
    return is_here && conform::has_reference(query.op, query.activation, query.weight)
               ? MORTISE_OP_NATIVE
               : MORTISE_OP_UNSUPPORTED;
  }
  std::unique_ptr<sdk::Op> prepare(const sdk::OpQuery& query) override {
    return std::make_unique<SimulatedOp>(query);
  }
};

}  // namespace

const mortise_device_ops* device_ops() {
  return sdk::device_ops_table<SimulatedOps>();
}

}  // namespace mortise::device_simulated
