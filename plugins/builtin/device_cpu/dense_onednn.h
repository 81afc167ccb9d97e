// oneDNN behind one class: a slice of b packed once, then multiplied with rows of a on the calling
// thread. Used by dense.cpp only.
#pragma once

#include <memory>

#include "device_cpu/dense.h"

namespace mortise::device_cpu {

// Whether oneDNN multiplies this type at speed on this processor. [any]
bool is_fast(Type type);

// Makes every oneDNN call of this thread run on this thread alone while it lives: the worker's own
// pool spreads the work, and OpenMP's threads would spin beside it.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// What one thread needs to multiply: oneDNN's own memory and queue. [serial]
class Workbench {
 public:
  Workbench();
  ~Workbench();
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;

 private:
  friend class PackedSlice;
  struct State;
  std::unique_ptr<State> state_;
};

// b [k, n] (or [n, k]) in oneDNN's own order. Not changed once made.
class PackedSlice {
 public:
  // b is only read here. b_row: elements between its rows.
  PackedSlice(Type type, int64_t n, int64_t k, const void* b, int64_t b_row, bool is_transposed);
  ~PackedSlice();
  PackedSlice(PackedSlice&&) noexcept;
  PackedSlice& operator=(PackedSlice&&) noexcept;

  // c [m, n] in float32 = a [m, k] times b; both compact in their last axis. Few different m should
  // be used: each is compiled once. [parallel], each thread with its own workbench.
  void multiply(int64_t m, const void* a, int64_t a_row, float* c, int64_t c_row,
                Workbench& workbench) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mortise::device_cpu
