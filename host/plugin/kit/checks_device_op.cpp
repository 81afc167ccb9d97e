// Devices: the operations, against the fp64 reference.
#include <mortise/draft/device_op_list.h>
#include <mortise/cpp/dlpack.hpp>

#include <barrier>
#include <cmath>
#include <thread>

#include "plugin/error_box.h"
#include "plugin/kit/check.h"
#include "plugin/kit/device_bench.h"
#include "plugin/kit/exercise.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Result;

namespace {

constexpr uint64_t kStream = 20;  // of the dice

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

Result<DeviceBench> open_device(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  return device_bench(at, plugin);
}

Outcome compare(const DeviceBench& device, const OpCase& c) {
  const std::vector<Tensor> expected = run_reference(c);
  MORTISE_ASSIGN(const std::vector<Tensor> got, device.run(c));
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = normalised_error(got[i], expected[i]);
    if (error <= c.bounds[i]) continue;
    return fail("Output " + std::to_string(i) + " of " + c.op + " in " +
                sdk::dtype_name(c.activation) + " has the normalised error " + shown(error) +
                " against the reference; " + shown(c.bounds[i]) + " is allowed.");
  }
  return {};
}

Outcome compare_all(Case& at, DLDataType type, bool gradients) {
  MORTISE_ASSIGN(const DeviceBench device, open_device(at));
  int compared = 0;
  for (const std::string& op : all_ops()) {
    if (is_gradient(op) != gradients) continue;
    const OpCase c = op_case(op, type, at.dice(kStream));
    if (device.query(c) == MORTISE_OP_UNSUPPORTED) continue;
    ++compared;
    const Outcome outcome = compare(device, c);
    if (outcome.state != State::kPass) return {outcome.state, op + ": " + outcome.message};
  }
  if (compared > 0) return {};
  return skip("The device has none of these operations.");
}

}  // namespace

Result<std::string> exercise_device(Case& at, const std::shared_ptr<Plugin>& plugin) {
  MORTISE_ASSIGN(const DeviceBench device, device_bench(at, plugin));
  std::string out;
  for (const std::string& op : all_ops()) {
    const OpCase c = op_case(op, sdk::kFloat32, at.dice(kStream));
    const uint32_t answer = device.query(c);
    out += op + " " + std::to_string(answer);
    if (answer == MORTISE_OP_UNSUPPORTED) continue;
    MORTISE_ASSIGN(const std::vector<Tensor> answers, device.run(c));
    for (const Tensor& tensor : answers) out.append(tensor.bytes.begin(), tensor.bytes.end());
  }
  return out;
}

