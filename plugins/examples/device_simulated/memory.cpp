// Memory of the simulated devices, and the list of devices.
#include <cstdlib>
#include <cstring>

#include "machine.h"

namespace mortise::device_simulated {
namespace {

using SinkDevice = mortise_status (*)(void* user, const mortise_device_facts* facts);

mortise_status list_devices(SinkDevice sink, void* user) {
  for (int32_t id = 0; id < kDevices; ++id) {
    const std::string uuid = "simulated-" + std::to_string(id);
    const std::string name = "Simulated device " + std::to_string(id);
    mortise_device_facts facts{};
    facts.struct_size = sizeof(facts);
    facts.flags = MORTISE_DEVICE_USABLE;
    facts.device = {kDeviceType, id};
    facts.uuid = sdk::text(uuid);
    facts.name = sdk::text(name);
    facts.arch = sdk::text("simulated");
    facts.memory_bytes = kMemoryBytes;
    facts.numa_node = -1;
    facts.units_count = 1;
    const mortise_status status = sink(user, &facts);
    if (status != MORTISE_STATUS_OK) return status;
  }
  return MORTISE_STATUS_OK;
}

// Throws INVALID_ARGUMENT when memory that should be the device's is not.
void check_held(int32_t device_id, const void* pointer, uint64_t size_bytes, const char* what) {
  if (size_bytes == 0 || memory_of(device_id).holds(pointer, size_bytes)) return;
  throw sdk::invalid_argument(std::string(what) + ": " + std::to_string(size_bytes) +
                              " bytes lie outside the living memory of device " +
                              std::to_string(device_id) + ".");
}

void copy(int32_t device_id, void* to, const void* from, uint64_t size_bytes, int32_t kind,
          mortise_stream* stream) {
  Queue& queue = queue_of(stream, device_id);
  if (kind < MORTISE_COPY_HOST_TO_DEVICE || kind > MORTISE_COPY_DEVICE_TO_DEVICE) {
    throw sdk::invalid_argument("kind is " + std::to_string(kind) + ", expected 0, 1 or 2.");
  }
  if (kind != MORTISE_COPY_DEVICE_TO_HOST) check_held(device_id, to, size_bytes, "copy, to");
  if (kind != MORTISE_COPY_HOST_TO_DEVICE) check_held(device_id, from, size_bytes, "copy, from");
  queue.push([=] {
    if (size_bytes > 0) std::memmove(to, from, size_bytes);
  });
}

void fill_slots(mortise_device_memory& t) {
  t.struct_size = sizeof(t);
  t.allocate = [](int32_t device_id, uint64_t size_bytes, mortise_stream* stream, void** out,
                  mortise_error* error) {
    return sdk::guarded(error, [&] {
      queue_of(stream, device_id);
      *out = memory_of(device_id).allocate(size_bytes);
    });
  };
  t.free = [](int32_t device_id, void* pointer, mortise_stream* stream) {
    if (pointer == nullptr) return;
    sdk::guarded(nullptr, [&] {
      queue_of(stream, device_id).push([=] { memory_of(device_id).free(pointer); });
    });
  };
  t.allocate_pinned = [](uint64_t size_bytes, void** out, mortise_error* error) {
    return sdk::guarded(error, [&] {
      *out = std::aligned_alloc(64, (size_bytes + 64) / 64 * 64);
      if (*out == nullptr) throw std::bad_alloc();
    });
  };
  t.free_pinned = [](void* pointer) { std::free(pointer); };
  t.copy = [](int32_t device_id, void* to, const void* from, uint64_t size_bytes, int32_t kind,
              mortise_stream* stream, mortise_error* error) {
    return sdk::guarded(error, [&] { copy(device_id, to, from, size_bytes, kind, stream); });
  };
  t.fill = [](int32_t device_id, void* pointer, uint8_t value, uint64_t size_bytes,
              mortise_stream* stream, mortise_error* error) {
    return sdk::guarded(error, [&] {
      Queue& queue = queue_of(stream, device_id);
      check_held(device_id, pointer, size_bytes, "fill");
      queue.push([=] {
        if (size_bytes > 0) std::memset(pointer, value, size_bytes);
      });
    });
  };
  t.info = [](int32_t device_id, uint64_t* out_free, uint64_t* out_total, mortise_error* error) {
    return sdk::guarded(error, [&] {
      check_device(device_id);
      *out_free = memory_of(device_id).free_bytes();
      *out_total = kMemoryBytes;
    });
  };
  t.trim = [](int32_t device_id, mortise_error* error) {
    return sdk::guarded(error, [&] { check_device(device_id); });  // nothing is kept
  };
}

}  // namespace

Memory& memory_of(int32_t device_id) {
  static auto* all = new Memory[kDevices];
  return all[device_id];
}

void* Memory::allocate(uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  void* block = nullptr;
  if (size_bytes <= kMemoryBytes - used_bytes_) {
    block = std::aligned_alloc(64, (size_bytes + 64) / 64 * 64);
  }
  if (block == nullptr) {
    throw sdk::resource_exhausted("No memory for " + std::to_string(size_bytes) + " bytes; " +
                                  std::to_string(kMemoryBytes - used_bytes_) + " bytes are free.");
  }
  std::memset(block, kFresh, size_bytes);
  blocks_[reinterpret_cast<uintptr_t>(block)] = size_bytes;
  used_bytes_ += size_bytes;
  return block;
}

void Memory::free(void* pointer) {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == blocks_.end()) return complain("Memory was freed that is not alive.");
  std::memset(pointer, kFreed, found->second);
  used_bytes_ -= found->second;
  blocks_.erase(found);
  std::free(pointer);
}

bool Memory::holds(const void* pointer, uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  auto after = blocks_.upper_bound(address);
  if (after == blocks_.begin()) return false;
  const auto& [begin, size] = *--after;
  return address - begin <= size && size_bytes <= size - (address - begin);
}

uint64_t Memory::free_bytes() {
  const std::lock_guard lock(mutex_);
  return kMemoryBytes - used_bytes_;
}

size_t Memory::alive() {
  const std::lock_guard lock(mutex_);
  return blocks_.size();
}

const mortise_device_memory* device_memory() {
  static const mortise_device_memory table = [] {
    mortise_device_memory t{};
    fill_slots(t);
    return t;
  }();
  return &table;
}

const mortise_device_discovery* device_discovery() {
  static const mortise_device_discovery table = [] {
    mortise_device_discovery t{};
    t.struct_size = sizeof(t);
    t.list = [](SinkDevice sink, void* user, mortise_error* error) {
      mortise_status answer = MORTISE_STATUS_OK;
      const mortise_status status = sdk::guarded(error, [&] { answer = list_devices(sink, user); });
      return status != MORTISE_STATUS_OK ? status : answer;
    };
    return t;
  }();
  return &table;
}

}  // namespace mortise::device_simulated
