// See keep.h.
#include "plugin/keep.h"

#include <mutex>
#include <vector>

namespace mortise::plugin {

void keep_pointer(const void* pointer) {
  static std::mutex mutex;
  static auto* kept = new std::vector<const void*>();
  const std::lock_guard lock(mutex);
  kept->push_back(pointer);
}

}  // namespace mortise::plugin