namespace {

Outcome ops_equal_the_reference(Case& at) {
  return compare_all(at, sdk::kFloat32, false);
}
Outcome bf16_ops_equal_the_reference(Case& at) {
  return compare_all(at, sdk::kBfloat16, false);
}
Outcome gradients_equal_the_reference(Case& at) {
  return compare_all(at, sdk::kFloat32, true);
}
Outcome bf16_gradients_equal_the_reference(Case& at) {
  return compare_all(at, sdk::kBfloat16, true);
}

// Errors of queued work may come at the launch or from the stream; run() has both.
Outcome expect_refused(const DeviceBench& device, const OpCase& c, const std::string& what) {
  const auto got = device.run(c);
  if (!got.ok() && got.error().code == Code::kInvalidArgument) return {};
  return fail(c.op + " with " + what + " is answered with " +
              (got.ok() ? std::string("OK") : got.error().text()) +
              " instead of INVALID_ARGUMENT.");
}

Outcome wrong_shapes_are_refused(Case& at) {
  MORTISE_ASSIGN(const DeviceBench device, open_device(at));
  for (const std::string& op : all_ops()) {
    const OpCase c = op_case(op, sdk::kFloat32, at.dice(kStream));
    if (device.query(c) == MORTISE_OP_UNSUPPORTED) continue;
    OpCase longer = c;
    std::vector<int64_t> shape = c.inputs[0].shape;
    // Of a lone vector any length is right, but a matrix is not.
    if (op == MORTISE_OP_SUM_SQUARES) shape.push_back(1);
    shape.back() += 3;
    longer.inputs[0] = Tensor(c.inputs[0].type, shape);
    OpCase typed = c;
    typed.inputs[0] = Tensor({kDLUInt, 8, 1}, c.inputs[0].shape);
    OpCase fewer = c;
    fewer.inputs.pop_back();
    OpCase absent = c;
    absent.outputs[0] = Tensor();
    // linear_grad_input and the like may be without their first output; these are not.
    const bool may_lack =
        op == MORTISE_OP_LINEAR_LORA_GRAD || op == MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD;
    for (const auto& [wrong, what] :
         {std::pair(&longer, "another shape of its first input"),
          std::pair(&typed, "uint8 as its first input"), std::pair(&fewer, "an input too few"),
          std::pair(&absent, "its first output absent")}) {
      if (wrong == &absent && may_lack) continue;
      const Outcome outcome = expect_refused(device, *wrong, what);
      if (outcome.state != State::kPass) return outcome;
    }
  }
  return {};
}

Outcome ids_out_of_range_are_refused(Case& at) {
  MORTISE_ASSIGN(const DeviceBench device, open_device(at));
  OpCase c = op_case(MORTISE_OP_EMBEDDING, sdk::kFloat32, at.dice(kStream));
  if (device.query(c) == MORTISE_OP_UNSUPPORTED) return skip("The device has no embedding.");
  for (const double id : {static_cast<double>(c.inputs[1].shape[0]), -1.0}) {
    c.inputs[0].set(2, id);
    const Outcome outcome = expect_refused(device, c, "the id " + std::to_string(int(id)));
    if (outcome.state != State::kPass) return outcome;
  }
  // A device that refused must go on working.
  return compare(device, op_case(MORTISE_OP_EMBEDDING, sdk::kFloat32, at.dice(kStream)));
}

Outcome unknown_operation_is_unsupported(Case& at) {
  MORTISE_ASSIGN(const DeviceBench device, open_device(at));
  for (const std::string name : {"no_such_operation", "", "linear ", "LINEAR"}) {
    mortise_op_query query{};
    query.struct_size = sizeof query;
    query.op = text_of(name);
    query.activation = query.weight = sdk::kFloat32;
    query.device_id = device.where.device_id;
    uint32_t answer = 77;
    ErrorBox error;
    const mortise_status status = device.ops->table()->query(&query, &answer, error.get());
    if (status != MORTISE_STATUS_OK || answer != MORTISE_OP_UNSUPPORTED) {
      return fail("query answers the operation \"" + name + "\" with code " +
                  std::to_string(status) + " and " + std::to_string(answer) +
                  " instead of OK and UNSUPPORTED.");
    }
    mortise_op* op = nullptr;
    const mortise_status prepared = device.ops->table()->prepare(&query, &op, error.get());
    if (prepared == MORTISE_STATUS_OK) device.ops->table()->op_destroy(op);
    if (prepared == MORTISE_STATUS_UNIMPLEMENTED) continue;
    return fail("prepare answers the operation \"" + name + "\" with " + std::to_string(prepared) +
                " instead of UNIMPLEMENTED.");
  }
  return {};
}

// What query calls native or composed can be prepared, for any pair of types.
Outcome query_keeps_its_word(Case& at) {
  MORTISE_ASSIGN(const DeviceBench device, open_device(at));
  const DLDataType types[] = {sdk::kFloat32, sdk::kBfloat16, {kDLFloat, 16, 1}, {kDLInt, 8, 1}};
  int supported = 0;
  for (const std::string& op : all_ops()) {
    for (const DLDataType a : types) {
      for (const DLDataType w : types) {
        const OpKey key{op, a, w, device.where.device_id};
        const bool is_supported = device.ops->query(key) != MORTISE_OP_UNSUPPORTED;
        const auto prepared = device.ops->prepare(key);
        supported += is_supported ? 1 : 0;
        if (prepared.ok() == is_supported) continue;
        return fail("query says that " + op + " with " + sdk::dtype_name(a) + " and " +
                    sdk::dtype_name(w) + " is " + (is_supported ? "" : "not ") +
                    "supported; prepare answers " +
                    (prepared.ok() ? std::string("OK") : prepared.error().text()));
      }
    }
  }
  if (supported == 0) return fail("The device supports no operation at all.");
  return {};
}

// One prepared operation, four threads, a stream each where there are streams.
Outcome threads_agree(Case& at) {
  MORTISE_ASSIGN(const DeviceBench device, open_device(at));
  const OpCase c = op_case(MORTISE_OP_LINEAR, sdk::kFloat32, at.dice(kStream));
  if (device.query(c) == MORTISE_OP_UNSUPPORTED) return skip("The device has no linear.");
  MORTISE_ASSIGN(const std::vector<Tensor> expected, device.run(c));
  constexpr size_t kThreads = 4;
  std::vector<std::string> problems(kThreads);
  std::vector<std::thread> threads;
  std::barrier start(kThreads);
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      mortise_stream* queue = nullptr;
      ErrorBox error;
      if (device.stream != nullptr &&
          device.stream->create(device.where.device_id, &queue, error.get()) != 0) {
        problems[i] = "no stream could be made.";
        start.arrive_and_drop();
        return;
      }
      start.arrive_and_wait();
      for (int round = 0; round < 8; ++round) {
        const auto got = device.run(c, queue);
        if (!got.ok()) problems[i] = got.error().text();
        if (got.ok() && (*got)[0].bytes != expected[0].bytes) {
          problems[i] = "the result is another than in one thread.";
        }
      }
      if (queue != nullptr) device.stream->destroy(queue);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) {
    if (!problem.empty()) return fail("linear in four threads at once: " + problem);
  }
  return {};
}

