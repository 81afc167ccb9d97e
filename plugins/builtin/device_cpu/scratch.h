// Memory of one call, and the words for types. Used by every operation of device_cpu.
#pragma once

#include <mortise/cpp/dlpack.hpp>
#include <mortise/cpp/services.hpp>

#include <cstdlib>
#include <cstring>

#include "device_cpu/kernel/kernels.h"

namespace mortise::device_cpu {

// 64-byte aligned memory for `count` elements, uninitialised; counted against the pack's budget
// where the host has mortise.memory/1. Throws RESOURCE_EXHAUSTED.
template <class T>
class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(int64_t count) {
    const auto size = static_cast<uint64_t>(count > 0 ? count : 1) * sizeof(T);
    if (MORTISE_HAS(sdk::host().memory, mortise_memory_service, allocate)) {
      buffer_ = sdk::Buffer(size, "device_cpu");
      data_ = static_cast<T*>(buffer_.data());
      return;
    }
    own_ = std::aligned_alloc(64, (size + 63) / 64 * 64);
    if (own_ == nullptr) {
      throw sdk::resource_exhausted("No memory for an operation: " + std::to_string(size) +
                                    " bytes were asked for.");
    }
    data_ = static_cast<T*>(own_);
  }
  Scratch(Scratch&& other) noexcept { swap(other); }
  Scratch& operator=(Scratch&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Scratch() { std::free(own_); }

  T* data() const { return data_; }
  T& operator[](int64_t i) const { return data_[i]; }

 private:
  void swap(Scratch& other) noexcept {
    std::swap(buffer_, other.buffer_);
    std::swap(own_, other.own_);
    std::swap(data_, other.data_);
  }
  sdk::Buffer buffer_;
  void* own_ = nullptr;
  T* data_ = nullptr;
};

template <class T>
void set_zero(T* data, int64_t count) {
  if (count > 0) std::memset(data, 0, static_cast<uint64_t>(count) * sizeof(T));
}

constexpr int64_t size_of(Type type) {
  return type == Type::kFloat32 ? 4 : 2;
}
constexpr DLDataType dl_type(Type type) {
  return type == Type::kFloat32 ? sdk::kFloat32 : sdk::kBfloat16;
}

// data + i elements.
inline void* at(void* data, int64_t i, Type type) {
  return static_cast<char*>(data) + i * size_of(type);
}
inline const void* at(const void* data, int64_t i, Type type) {
  return static_cast<const char*>(data) + i * size_of(type);
}

// Calls body(begin, end) for ranges that cover [0, count), on the worker's threads. What each i
// computes must not depend on how the ranges are cut, so that results do not depend on the number
// of threads; memory that is dear to get may be shared within a range.
template <class Body>
void for_each_range(int64_t count, Body&& body) {
  sdk::parallel_for(static_cast<uint64_t>(count), 1, [&](uint64_t begin, uint64_t end) {
    body(static_cast<int64_t>(begin), static_cast<int64_t>(end));
  });
}

// Calls body(i) for i in [0, count), spread likewise.
template <class Body>
void for_each_piece(int64_t count, Body&& body) {
  for_each_range(count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

inline int64_t pieces_of(int64_t count, int64_t piece) {
  return (count + piece - 1) / piece;
}

}  // namespace mortise::device_cpu
