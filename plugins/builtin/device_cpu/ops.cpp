// Names of operations and the functions behind them, as a table of mortise.device_ops/1.
#include "device_cpu/ops.h"

#include <mortise/cpp/device_op_names.hpp>

#include <algorithm>
#include <array>

namespace mortise::device_cpu {
namespace {

struct Row {
  std::string_view name;
  void (*run)(const Args& args);
};

#define ROW(op) Row{#op, op},
constexpr std::array kRows = {MORTISE_EACH_OP(ROW)};
#undef ROW

const Row* find(std::string_view name) {
  const auto* row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.name == name; });
  return row == kRows.end() ? nullptr : row;
}

bool is_known(DLDataType type) {
  return sdk::is_same(type, sdk::kFloat32) || sdk::is_same(type, sdk::kBfloat16);
}

Type type_of(DLDataType type) {
  return sdk::is_same(type, sdk::kBfloat16) ? Type::kBfloat16 : Type::kFloat32;
}

class CpuOp final : public sdk::Op {
 public:
  CpuOp(const Row& row, Types types) : row_(row), types_(types) {}
  void launch(const sdk::OpCall& call) override { row_.run(Args(row_.name, types_, call)); }

 private:
  const Row& row_;
  Types types_;
};

class CpuOps final : public sdk::DeviceOps {
 public:
  uint32_t query(const sdk::OpQuery& query) override {
    if (find(query.op) == nullptr || query.device_id != 0) return MORTISE_OP_UNSUPPORTED;
    // A cast looks at its tensors, whatever types were asked for.
    if (query.op == MORTISE_OP_CAST) return MORTISE_OP_NATIVE;
    return is_known(query.activation) && is_known(query.weight) ? MORTISE_OP_NATIVE
                                                                : MORTISE_OP_UNSUPPORTED;
  }
  std::unique_ptr<sdk::Op> prepare(const sdk::OpQuery& query) override {
    return std::make_unique<CpuOp>(*find(query.op),
                                   Types{type_of(query.activation), type_of(query.weight)});
  }
};

}  // namespace

const mortise_device_ops* device_ops() {
  return sdk::device_ops_table<CpuOps>();
}

}  // namespace mortise::device_cpu