Outcome no_rows_are_fine(Case& at) {
  MORTISE_ASSIGN(const DeviceBench device, open_device(at));
  for (const char* op : {MORTISE_OP_LINEAR, MORTISE_OP_RMS_NORM, MORTISE_OP_SWIGLU}) {
    OpCase c = op_case(op, sdk::kFloat32, at.dice(kStream));
    if (device.query(c) == MORTISE_OP_UNSUPPORTED) continue;
    const int64_t rows = c.inputs[0].shape[0];
    for (auto* tensors : {&c.inputs, &c.outputs}) {
      for (Tensor& tensor : *tensors) {
        if (!tensor.is_present || tensor.shape[0] != rows) continue;
        std::vector<int64_t> shape = tensor.shape;
        shape[0] = 0;
        tensor = Tensor(tensor.type, shape);
      }
    }
    MORTISE_ASSIGN(const auto answers, device.run(c));
  }
  return {};
}

constexpr const char* kDeviceOpKind = "device";
constexpr const char* kOps = MORTISE_DEVICE_OPS;
constexpr Check kDeviceOpChecks[] = {
    {"device.ops_equal_the_reference", "Operations in float32 agree with the fp64 reference.",
     kDeviceOpKind, kOps, Needs::kPlugin, ops_equal_the_reference},
    {"device.bf16_ops_equal_the_reference", "Operations in bfloat16 agree with the reference.",
     kDeviceOpKind, kOps, Needs::kPlugin, bf16_ops_equal_the_reference},
    {"device.gradients_equal_the_reference", "Gradients in float32 agree with the reference.",
     kDeviceOpKind, kOps, Needs::kPlugin, gradients_equal_the_reference},
    {"device.bf16_gradients_equal_the_reference", "Gradients in bfloat16 agree with the reference.",
     kDeviceOpKind, kOps, Needs::kPlugin, bf16_gradients_equal_the_reference},
    {"device.wrong_shapes_are_refused", "Other shapes, types and counts are INVALID_ARGUMENT.",
     kDeviceOpKind, kOps, Needs::kPlugin, wrong_shapes_are_refused},
    {"device.ids_out_of_range_are_refused", "Ids out of range are INVALID_ARGUMENT, once.",
     kDeviceOpKind, kOps, Needs::kPlugin, ids_out_of_range_are_refused},
    {"device.unknown_operation_is_unsupported",
     "An unknown operation is UNSUPPORTED, and preparing it UNIMPLEMENTED.", kDeviceOpKind, kOps,
     Needs::kPlugin, unknown_operation_is_unsupported},
    {"device.query_keeps_its_word", "What query supports can be prepared, and nothing else.",
     kDeviceOpKind, kOps, Needs::kPlugin, query_keeps_its_word},
    {"device.threads_agree", "One operation in four threads gives what one thread gives.",
     kDeviceOpKind, kOps, Needs::kPlugin, threads_agree},
    {"device.no_rows_are_fine", "Launches over no rows are fine.", kDeviceOpKind, kOps,
     Needs::kPlugin, no_rows_are_fine},
};

}  // namespace

std::span<const Check> device_op_checks() {
  return kDeviceOpChecks;
}

}  // namespace mortise::plugin::kit
