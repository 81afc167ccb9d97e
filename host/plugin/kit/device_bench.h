// What the checks of devices share: tensors in memory of the device, cases of its operations, and
// the comparison with the fp64 reference.
#pragma once

#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_ops.h>
#include <mortise/draft/device_stream.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/device_ops.h"
#include "plugin/kit/case.h"

namespace mortise::plugin::kit {

// A tensor as the host keeps it; absent without a shape of its own.
struct Tensor {
  Tensor() = default;
  Tensor(DLDataType type, std::vector<int64_t> shape);  // zeros

  bool is_present = false;
  DLDataType type{};
  std::vector<int64_t> shape;
  std::vector<char> bytes;

  int64_t count() const;
  double get(int64_t i) const;
  void set(int64_t i, double value);
};

// One launch. bounds: the largest normalised error of each output.
struct OpCase {
  std::string op;
  DLDataType activation{}, weight{};
  std::vector<Tensor> inputs, outputs;  // outputs: what they hold before
  std::vector<double> scalars;
  std::vector<double> bounds;
};

// The names of all operations of device_op_list.h; those with gradients are those that end in
// "_grad" or "_grad_input" or "_grad_weight".
const std::vector<std::string>& all_ops();
bool is_gradient(std::string_view op);
// A small case; type is float32 or bfloat16. [in op_cases.cpp]
OpCase op_case(std::string_view op, DLDataType type, Dice dice);

// As the fp64 reference has it.
std::vector<Tensor> run_reference(const OpCase& c);
// The largest |got - expected| over the largest |expected|; infinite when one is not finite.
double normalised_error(const Tensor& got, const Tensor& expected);

// The tables of the device under test. memory and stream may be nullptr: then the device works in
// host memory at once.
struct DeviceBench {
  std::shared_ptr<Plugin> plugin;
  std::shared_ptr<DeviceOps> ops;
  const mortise_device_memory* memory = nullptr;
  const mortise_device_stream* stream = nullptr;
  DLDevice where{kDLCPU, 0};

  // Runs a case on `queue` (nullptr: the default) and waits. Errors: the device's; OUT_OF_RANGE
  // naming the output beside which it wrote, or the input that it changed.
  base::Result<std::vector<Tensor>> run(const OpCase& c, mortise_stream* queue = nullptr) const;
  base::Status synchronize(mortise_stream* queue) const;
  uint32_t query(const OpCase& c) const;
};
base::Result<DeviceBench> device_bench(Case& at, const std::shared_ptr<Plugin>& plugin);

}  // namespace mortise::plugin::kit
