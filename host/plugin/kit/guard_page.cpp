// See guard_page.h.
#include "plugin/kit/guard_page.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace mortise::plugin::kit {

GuardPage::GuardPage(size_t size_bytes, size_t alignment) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t rounded = (size_bytes + alignment - 1) / alignment * alignment;
  const size_t inside = (rounded + page - 1) / page * page;
  room_bytes_ = inside + 2 * page;
  void* room =
      ::mmap(nullptr, room_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return;
  room_ = room;
  char* begin = static_cast<char*>(room);
  ::mprotect(begin, page, PROT_NONE);
  ::mprotect(begin + page + inside, page, PROT_NONE);
  data_ = begin + page + inside - rounded;
}

GuardPage::~GuardPage() {
  if (room_ != nullptr) ::munmap(room_, room_bytes_);
}

void GuardPage::make_read_only() {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (room_bytes_ > 2 * page) {
    ::mprotect(static_cast<char*>(room_) + page, room_bytes_ - 2 * page, PROT_READ);
  }
}

namespace {

size_t width_of(char format) {
  switch (format) {
    case 'c':
    case 'C':
      return 1;
    case 's':
    case 'S':
      return 2;
    case 'i':
    case 'I':
    case 'f':
      return 4;
    default:
      return 8;
  }
}

}  // namespace

void GuardedArray::add_buffer(const void* data, size_t size_bytes) {
  if (data == nullptr) {
    buffers_.push_back(nullptr);
    return;
  }
  auto page = std::make_unique<GuardPage>(size_bytes, 1);
  is_ready_ = is_ready_ && page->data() != nullptr;
  if (page->data() == nullptr) return;
  if (size_bytes > 0) std::memcpy(page->data(), data, size_bytes);
  page->make_read_only();
  buffers_.push_back(page->data());
  pages_.push_back(std::move(page));
}

GuardedArray::GuardedArray(const Column& column, const ArrowArray& array) : array_(array) {
  const auto rows = static_cast<size_t>(array.offset + array.length);
  const std::string& format = column.format;
  if (array.n_buffers > 0) add_buffer(array.buffers[0], (rows + 7) / 8);
  const bool is_list = format == "+l" || format == "+L";
  const bool is_wide = format == "U" || format == "Z" || format == "+L";
  if (format == "u" || format == "z" || is_wide || is_list) {
    const size_t width = is_wide ? 8 : 4;
    add_buffer(array.buffers[1], (rows + 1) * width);
    if (!is_list) {
      int64_t end = 0;
      if (is_wide) end = static_cast<const int64_t*>(array.buffers[1])[rows];
      if (!is_wide) end = static_cast<const int32_t*>(array.buffers[1])[rows];
      add_buffer(array.buffers[2], static_cast<size_t>(end));
    }
  } else if (format == "b") {
    add_buffer(array.buffers[1], (rows + 7) / 8);
  } else if (format != "+s") {
    add_buffer(array.buffers[1], rows * width_of(format[0]));
  }
  for (int64_t i = 0; i < array.n_children; ++i) {
    children_.push_back(std::make_unique<GuardedArray>(column.children[static_cast<size_t>(i)],
                                                       *array.children[i]));
    is_ready_ = is_ready_ && children_.back()->is_ready();
    pointers_.push_back(&children_.back()->array_);
  }
  array_.buffers = buffers_.data();
  array_.children = pointers_.data();
  array_.release = [](ArrowArray*) {};
}

}  // namespace mortise::plugin::kit
