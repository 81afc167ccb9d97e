#include "engine/op/device.h"

#include "engine/op/call_error.h"
#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

std::string key_of(std::string_view op, DLDataType activation, DLDataType weight) {
  std::string key(op);
  for (const DLDataType type : {activation, weight}) {
    key += '/';
    key += std::to_string(type.code) + ':' + std::to_string(type.bits);
  }
  return key;
}

mortise_op_query query_of(std::string_view op, DLDataType activation, DLDataType weight,
                          DLDevice where) {
  mortise_op_query query{};
  query.struct_size = sizeof(query);
  query.op = {op.data(), op.size()};
  query.activation = activation;
  query.weight = weight;
  query.device_id = where.device_id;
  return query;
}

}  // namespace

base::Error error_in_flight() {
  try {
    throw;
  } catch (const OpFailure& failure) {
    return failure.error();
  } catch (const std::bad_alloc&) {
    return {base::Code::kResourceExhausted, "There was not enough memory for this step.",
            "Use a smaller batch or max_length, or a machine with more memory."};
  } catch (const std::exception& exception) {
    std::string text = exception.what();
    const bool memory = text.find("not enough memory") != std::string::npos ||
                        text.find("can't allocate memory") != std::string::npos ||
                        text.find("out of memory") != std::string::npos;
    text = text.substr(0, text.find('\n'));
    return {memory ? base::Code::kResourceExhausted : base::Code::kInternal,
            "The compute library failed: " + text};
  } catch (...) {
    return {base::Code::kInternal, "An exception of unknown type was thrown by a library."};
  }
}

Device::Device(const mortise_device_ops* ops, DLDevice where) : ops_(ops), where_(where) {}

Device::~Device() {
  for (const auto& [key, entry] : prepared_) {
    if (entry.op != nullptr) ops_->op_destroy(entry.op);
  }
}

Device::Entry Device::prepare(std::string_view op, DLDataType activation, DLDataType weight) const {
  Entry entry;
  if (ops_ == nullptr) return entry;
  const mortise_op_query query = query_of(op, activation, weight, where_);
  CallError error;
  error.check(ops_->query(&query, &entry.answer, error.get()), op);
  if (entry.answer == MORTISE_OP_UNSUPPORTED) return entry;
  error.check(ops_->prepare(&query, &entry.op, error.get()), op);
  return entry;
}

mortise_op* Device::find(std::string_view op, DLDataType activation, DLDataType weight) {
  const std::string key = key_of(op, activation, weight);
  const std::lock_guard lock(mutex_);
  auto at = prepared_.find(key);
  if (at == prepared_.end()) {
    at = prepared_.emplace(key, prepare(op, activation, weight)).first;
  }
  OpCounts& counts = counts_.try_emplace(std::string(op)).first->second;
  if (at->second.op == nullptr) {
    ++counts.fallback;
  } else {
    ++(at->second.answer == MORTISE_OP_NATIVE ? counts.native : counts.composed);
  }
  return at->second.op;
}

void Device::launch(mortise_op* op, std::string_view name, std::span<const DLTensor* const> inputs,
                    std::span<const DLTensor* const> outputs, std::span<const double> scalars) {
  mortise_op_call call{};
  call.struct_size = sizeof(call);
  call.inputs = inputs.data();
  call.outputs = outputs.data();
  call.scalars = scalars.data();
  call.inputs_count = static_cast<uint32_t>(inputs.size());
  call.outputs_count = static_cast<uint32_t>(outputs.size());
  call.scalars_count = static_cast<uint32_t>(scalars.size());
  CallError error;
  error.check(ops_->launch(op, &call, error.get()), name);
}

std::map<std::string, OpCounts> Device::counts() const {
  const std::lock_guard lock(mutex_);
  return {counts_.begin(), counts_.end()};
}

}  // namespace mortise::engine
