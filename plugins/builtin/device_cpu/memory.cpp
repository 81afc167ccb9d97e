// Memory of the processor, and its one part that can be leased: a share that the job keeps itself.
// A lease bounds what allocate gives; nothing else confines a process here.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "device_cpu/tables.h"

struct mortise_lease {
  uint64_t memory_bytes;
};

namespace mortise::device_cpu {
namespace {

constexpr uint64_t kHeaderBytes = 64;  // before each block: its size
constexpr std::string_view kWholeId = "cpu-0/all";

std::atomic<uint64_t> used_bytes{0};
std::atomic<uint64_t> limit_bytes{UINT64_MAX};
std::atomic<mortise_lease*> present_lease{nullptr};

void* allocate(uint64_t size_bytes) {
  const uint64_t used = used_bytes.fetch_add(size_bytes) + size_bytes;
  const bool fits = size_bytes < UINT64_MAX / 2 && used <= limit_bytes;
  void* block = fits ? std::aligned_alloc(64, (size_bytes + kHeaderBytes + 63) / 64 * 64) : nullptr;
  if (block == nullptr) {
    used_bytes -= size_bytes;
    const uint64_t free = std::min(memory_facts().available_bytes,
                                   limit_bytes - std::min<uint64_t>(used_bytes, limit_bytes));
    throw sdk::resource_exhausted("No memory for " + std::to_string(size_bytes) + " bytes; " +
                                  std::to_string(free) + " bytes are free.");
  }
  std::memcpy(block, &size_bytes, sizeof(size_bytes));
  return static_cast<char*>(block) + kHeaderBytes;
}

void release(void* pointer) {
  if (pointer == nullptr) return;
  char* block = static_cast<char*>(pointer) - kHeaderBytes;
  uint64_t size_bytes;
  std::memcpy(&size_bytes, block, sizeof(size_bytes));
  used_bytes -= size_bytes;
  std::free(block);
}

void copy(int32_t device_id, void* to, const void* from, uint64_t size_bytes, int32_t kind) {
  check_device(device_id);
  if (kind < MORTISE_COPY_HOST_TO_DEVICE || kind > MORTISE_COPY_DEVICE_TO_DEVICE) {
    throw sdk::invalid_argument("kind is " + std::to_string(kind) + ", expected 0, 1 or 2.");
  }
  if (size_bytes == 0) return;
  if (to == nullptr || from == nullptr) {
    throw sdk::invalid_argument("A copy of " + std::to_string(size_bytes) +
                                " bytes was given a NULL pointer.");
  }
  std::memmove(to, from, size_bytes);
}

using SinkSlice = mortise_status (*)(void* user, const mortise_slice_facts* slice);

mortise_status list_slices(int32_t device_id, SinkSlice sink, void* user) {
  check_device(device_id);
  mortise_slice_facts facts{};
  facts.struct_size = sizeof(facts);
  facts.id = sdk::text(kWholeId);
  facts.isolation = MORTISE_ISOLATION_COOPERATIVE;
  facts.memory_bytes = memory_facts().total_bytes;
  facts.share = 1;
  return sink(user, &facts);
}

mortise_lease* lease(int32_t device_id, std::string_view slice, uint64_t memory_bytes,
                     double share) {
  check_device(device_id);
  const uint64_t total = memory_facts().total_bytes;
  if (!slice.empty() && slice != kWholeId) {
    throw sdk::Failure(MORTISE_STATUS_NOT_FOUND, "There is no slice \"" + std::string(slice) +
                                                     "\"; the processor has \"" +
                                                     std::string(kWholeId) + "\" only.");
  }
  if (slice.empty() && !(share > 0 && share <= 1)) {
    throw sdk::invalid_argument("share is " + std::to_string(share) +
                                ", expected above 0 and at most 1.");
  }
  if (slice.empty() && memory_bytes > total) {
    throw sdk::resource_exhausted("A lease of " + std::to_string(memory_bytes) +
                                  " bytes was asked for; the machine has " + std::to_string(total) +
                                  ".");
  }
  auto made = std::make_unique<mortise_lease>();
  made->memory_bytes = slice.empty() ? memory_bytes : total;
  mortise_lease* none = nullptr;
  if (!present_lease.compare_exchange_strong(none, made.get())) {
    throw sdk::resource_exhausted(
        "This process holds a lease already; 0 bytes are free. Release "
        "it first.");
  }
  limit_bytes = made->memory_bytes;
  return made.release();
}

void end_lease(mortise_lease* lease) {
  if (lease == nullptr) return;
  if (present_lease.compare_exchange_strong(lease, nullptr)) limit_bytes = UINT64_MAX;
  delete lease;
}

void fill_memory_table(mortise_device_memory& t) {
  t.struct_size = sizeof(t);
  t.allocate = [](int32_t device_id, uint64_t size_bytes, mortise_stream*, void** out,
                  mortise_error* error) {
    return sdk::guarded(error, [&] {
      check_device(device_id);
      *out = allocate(size_bytes);
    });
  };
  t.free = [](int32_t, void* pointer, mortise_stream*) { release(pointer); };
  t.allocate_pinned = [](uint64_t size_bytes, void** out, mortise_error* error) {
    return sdk::guarded(error, [&] { *out = allocate(size_bytes); });
  };
  t.free_pinned = [](void* pointer) { release(pointer); };
  t.copy = [](int32_t device_id, void* to, const void* from, uint64_t size_bytes, int32_t kind,
              mortise_stream*, mortise_error* error) {
    return sdk::guarded(error, [&] { copy(device_id, to, from, size_bytes, kind); });
  };
  t.fill = [](int32_t device_id, void* pointer, uint8_t value, uint64_t size_bytes, mortise_stream*,
              mortise_error* error) {
    return sdk::guarded(error, [&] {
      check_device(device_id);
      if (size_bytes > 0) std::memset(pointer, value, size_bytes);
    });
  };
  t.info = [](int32_t device_id, uint64_t* out_free, uint64_t* out_total, mortise_error* error) {
    return sdk::guarded(error, [&] {
      check_device(device_id);
      const MemoryFacts facts = memory_facts();
      *out_free = facts.available_bytes;
      *out_total = facts.total_bytes;
    });
  };
  t.trim = [](int32_t device_id, mortise_error* error) {
    return sdk::guarded(error, [&] { check_device(device_id); });  // nothing is kept
  };
}

}  // namespace

const mortise_device_memory* device_memory() {
  static const mortise_device_memory table = [] {
    mortise_device_memory t{};
    fill_memory_table(t);
    return t;
  }();
  return &table;
}

const mortise_device_partition* device_partition() {
  static const mortise_device_partition table = [] {
    mortise_device_partition t{};
    t.struct_size = sizeof(t);
    t.list = [](int32_t device_id, SinkSlice sink, void* user, mortise_error* error) {
      mortise_status answer = MORTISE_STATUS_OK;
      const mortise_status status =
          sdk::guarded(error, [&] { answer = list_slices(device_id, sink, user); });
      return status != MORTISE_STATUS_OK ? status : answer;
    };
    t.lease = [](int32_t device_id, mortise_text slice, uint64_t memory_bytes, double share,
                 mortise_lease** out, mortise_error* error) {
      return sdk::guarded(error,
                          [&] { *out = lease(device_id, sdk::view(slice), memory_bytes, share); });
    };
    t.release = [](mortise_lease* lease) { end_lease(lease); };
    return t;
  }();
  return &table;
}

}  // namespace mortise::device_cpu
