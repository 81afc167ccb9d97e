// The reference as a table of mortise.device_ops/1: names, types, and one function each.
#include <mortise/cpp/device_op_names.hpp>

#include <algorithm>
#include <array>
#include <string>

#include "conform/reference.h"
#include "conform/reference_call.h"

namespace mortise::conform {
namespace {

struct Row {
  std::string_view op;
  Reference run;
};

#define ROW(op) Row{#op, op},
constexpr std::array kRows = {MORTISE_EACH_OP(ROW)};
#undef ROW

const Row* find(std::string_view op) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](auto& r) { return r.op == op; });
  return row == kRows.end() ? nullptr : row;
}

bool is_narrow(DLDataType type) {
  return sdk::is_same(type, sdk::kFloat32) || sdk::is_same(type, sdk::kBfloat16);
}

class ReferenceOp final : public sdk::Op {
 public:
  explicit ReferenceOp(const sdk::OpQuery& query)
      : op_(query.op), activation_(query.activation), weight_(query.weight) {}

  void launch(const sdk::OpCall& call) override {
    run_reference(op_, activation_, weight_, call.raw());
  }

 private:
  std::string op_;
  DLDataType activation_, weight_;
};

class ReferenceOps final : public sdk::DeviceOps {
 public:
  uint32_t query(const sdk::OpQuery& query) override {
    return has_reference(query.op, query.activation, query.weight) ? MORTISE_OP_NATIVE
                                                                   : MORTISE_OP_UNSUPPORTED;
  }
  std::unique_ptr<sdk::Op> prepare(const sdk::OpQuery& query) override {
    return std::make_unique<ReferenceOp>(query);
  }
};

}  // namespace

bool has_reference(std::string_view op, DLDataType activation, DLDataType weight) {
  if (find(op) == nullptr) return false;
  const bool exact = sdk::is_same(activation, sdk::kFloat64) && sdk::is_same(weight, sdk::kFloat64);
  return op == MORTISE_OP_CAST || exact || (is_narrow(activation) && is_narrow(weight));
}

namespace {

void run(std::string_view op, DLDataType activation, DLDataType weight, const mortise_op_call& call,
         bool checks_only) {
  if (!has_reference(op, activation, weight)) {
    throw sdk::unimplemented("The reference has no operation \"" + std::string(op) + "\" for " +
                             sdk::dtype_name(activation) + " and weights in " +
                             sdk::dtype_name(weight) + ".");
  }
  find(op)->run(Launch(op, activation, weight, call, checks_only));
}

}  // namespace

void run_reference(std::string_view op, DLDataType activation, DLDataType weight,
                   const mortise_op_call& call) {
  run(op, activation, weight, call, /*checks_only=*/false);
}

void check_reference(std::string_view op, DLDataType activation, DLDataType weight,
                     const mortise_op_call& call) {
  run(op, activation, weight, call, /*checks_only=*/true);
}

}  // namespace mortise::conform

const mortise_device_ops* mortise_reference_ops() {
  return mortise::sdk::device_ops_table<mortise::conform::ReferenceOps>();
}
