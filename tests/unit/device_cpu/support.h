// What the tests of device operations share: tensors with their own memory, cases, devices, and the
// comparison with the fp64 reference.
#pragma once

#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_stream.h>
#include <mortise/cpp/device_ops.hpp>
#include <mortise/cpp/services.hpp>

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::device_test {

constexpr DLDataType kHalf{kDLFloat, 16, 1};

// A tensor in host memory; absent when made without a shape.
struct Tensor {
  Tensor() = default;
  Tensor(DLDataType type, std::vector<int64_t> shape);  // zeros

  bool present = false;
  DLDataType type{};
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // empty: compact
  std::vector<char> bytes;

  int64_t count() const;
  double get(int64_t i) const;  // of a compact one
  void set(int64_t i, double value);
};

// Normal numbers times `size`, rounded to the type. [seeded by the caller]
Tensor random(std::mt19937& rng, DLDataType type, std::vector<int64_t> shape, double size = 1);
Tensor ints(std::vector<int32_t> values);

// One launch. `bound` is what the normalised error of each output may be (see expect_close).
struct Case {
  std::string name;
  std::string op;
  DLDataType activation, weight;
  std::vector<Tensor> inputs, outputs;  // outputs: what they hold before
  std::vector<double> scalars;
  std::vector<double> bounds;  // one an output
  double factor_bound = 0;     // added for a device that rounds factors in the middle
};

// What a device pack gives, as far as these tests use it. memory and stream are NULL for a device
// on which host memory can be used at once.
struct Device {
  const mortise_device_ops* ops = nullptr;
  const mortise_device_memory* memory = nullptr;
  const mortise_device_stream* stream = nullptr;
  DLDevice where{kDLCPU, 0};
  // Whether attention in bfloat16 rounds its weights and their gradients to bfloat16 before it
  // multiplies them, as flash kernels do where the processor multiplies bfloat16.
  bool rounds_factors = false;
};

// Runs a case; outputs as they are afterwards. Throws sdk::Failure with the device's words.
std::vector<Tensor> run(const Device& device, const Case& c);
std::vector<Tensor> run_reference(const Case& c);

// The largest |got - expected| over the largest |expected| (over 1 when that is 0). Equal
// infinities agree; a NaN on one side only is infinite.
double normalised_error(const Tensor& got, const Tensor& expected);

// EXPECTs that the device agrees with the reference on every output within the case's bounds.
void expect_close(const Device& device, const Case& c);

// The error bounds: half a unit in the last place of the output on each side, and the rounding of a
// float32 sum of `inner` products.
double bound(DLDataType output, double inner = 1);

// Every case of one operation: types, odd and empty shapes, optional tensors present and absent.
std::vector<Case> cases_of(std::string_view op);
// The names of all operations of the list.
const std::vector<std::string>& all_ops();

// Makes the parts of device_cpu in this program see a host with a pool of so many threads (0:
// none).
void use_pool(uint32_t threads);

}  // namespace mortise::device_test
