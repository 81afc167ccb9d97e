// Owners of the Arrow C structs: release exactly once, move by the specification's rule. Used by
// every wrapper of this folder and by ingest.
#pragma once

#include <mortise/arrow.h>

#include <utility>

namespace mortise::plugin {

// T is ArrowArray, ArrowSchema or ArrowArrayStream.
template <class T>
class ArrowOwner {
 public:
  ArrowOwner() = default;
  explicit ArrowOwner(T value) : value_(value) {}
  ArrowOwner(ArrowOwner&& other) noexcept : value_(std::exchange(other.value_, T{})) {}
  ArrowOwner& operator=(ArrowOwner&& other) noexcept {
    if (this != &other) {
      reset();
      value_ = std::exchange(other.value_, T{});
    }
    return *this;
  }
  ~ArrowOwner() { reset(); }

  T* get() { return &value_; }
  const T* get() const { return &value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }
  bool is_set() const { return value_.release != nullptr; }
  // For a callee that fills it; releases what was there.
  T* out() {
    reset();
    return &value_;
  }
  // Gives it away: the caller releases.
  T detach() { return std::exchange(value_, T{}); }
  void reset() {
    if (value_.release != nullptr) value_.release(&value_);
    value_ = T{};
  }

 private:
  T value_{};
};

using OwnedArray = ArrowOwner<ArrowArray>;
using OwnedSchema = ArrowOwner<ArrowSchema>;
using OwnedStream = ArrowOwner<ArrowArrayStream>;

}  // namespace mortise::plugin
