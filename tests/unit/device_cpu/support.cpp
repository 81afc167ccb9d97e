// Tensors, launches, the comparison, and a small host with a thread pool; see support.h.
#include "tests/unit/device_cpu/support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "conform/reference.h"
#include "conform/reference_call.h"

namespace mortise::device_test {
namespace {

// Views of a case's tensors in the memory of a device, copied there and back when it is not the
// host's.
class Placed {
 public:
  Placed(const Device& device, std::vector<Tensor>& tensors) : device_(device), tensors_(tensors) {
    views_.resize(tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!tensors[i].present) {
        pointers_.push_back(nullptr);
        continue;
      }
      place(tensors[i], views_[i]);
      pointers_.push_back(&views_[i]);
    }
  }
  ~Placed() {
    for (void* block : blocks_) device_.memory->free(device_.where.device_id, block, nullptr);
  }
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;

  const DLTensor* const* data() const { return pointers_.data(); }
  uint32_t size() const { return static_cast<uint32_t>(pointers_.size()); }

  void bring_back() {
    if (device_.memory == nullptr) return;
    sdk::ErrorCollector error;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (!tensors_[i].present || tensors_[i].bytes.empty()) continue;
      error.check(device_.memory->copy(device_.where.device_id, tensors_[i].bytes.data(),
                                       views_[i].data, tensors_[i].bytes.size(),
                                       MORTISE_COPY_DEVICE_TO_HOST, nullptr, error.raw()),
                  "copying back");
    }
  }

 private:
  void place(Tensor& tensor, DLTensor& view) {
    view = {};
    view.device = device_.where;
    view.ndim = static_cast<int32_t>(tensor.shape.size());
    view.dtype = tensor.type;
    view.shape = tensor.shape.data();
    view.strides = tensor.strides.empty() ? nullptr : tensor.strides.data();
    view.data = tensor.bytes.data();
    if (device_.memory == nullptr) return;
    sdk::ErrorCollector error;
    void* block = nullptr;
    error.check(device_.memory->allocate(device_.where.device_id, tensor.bytes.size(), nullptr,
                                         &block, error.raw()),
                "allocating");
    blocks_.push_back(block);
    view.data = block;
    if (tensor.bytes.empty()) return;
    error.check(device_.memory->copy(device_.where.device_id, block, tensor.bytes.data(),
                                     tensor.bytes.size(), MORTISE_COPY_HOST_TO_DEVICE, nullptr,
                                     error.raw()),
                "copying there");
  }

  const Device& device_;
  std::vector<Tensor>& tensors_;
  std::vector<DLTensor> views_;
  std::vector<const DLTensor*> pointers_;
  std::vector<void*> blocks_;
};

uint32_t pool_threads = 0;

// Pieces of a fixed size, taken by whichever thread is free.
void pool_for(mortise_host*, uint64_t count, uint64_t grain,
              void (*body)(void* user, uint64_t begin, uint64_t end), void* user) {
  const uint64_t piece =
      std::max<uint64_t>(grain, (count + 4 * pool_threads - 1) / (4 * pool_threads));
  std::atomic<uint64_t> next{0};
  const auto work = [&] {
    for (uint64_t begin = next.fetch_add(piece); begin < count; begin = next.fetch_add(piece)) {
      body(user, begin, std::min(count, begin + piece));
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 1; i < pool_threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

const void* find_service(mortise_host*, mortise_text id) {
  static const mortise_pool_service pool = [] {
    mortise_pool_service p{};
    p.struct_size = sizeof(p);
    p.threads_count = [](mortise_host*) { return pool_threads; };
    p.parallel_for = pool_for;
    return p;
  }();
  return sdk::view(id) == MORTISE_SERVICE_POOL && pool_threads > 0 ? &pool : nullptr;
}

}  // namespace

Tensor::Tensor(DLDataType type_in, std::vector<int64_t> shape_in)
    : present(true), type(type_in), shape(std::move(shape_in)) {
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
    reinterpret_cast<int32_t*>(bytes.data())[i] = static_cast<int32_t>(value);
  } else {
    conform::store_element(bytes.data(), i, type, value);
  }
}

Tensor random(std::mt19937& rng, DLDataType type, std::vector<int64_t> shape, double size) {
  Tensor tensor(type, std::move(shape));
  std::normal_distribution<double> normal(0, size);
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, normal(rng));
  return tensor;
}

