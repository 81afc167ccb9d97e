// mortise/cpp/device_ops.hpp: write the operations of a device as classes; device_ops_table<T>()
// makes the C table. For callers, PreparedOp runs an operation of a table that was handed in.
//
// T derives from DeviceOps; one object is made at the first call and lives as long as the process.
// DRAFT as the interface. See draft/device_op_list.h for what each operation means.
#ifndef MORTISE_CPP_DEVICE_OPS_HPP
#define MORTISE_CPP_DEVICE_OPS_HPP

#include <mortise/draft/device_op_list.h>
#include <mortise/cpp/dlpack.hpp>
#include <mortise/cpp/view.hpp>

#include <memory>
#include <vector>

namespace mortise::sdk {

// What the host asks for.
struct OpQuery {
  std::string_view op;  // valid during the call
  DLDataType activation;
  DLDataType weight;
  int32_t device_id = 0;
};

// The tensors and scalars of one launch, with checked counts. An absent tensor is NULL.
class OpCall {
 public:
  explicit OpCall(const mortise_op_call& raw) : raw_(raw) {}

  // Throws INVALID_ARGUMENT naming the operation and both counts.
  void check_counts(std::string_view op, uint32_t inputs, uint32_t outputs,
                    uint32_t scalars) const {
    const auto check = [op](std::string_view what, uint32_t is, uint32_t wanted) {
      if (is == wanted) return;
      throw invalid_argument(std::string(op) + " got " + std::to_string(is) + " " +
                             std::string(what) + ", expected " + std::to_string(wanted) + ".");
    };
    check("inputs", raw_.inputs_count, inputs);
    check("outputs", raw_.outputs_count, outputs);
    check("scalars", raw_.scalars_count, scalars);
  }
  const DLTensor* input(uint32_t index) const { return raw_.inputs[index]; }
  const DLTensor* output(uint32_t index) const { return raw_.outputs[index]; }
  double scalar(uint32_t index) const { return raw_.scalars[index]; }
  mortise_stream* stream() const { return raw_.stream; }
  const mortise_op_call& raw() const { return raw_; }

 private:
  mortise_op_call raw_;
};

class Op {
 public:
  virtual ~Op() = default;
  // Checks every count, type and shape, then runs. [parallel]
  virtual void launch(const OpCall& call) = 0;
};

class DeviceOps {
 public:
  virtual ~DeviceOps() = default;
  // MORTISE_OP_UNSUPPORTED, _NATIVE or _COMPOSED. [any]
  virtual uint32_t query(const OpQuery& query) = 0;
  // Called only for what query supports. [any]
  virtual std::unique_ptr<Op> prepare(const OpQuery& query) = 0;
};

namespace detail {

inline OpQuery read_query(const mortise_op_query* from) {
  const auto raw = read_struct(from);
  check_flags(raw.flags, 0, "mortise_op_query");
  check_reserved(raw.reserved, "mortise_op_query");
  return {view(raw.op), raw.activation, raw.weight, raw.device_id};
}

inline std::unique_ptr<Op> prepare_op(DeviceOps* ops, const OpQuery& query) {
  if (ops->query(query) == MORTISE_OP_UNSUPPORTED) {
    throw unimplemented("This device has no operation \"" + std::string(query.op) + "\" for " +
                        dtype_name(query.activation) + " and weights in " +
                        dtype_name(query.weight) + ".");
  }
  return ops->prepare(query);
}

}  // namespace detail

// The table of MORTISE_DEVICE_OPS over class T; lives as long as the process.
template <class T>
const mortise_device_ops* device_ops_table() {
  static const auto instance = []() -> DeviceOps* {
    static T object;
    return &object;
  };
  static const mortise_device_ops table = [] {
    mortise_device_ops t{};
    t.struct_size = sizeof(t);
    t.query = [](const mortise_op_query* query, uint32_t* out_answer, mortise_error* error) {
      return guarded(error, [&] { *out_answer = instance()->query(detail::read_query(query)); });
    };
    t.prepare = [](const mortise_op_query* query, mortise_op** out_op, mortise_error* error) {
      return guarded(error, [&] {
        auto op = detail::prepare_op(instance(), detail::read_query(query));
        *out_op = reinterpret_cast<mortise_op*>(op.release());
      });
    };
    t.launch = [](mortise_op* op, const mortise_op_call* call, mortise_error* error) {
      return guarded(error, [&] { reinterpret_cast<Op*>(op)->launch(OpCall(read_struct(call))); });
    };
    t.op_destroy = [](mortise_op* op) { delete reinterpret_cast<Op*>(op); };
    return t;
  }();
  return &table;
}

// The caller's side: an operation of a device's table, ended by the destructor.
class PreparedOp {
 public:
  // Throws UNIMPLEMENTED when the device does not do it. ops must outlive this object.
  PreparedOp(const mortise_device_ops& ops, std::string_view op, DLDataType activation,
             DLDataType weight, int32_t device_id)
      : ops_(&ops) {
    mortise_op_query query{};
    query.struct_size = sizeof(query);
    query.op = text(op);
    query.activation = activation;
    query.weight = weight;
    query.device_id = device_id;
    ErrorCollector error;
    error.check(ops.prepare(&query, &op_, error.raw()), "preparing " + std::string(op));
  }
  PreparedOp(PreparedOp&& other) noexcept
      : ops_(other.ops_), op_(std::exchange(other.op_, nullptr)) {}
  PreparedOp& operator=(PreparedOp&&) = delete;
  ~PreparedOp() {
    if (op_ != nullptr) ops_->op_destroy(op_);
  }

  // Throws what the device reports.
  void launch(const std::vector<const DLTensor*>& inputs,
              const std::vector<const DLTensor*>& outputs, const std::vector<double>& scalars,
              mortise_stream* stream) const {
    mortise_op_call call{};
    call.struct_size = sizeof(call);
    call.inputs = inputs.data();
    call.outputs = outputs.data();
    call.scalars = scalars.data();
    call.inputs_count = static_cast<uint32_t>(inputs.size());
    call.outputs_count = static_cast<uint32_t>(outputs.size());
    call.scalars_count = static_cast<uint32_t>(scalars.size());
    call.stream = stream;
    ErrorCollector error;
    error.check(ops_->launch(op_, &call, error.raw()), "a device operation");
  }

 private:
  const mortise_device_ops* ops_;
  mortise_op* op_ = nullptr;
};

}  // namespace mortise::sdk

#endif
