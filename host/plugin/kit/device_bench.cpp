// See device_bench.h.
#include "plugin/kit/device_bench.h"

#include <mortise/draft/device_discovery.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "conform/reference.h"
#include "conform/reference_call.h"
#include "plugin/error_box.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Tensor::Tensor(DLDataType type_in, std::vector<int64_t> shape_in)
    : is_present(true), type(type_in), shape(std::move(shape_in)) {
  bytes.resize(static_cast<size_t>(count() * type.bits / 8));
}

int64_t Tensor::count() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

double Tensor::get(int64_t i) const {
  return conform::load_element(bytes.data(), i, type);
}

void Tensor::set(int64_t i, double value) {
  if (type.code == kDLInt) {
    const auto number = static_cast<int32_t>(value);
    std::memcpy(bytes.data() + i * 4, &number, sizeof number);
  } else {
    conform::store_element(bytes.data(), i, type, value);
  }
}

double normalised_error(const Tensor& got, const Tensor& expected) {
  double size = 0, error = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double a = got.get(i), b = expected.get(i);
    if (!std::isfinite(a) || !std::isfinite(b)) return std::numeric_limits<double>::infinity();
    size = std::max(size, std::fabs(b));
    error = std::max(error, std::fabs(a - b));
  }
  return error / (size > 0 ? size : 1);
}

namespace {

constexpr size_t kEdgeBytes = 256;
constexpr char kMark = 0x5C;

// Views that keep their shapes and strides, over memory that somebody else owns.
class Views {
 public:
  void add(const Tensor& tensor, void* data, DLDevice where) {
    auto view = std::make_unique<View>();
    view->shape = tensor.shape;
    view->strides.resize(tensor.shape.size());
    int64_t stride = 1;
    for (size_t axis = tensor.shape.size(); axis-- > 0;) {
      view->strides[axis] = stride;
      stride *= tensor.shape[axis];
    }
    view->tensor.data = data;
    view->tensor.device = where;
    view->tensor.ndim = static_cast<int32_t>(tensor.shape.size());
    view->tensor.dtype = tensor.type;
    view->tensor.shape = view->shape.data();
    view->tensor.strides = view->strides.data();
    pointers_.push_back(tensor.is_present ? &view->tensor : nullptr);
    views_.push_back(std::move(view));
  }
  std::span<const DLTensor* const> get() const { return pointers_; }

 private:
  struct View {
    DLTensor tensor{};
    std::vector<int64_t> shape, strides;
  };
  std::vector<std::unique_ptr<View>> views_;
  std::vector<const DLTensor*> pointers_;
};

// The tensors of one launch in memory of the device, each between two edges.
class Placed {
 public:
  Placed(const DeviceBench& device, mortise_stream* queue) : device_(device), queue_(queue) {}
  ~Placed() {
    for (void* block : blocks_) {
      if (device_.memory != nullptr) device_.memory->free(device_.where.device_id, block, queue_);
    }
  }
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;

  Status add(const Tensor& tensor) {
    auto room =
        std::make_unique<std::vector<char>>(tensor.bytes.size() + 2 * kEdgeBytes + 64, kMark);
    char* own = room->data();
    own += (64 - reinterpret_cast<uintptr_t>(own) % 64) % 64;
    if (!tensor.bytes.empty()) {
      std::memcpy(own + kEdgeBytes, tensor.bytes.data(), tensor.bytes.size());
    }
    rooms_.push_back(std::move(room));
    host_.push_back(own);
    sizes_.push_back(tensor.bytes.size());
    if (device_.memory == nullptr) {
      views_.add(tensor, own + kEdgeBytes, device_.where);
      return {};
    }
    ErrorBox error;
    void* block = nullptr;
    MORTISE_TRY(error.check(device_.memory->allocate(device_.where.device_id,
                                                     tensor.bytes.size() + 2 * kEdgeBytes, queue_,
                                                     &block, error.get())));
    blocks_.push_back(block);
    MORTISE_TRY(copy(block, own, tensor.bytes.size(), MORTISE_COPY_HOST_TO_DEVICE));
    views_.add(tensor, static_cast<char*>(block) + kEdgeBytes, device_.where);
    return {};
  }
  // After the launch: queues the copies back. The stream must be waited for.
  Status fetch() {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      MORTISE_TRY(copy(host_[i], blocks_[i], sizes_[i], MORTISE_COPY_DEVICE_TO_HOST));
    }
    return {};
  }
  // Then: the bytes of tensor i, with its edges looked at.
  Status read(size_t i, const char* what, std::vector<char>& bytes) const {
    const char* own = host_[i];
    for (size_t k = 0; k < kEdgeBytes; ++k) {
      if (own[k] == kMark && own[kEdgeBytes + sizes_[i] + k] == kMark) continue;
      return Error(Code::kOutOfRange,
                   std::string("The device wrote beside ") + what + " " + std::to_string(i) + ".");
    }
    bytes.assign(own + kEdgeBytes, own + kEdgeBytes + sizes_[i]);
    return {};
  }
  const Views& views() const { return views_; }