Tensor ints(std::vector<int32_t> values) {
  Tensor tensor(sdk::kInt32, {static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); ++i) tensor.set(static_cast<int64_t>(i), values[i]);
  return tensor;
}

std::vector<Tensor> run(const Device& device, const Case& c) {
  std::vector<Tensor> inputs = c.inputs, outputs = c.outputs;
  {
    Placed in(device, inputs), out(device, outputs);
    const sdk::PreparedOp op(*device.ops, c.op, c.activation, c.weight, device.where.device_id);
    op.launch({in.data(), in.data() + in.size()}, {out.data(), out.data() + out.size()}, c.scalars,
              nullptr);
    if (device.stream != nullptr) {
      sdk::ErrorCollector error;
      error.check(device.stream->synchronize(nullptr, error.raw()), "waiting");
    }
    out.bring_back();
    if (device.stream != nullptr) {
      sdk::ErrorCollector error;
      error.check(device.stream->synchronize(nullptr, error.raw()), "waiting");
    }
  }
  return outputs;
}

std::vector<Tensor> run_reference(const Case& c) {
  Device device;
  device.ops = mortise_reference_ops();
  return run(device, c);
}

double normalised_error(const Tensor& got, const Tensor& expected) {
  double largest = 0, error = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double a = got.get(i), b = expected.get(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) {
      if (std::isfinite(b)) largest = std::max(largest, std::fabs(b));
      continue;
    }
    if (!std::isfinite(a) || !std::isfinite(b)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::fabs(b));
    error = std::max(error, std::fabs(a - b));
  }
  return error / (largest > 0 ? largest : 1);
}

void expect_close(const Device& device, const Case& c) {
  SCOPED_TRACE(c.op + " " + c.name);
  const std::vector<Tensor> expected = run_reference(c);
  const std::vector<Tensor> got = run(device, c);
  for (size_t i = 0; i < got.size(); ++i) {
    if (!c.outputs[i].present) continue;
    const bool is_rounded = device.rounds_factors && c.outputs[i].type.code == kDLBfloat;
    const double limit = c.bounds[i] + (is_rounded ? c.factor_bound : 0);
    EXPECT_LE(normalised_error(got[i], expected[i]), limit) << "output " << i;
  }
}

double bound(DLDataType output, double inner) {
  const double unit = output.code == kDLBfloat ? 0x1p-8 : 0x1p-23;
  return unit + 0x1p-23 * (4 + std::sqrt(inner));
}

const std::vector<std::string>& all_ops() {
  static const std::vector<std::string> ops = {"linear",
                                               "linear_grad_input",
                                               "linear_grad_weight",
                                               "linear_lora",
                                               "linear_lora_grad",
                                               "rms_norm",
                                               "rms_norm_grad",
                                               "layer_norm",
                                               "layer_norm_grad",
                                               "rope",
                                               "attention",
                                               "attention_grad",
                                               "swiglu",
                                               "swiglu_grad",
                                               "gelu",
                                               "gelu_grad",
                                               "embedding",
                                               "embedding_grad",
                                               "linear_cross_entropy",
                                               "linear_cross_entropy_grad",
                                               "adamw",
                                               "sum_squares",
                                               "cast"};
  return ops;
}

void use_pool(uint32_t threads) {
  pool_threads = threads;
  mortise_hello hello{};
  hello.magic = MORTISE_MAGIC;
  hello.struct_size = sizeof(hello);
  hello.generation = MORTISE_ABI_GENERATION;
  hello.get_service = find_service;
  sdk::set_host(hello);
}

}  // namespace mortise::device_test
