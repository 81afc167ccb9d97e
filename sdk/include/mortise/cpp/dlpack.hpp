// mortise/cpp/dlpack.hpp: borrowed tensors with checked type, shape and place.
//
// Used by losses and device operations. Every check names the tensor and both sides: 'tensor "x" is
// float32 [3, 5], expected float32 [3, 4]'. Owns nothing; knows no operation.
#ifndef MORTISE_CPP_DLPACK_HPP
#define MORTISE_CPP_DLPACK_HPP

#include <mortise/dlpack.h>
#include <mortise/cpp/status.hpp>

#include <cstring>
#include <initializer_list>

namespace mortise::sdk {

constexpr DLDataType kFloat32{kDLFloat, 32, 1};
constexpr DLDataType kFloat64{kDLFloat, 64, 1};
constexpr DLDataType kBfloat16{kDLBfloat, 16, 1};
constexpr DLDataType kInt32{kDLInt, 32, 1};
constexpr DLDataType kInt64{kDLInt, 64, 1};

constexpr bool is_same(DLDataType a, DLDataType b) {
  return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

// "float32", "bfloat16", "int32", "uint8", "bool"; others as "type<code>x<bits>".
inline std::string dtype_name(DLDataType type) {
  const std::string bits = std::to_string(type.bits);
  switch (type.code) {
    case kDLInt:
      return "int" + bits;
    case kDLUInt:
      return "uint" + bits;
    case kDLFloat:
      return "float" + bits;
    case kDLBfloat:
      return "bfloat" + bits;
    case kDLBool:
      return "bool";
    default:
      return "type" + std::to_string(type.code) + "x" + bits;
  }
}

inline std::string shape_text(const int64_t* shape, size_t rank) {
  std::string words = "[";
  for (size_t i = 0; i < rank; ++i) {
    words += (i == 0 ? "" : ", ") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
  }
  return words + "]";
}

// "float32 [3, 4]".
inline std::string describe(const DLTensor& tensor) {
  return dtype_name(tensor.dtype) + " " +
         shape_text(tensor.shape, static_cast<size_t>(tensor.ndim));
}

inline bool is_compact(const DLTensor& tensor) {
  if (tensor.strides == nullptr) return true;
  int64_t expected = 1;
  for (int32_t i = tensor.ndim - 1; i >= 0; --i) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
    if (expected == 0) return true;
  }
  return true;
}

// Throws INVALID_ARGUMENT unless the tensor is there, of that type and shape (-1: any size), and
// compact and row-major.
inline void check_tensor(const DLTensor* tensor, std::string_view name, DLDataType dtype,
                         std::initializer_list<int64_t> shape) {
  const auto refuse = [&](const std::string& is) {
    throw invalid_argument("Tensor \"" + std::string(name) + "\" is " + is + ", expected " +
                           dtype_name(dtype) + " " + shape_text(shape.begin(), shape.size()) + ".");
  };
  if (tensor == nullptr) return refuse("absent");
  if (tensor->ndim < 0 || (tensor->ndim > 0 && tensor->shape == nullptr)) {
    return refuse("without a shape");
  }
  bool fits = static_cast<size_t>(tensor->ndim) == shape.size() && is_same(tensor->dtype, dtype);
  int64_t elements = 1;
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    const int64_t wanted = shape.begin()[i];
    fits = tensor->shape[i] >= 0 && (wanted < 0 || tensor->shape[i] == wanted);
    elements *= tensor->shape[i];
  }
  if (!fits) return refuse(describe(*tensor));
  if (!is_compact(*tensor)) return refuse(describe(*tensor) + " with gaps or another order");
  if (tensor->data == nullptr && elements > 0) refuse(describe(*tensor) + " without memory");
}

inline int64_t element_count(const DLTensor& tensor) {
  int64_t count = 1;
  for (int32_t i = 0; i < tensor.ndim; ++i) count *= tensor.shape[i];
  return count;
}

// Throws UNIMPLEMENTED unless the memory can be read by the processor.
inline void check_on_cpu(const DLTensor& tensor, std::string_view name) {
  if (tensor.device.device_type != kDLCPU && tensor.device.device_type != kDLCUDAHost) {
    throw unimplemented("Tensor \"" + std::string(name) + "\" lies on device type " +
                        std::to_string(static_cast<int>(tensor.device.device_type)) +
                        "; this plugin reads host memory only.");
  }
}

// The elements of a checked tensor.
template <class Number>
Number* elements(const DLTensor& tensor) {
  return reinterpret_cast<Number*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
}

// A compact view of memory of the caller's; keeps its own shape and strides (at most 4 axes).
class TensorView {
 public:
  TensorView(void* data, DLDataType dtype, std::initializer_list<int64_t> shape,
             DLDevice device = {kDLCPU, 0}) {
    if (shape.size() > 4) throw internal_fault("A TensorView has at most 4 axes.");
    std::memcpy(shape_, shape.begin(), shape.size() * sizeof(int64_t));
    tensor_.data = data;
    tensor_.device = device;
    tensor_.ndim = static_cast<int32_t>(shape.size());
    tensor_.dtype = dtype;
    int64_t stride = 1;
    for (int32_t i = tensor_.ndim - 1; i >= 0; --i) {
      strides_[i] = stride;
      stride *= shape_[i];
    }
    tensor_.shape = shape_;
    tensor_.strides = strides_;
  }
  TensorView(const TensorView&) = delete;
  TensorView& operator=(const TensorView&) = delete;

  const DLTensor* get() const { return &tensor_; }

 private:
  DLTensor tensor_{};
  int64_t shape_[4] = {};
  int64_t strides_[4] = {};
};

// bfloat16 is the upper half of a float32.
inline float bfloat16_to_float(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof(out));
  return out;
}

// Rounds to nearest even; NaN stays NaN.
inline uint16_t float_to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace mortise::sdk

#endif
