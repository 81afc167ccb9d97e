// Memory with a page behind it (and before it) that may not be touched, for checks of what a plugin
// reads and writes. A touch ends the process, and the death record names the slot.
#pragma once

#include <mortise/arrow.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "plugin/arrow_rows.h"

namespace mortise::plugin::kit {

class GuardPage {
 public:
  // size_bytes that end at a page's end, rounded up to `alignment`. nullptr memory when nothing
  // could be mapped.
  explicit GuardPage(size_t size_bytes, size_t alignment = 8);
  ~GuardPage();
  GuardPage(const GuardPage&) = delete;
  GuardPage& operator=(const GuardPage&) = delete;

  void* data() const { return data_; }
  void make_read_only();

 private:
  void* room_ = nullptr;
  size_t room_bytes_ = 0;
  void* data_ = nullptr;
};

// A copy of a struct array whose every buffer lies in read-only pages against a guard page. Knows
// the buffers of utf8, binary, fixed-width numbers, lists and structs.
class GuardedArray {
 public:
  GuardedArray(const Column& column, const ArrowArray& array);
  bool is_ready() const { return is_ready_; }
  const ArrowArray* get() const { return &array_; }

 private:
  void add_buffer(const void* data, size_t size_bytes);
  bool is_ready_ = true;
  ArrowArray array_{};
  std::vector<std::unique_ptr<GuardPage>> pages_;
  std::vector<const void*> buffers_;
  std::vector<std::unique_ptr<GuardedArray>> children_;
  std::vector<ArrowArray*> pointers_;
};

}  // namespace mortise::plugin::kit
