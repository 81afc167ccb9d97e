// mortise.memory/1: aligned blocks with an account for each pack. Every block is known by address,
// so a pointer that was never given, or given back twice, is a broken rule and not a crash.
#include <mortise/service/memory.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "plugin/host_state.h"

namespace mortise::plugin {
namespace {

constexpr uint64_t kAlignmentMax = 4096;

bool is_refused(mortise_host* host, uint64_t size_bytes) {
  ++host->allocations_seen;
  if (host->allocations_seen == host->failing_allocation) return true;
  return size_bytes > host->memory.budget_bytes - host->memory.used_bytes;
}

void* allocate(mortise_host* host, uint64_t size_bytes, uint64_t alignment_bytes, mortise_text) {
  host->check_thread();
  const uint64_t alignment = alignment_bytes == 0 ? 64 : alignment_bytes;
  if (!std::has_single_bit(alignment) || alignment > kAlignmentMax) {
    host->blame("It asked for an alignment of " + std::to_string(alignment_bytes) +
                " bytes; a power of two up to 4096 is taken.");
    return nullptr;
  }
  {
    const std::lock_guard lock(host->mutex);
    if (is_refused(host, size_bytes)) return nullptr;
    host->memory.used_bytes += size_bytes;
    host->memory.peak_bytes = std::max(host->memory.peak_bytes, host->memory.used_bytes);
  }
  const uint64_t least = std::max<uint64_t>(alignment, sizeof(void*));
  // aligned_alloc wants a multiple of the alignment; a size near 2^64 must not wrap to a small one.
  void* pointer =
      size_bytes > UINT64_MAX - least
          ? nullptr
          : std::aligned_alloc(least, std::max(least, (size_bytes + least - 1) / least * least));
  const std::lock_guard lock(host->mutex);
  if (pointer == nullptr) {
    host->memory.used_bytes -= size_bytes;
    return nullptr;
  }
  host->blocks[pointer] = size_bytes;
  ++host->memory.allocations_count;
  return pointer;
}

void free_block(mortise_host* host, void* pointer) {
  if (pointer == nullptr) return;
  {
    const std::lock_guard lock(host->mutex);
    const auto block = host->blocks.find(pointer);
    if (block != host->blocks.end()) {
      host->memory.used_bytes -= block->second;
      host->blocks.erase(block);
      std::free(pointer);
      return;
    }
  }
  host->blame("It freed a pointer that memory.allocate never gave, or freed it twice.");
}

void usage(mortise_host* host, uint64_t* out_used_bytes, uint64_t* out_budget_bytes) {
  const std::lock_guard lock(host->mutex);
  if (out_used_bytes != nullptr) *out_used_bytes = host->memory.used_bytes;
  if (out_budget_bytes != nullptr) *out_budget_bytes = host->memory.budget_bytes;
}

const mortise_memory_service kMemoryTable = {sizeof kMemoryTable, 0, &allocate, &free_block,
                                             &usage};

}  // namespace

const void* memory_service() {
  return &kMemoryTable;
}

}  // namespace mortise::plugin