 private:
  Status copy(void* to, const void* from, size_t size_bytes, int32_t kind) {
    ErrorBox error;
    return error.check(device_.memory->copy(
        device_.where.device_id, to, from, size_bytes + 2 * kEdgeBytes, kind, queue_, error.get()));
  }

  const DeviceBench& device_;
  mortise_stream* queue_;
  std::vector<std::unique_ptr<std::vector<char>>> rooms_;
  std::vector<char*> host_;
  std::vector<size_t> sizes_;
  std::vector<void*> blocks_;
  Views views_;
};

}  // namespace

std::vector<Tensor> run_reference(const OpCase& c) {
  std::vector<Tensor> inputs = c.inputs, outputs = c.outputs;
  Views in, out;
  for (Tensor& tensor : inputs) in.add(tensor, tensor.bytes.data(), {kDLCPU, 0});
  for (Tensor& tensor : outputs) out.add(tensor, tensor.bytes.data(), {kDLCPU, 0});
  mortise_op_call call{};
  call.struct_size = sizeof call;
  call.inputs = in.get().data();
  call.outputs = out.get().data();
  call.scalars = c.scalars.data();
  call.inputs_count = static_cast<uint32_t>(inputs.size());
  call.outputs_count = static_cast<uint32_t>(outputs.size());
  call.scalars_count = static_cast<uint32_t>(c.scalars.size());
  conform::run_reference(c.op, c.activation, c.weight, call);
  return outputs;
}

Status DeviceBench::synchronize(mortise_stream* queue) const {
  if (stream == nullptr) return {};
  ErrorBox error;
  return error.check(stream->synchronize(queue, error.get()));
}

uint32_t DeviceBench::query(const OpCase& c) const {
  return ops->query({c.op, c.activation, c.weight, where.device_id});
}

Result<std::vector<Tensor>> DeviceBench::run(const OpCase& c, mortise_stream* queue) const {
  MORTISE_ASSIGN(mortise_op* const op,
                 ops->prepare({c.op, c.activation, c.weight, where.device_id}));
  const InputNote note("the operation " + c.op);
  Placed inputs(*this, queue), outputs(*this, queue);
  for (const Tensor& tensor : c.inputs) MORTISE_TRY(inputs.add(tensor));
  for (const Tensor& tensor : c.outputs) MORTISE_TRY(outputs.add(tensor));
  const Status launched =
      ops->launch(op, inputs.views().get(), outputs.views().get(), c.scalars, queue);
  if (!launched.ok()) {
    (void)synchronize(queue);
    return launched.error();
  }
  MORTISE_TRY(synchronize(queue));
  MORTISE_TRY(inputs.fetch());
  MORTISE_TRY(outputs.fetch());
  MORTISE_TRY(synchronize(queue));
  std::vector<char> bytes;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    MORTISE_TRY(inputs.read(i, "input", bytes));
    if (bytes == c.inputs[i].bytes) continue;
    return Error(Code::kOutOfRange, "The device changed input " + std::to_string(i) + ".");
  }
  std::vector<Tensor> answers = c.outputs;
  for (size_t i = 0; i < answers.size(); ++i) {
    MORTISE_TRY(outputs.read(i, "output", answers[i].bytes));
  }
  return answers;
}

namespace {

mortise_status take_first(void* user, const mortise_device_facts* facts) {
  auto& bench = *static_cast<DeviceBench*>(user);
  const bool is_usable = (facts->flags & MORTISE_DEVICE_USABLE) != 0;
  if (is_usable && bench.where.device_id < 0) bench.where = facts->device;
  return MORTISE_STATUS_OK;
}

}  // namespace

Result<DeviceBench> device_bench(Case& at, const std::shared_ptr<Plugin>& plugin) {
  DeviceBench bench;
  bench.plugin = plugin;
  MORTISE_ASSIGN(DeviceOps ops, DeviceOps::create(plugin));
  bench.ops = std::make_shared<DeviceOps>(std::move(ops));
  if (at.declares(MORTISE_DEVICE_MEMORY)) {
    MORTISE_ASSIGN(bench.memory,
                   plugin->get_interface<mortise_device_memory>(MORTISE_DEVICE_MEMORY));
  }
  if (at.declares(MORTISE_DEVICE_STREAM)) {
    MORTISE_ASSIGN(bench.stream,
                   plugin->get_interface<mortise_device_stream>(MORTISE_DEVICE_STREAM));
  }
  if (at.declares(MORTISE_DEVICE_DISCOVERY)) {
    MORTISE_ASSIGN(const auto* discovery,
                   plugin->get_interface<mortise_device_discovery>(MORTISE_DEVICE_DISCOVERY));
    bench.where.device_id = -1;
    ErrorBox error;
    MORTISE_TRY(error.check(discovery->list(&take_first, &bench, error.get())));
    if (bench.where.device_id < 0) {
      return Error(Code::kUnavailable, "The pack finds no usable device on this machine.");
    }
  }
  return bench;
}

}  // namespace mortise::plugin::kit
