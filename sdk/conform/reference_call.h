// One launch as the reference sees it: checked tensors read to double, results rounded once.
// Used by reference_*.cpp only.
#pragma once

#include <mortise/cpp/device_ops.hpp>

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace mortise::conform {

// Nearest value of a type (ties to even), as a double; float64 stays as it is.
double rounded(double value, DLDataType type);
// Element i of memory of that type.
double load_element(const void* data, int64_t i, DLDataType type);
void store_element(void* data, int64_t i, DLDataType type, double value);

// A tensor in double, compact and row-major.
class Values {
 public:
  Values() = default;
  enum class Begin { kUntouched, kZero, kRead };
  // kUntouched: without values, for checks only.
  Values(const DLTensor* tensor, Begin begin);

  bool is_present() const { return tensor_ != nullptr; }
  int64_t size(size_t axis) const { return tensor_->shape[axis]; }
  int64_t count() const { return sdk::element_count(*tensor_); }
  double& operator[](int64_t i) { return values_[static_cast<size_t>(i)]; }
  double operator[](int64_t i) const { return values_[static_cast<size_t>(i)]; }
  DLDataType type() const { return tensor_->dtype; }

  // Rounds every value into the caller's tensor; nothing when absent.
  void store() const;

 private:
  const DLTensor* tensor_ = nullptr;
  std::vector<double> values_;
};

class Launch {
 public:
  Launch(std::string_view op, DLDataType activation, DLDataType weight, const mortise_op_call& call,
         bool checks_only);

  // Whether the operation shall return after its checks of counts, types and shapes: then no tensor
  // was read, and none may be.
  bool checks_only() const { return checks_only_; }
  DLDataType activation() const { return activation_; }
  DLDataType weight() const { return weight_; }
  DLDataType wide() const { return wide_; }  // "f" of the list

  // Throws INVALID_ARGUMENT naming the operation and both counts.
  void counts(uint32_t inputs, uint32_t outputs, uint32_t scalars) const;
  // Input or output i, checked; -1 in shape is any size. The next one but checks and reads nothing
  // when the tensor is absent.
  Values input(uint32_t i, std::string_view name, DLDataType type,
               std::initializer_list<int64_t> shape) const;
  Values optional_input(uint32_t i, std::string_view name, DLDataType type,
                        std::initializer_list<int64_t> shape) const;
  // As input, but its first axis may be strided.
  Values strided_input(uint32_t i, std::string_view name, DLDataType type,
                       std::initializer_list<int64_t> shape) const;
  // Zeros, to be filled and stored.
  Values output(uint32_t i, std::string_view name, DLDataType type,
                std::initializer_list<int64_t> shape) const;
  Values optional_output(uint32_t i, std::string_view name, DLDataType type,
                         std::initializer_list<int64_t> shape) const;
  // What the caller's output holds, to be changed in place.
  Values in_place(uint32_t i, std::string_view name, DLDataType type,
                  std::initializer_list<int64_t> shape) const;
  bool has_output(uint32_t i) const { return call_.output(i) != nullptr; }
  double scalar(uint32_t i) const { return call_.scalar(i); }
  const DLTensor* raw_input(uint32_t i) const { return call_.input(i); }
  const DLTensor* raw_output(uint32_t i) const { return call_.output(i); }

 private:
  Values values(const DLTensor* tensor, Values::Begin begin) const;

  std::string_view op_;
  DLDataType activation_, weight_, wide_;
  sdk::OpCall call_;
  bool checks_only_;
};

using Reference = void (*)(const Launch& launch);

// The operations, one function each.
void linear(const Launch& launch);
void linear_grad_input(const Launch& launch);
void linear_grad_weight(const Launch& launch);
void linear_lora(const Launch& launch);
void linear_lora_grad(const Launch& launch);
void rms_norm(const Launch& launch);
void rms_norm_grad(const Launch& launch);
void layer_norm(const Launch& launch);
void layer_norm_grad(const Launch& launch);
void rope(const Launch& launch);
void attention(const Launch& launch);
void attention_grad(const Launch& launch);
void swiglu(const Launch& launch);
void swiglu_grad(const Launch& launch);
void gelu(const Launch& launch);
void gelu_grad(const Launch& launch);
void embedding(const Launch& launch);
void embedding_grad(const Launch& launch);
void linear_cross_entropy(const Launch& launch);
void linear_cross_entropy_grad(const Launch& launch);
void adamw(const Launch& launch);
void sum_squares(const Launch& launch);
void cast(const Launch& launch);

}  // namespace mortise::conform
