// The tensors of one launch, checked: type, shape, order, place. Used by every operation; throws
// INVALID_ARGUMENT naming the operation, the tensor and both shapes.
#pragma once

#include <mortise/cpp/device_ops.hpp>

#include "device_cpu/scratch.h"

namespace mortise::device_cpu {

struct Types {
  Type activation, weight;
};

class Args {
 public:
  Args(std::string_view op, Types types, const sdk::OpCall& call)
      : op_(op), types_(types), call_(call) {}

  Type activation() const { return types_.activation; }
  Type weight() const { return types_.weight; }
  void counts(uint32_t inputs, uint32_t outputs, uint32_t scalars) const {
    call_.check_counts(op_, inputs, outputs, scalars);
  }

  // Input or output i; -1 in shape is any size.
  const DLTensor& in(uint32_t i, std::string_view name, DLDataType type,
                     std::initializer_list<int64_t> shape) const {
    return checked(call_.input(i), name, type, shape);
  }
  const DLTensor& out(uint32_t i, std::string_view name, DLDataType type,
                      std::initializer_list<int64_t> shape) const {
    return checked(call_.output(i), name, type, shape);
  }
  // The memory of an optional one, or NULL when it is absent.
  const void* maybe_in(uint32_t i, std::string_view name, DLDataType type,
                       std::initializer_list<int64_t> shape) const {
    return call_.input(i) == nullptr ? nullptr : memory(in(i, name, type, shape));
  }
  void* maybe_out(uint32_t i, std::string_view name, DLDataType type,
                  std::initializer_list<int64_t> shape) const {
    return call_.output(i) == nullptr ? nullptr : memory(out(i, name, type, shape));
  }
  // As in, but the first axis may be strided; row_stride: elements between rows.
  const DLTensor& strided_in(uint32_t i, std::string_view name, DLDataType type,
                             std::initializer_list<int64_t> shape, int64_t& row_stride) const;
  double scalar(uint32_t i) const { return call_.scalar(i); }
  const DLTensor* raw_in(uint32_t i) const { return call_.input(i); }
  const DLTensor* raw_out(uint32_t i) const { return call_.output(i); }

  static void* memory(const DLTensor& tensor) { return sdk::elements<char>(tensor); }
  // Throws INVALID_ARGUMENT naming the position of the first value outside 0 .. end-1.
  void check_range(const DLTensor& values, std::string_view name, int64_t end) const;
  // The same for bounds, which must rise from 0 to at most end.
  void check_bounds(const DLTensor& bounds, std::string_view name, int64_t end) const;

 private:
  const DLTensor& checked(const DLTensor* tensor, std::string_view name, DLDataType type,
                          std::initializer_list<int64_t> shape) const;
  std::string prefix() const { return std::string(op_) + ": "; }

  std::string_view op_;
  Types types_;
  const sdk::OpCall& call_;
};

}  // namespace mortise::device_cpu
