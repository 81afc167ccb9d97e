// Memory for tables that are read at random: in large pages where the system gives them, since
// otherwise most looks into a table of megabytes miss the TLB too.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace mortise::tokenizers {

template <class T>
struct LargePages {
  using value_type = T;
  LargePages() = default;
  template <class Other>
  explicit(false) LargePages(const LargePages<Other>&) {}  // allocators convert by themselves

  T* allocate(size_t count) {
    const size_t size = count * sizeof(T);
    if (size < kPage / 4) return static_cast<T*>(::operator new(size));
    const size_t whole = (size + kPage - 1) / kPage * kPage;
    void* memory = ::operator new(whole, std::align_val_t{kPage});
    ::madvise(memory, whole, MADV_HUGEPAGE);  // only advice: ordinary pages do as well
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) {
    if (count * sizeof(T) < kPage / 4) {
      ::operator delete(memory);
    } else {
      ::operator delete(memory, std::align_val_t{kPage});
    }
  }
  bool operator==(const LargePages&) const { return true; }

 private:
  static constexpr size_t kPage = size_t{2} << 20;
};

template <class T>
using LargeTable = std::vector<T, LargePages<T>>;

}  // namespace mortise::tokenizers
