// The simulated machine: two devices, each with memory of its own and queues of work.
//
// It behaves as real devices do where hosts make mistakes: launches return before the work is done,
// fresh memory is poison, freed memory is poison again, a view that leaves its allocation is
// refused, and every handle is counted. Numbers come from the fp64 reference.
#pragma once

#include <mortise/draft/device_discovery.h>
#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_stream.h>
#include <mortise/cpp/services.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace mortise::device_simulated {

constexpr int32_t kDevices = 2;
constexpr DLDeviceType kDeviceType = kDLExtDev;
constexpr uint64_t kMemoryBytes = uint64_t{1} << 30;  // of each device
constexpr int kFresh = 0xFF;                          // NaN in every float type, -1 in integers
constexpr int kFreed = 0xCB;

// Throws NOT_FOUND for a device that does not exist.
void check_device(int32_t device_id);
// Tells the host's log that the host broke a rule.
void complain(const std::string& sentence);

// Work in order, on a thread of its own that starts with the first piece. [any]
class Queue {
 public:
  explicit Queue(int32_t device_id) : device_id_(device_id) {}
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  int32_t device_id() const { return device_id_; }
  // work may throw Failure: the first is kept for synchronize, and what follows still runs.
  void push(std::function<void()> work);
  // Waits for all work; throws the first failure since the last call.
  void synchronize();

 private:
  void serve();

  int32_t device_id_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool is_busy_ = false, is_ending_ = false;
  std::optional<sdk::Failure> first_;
  std::thread thread_;
};

// The default queue of a device.
Queue& default_queue(int32_t device_id);
// The queue behind a handle; NULL is the default of `device_id`. Throws INVALID_ARGUMENT for a
// handle that is not alive or is another device's.
Queue& queue_of(mortise_stream* stream, int32_t device_id);
// Ends all threads and complains about handles that are still alive.
void stop_queues();

// Memory of one device. [any]
class Memory {
 public:
  // Poisoned, 64-byte aligned. Throws RESOURCE_EXHAUSTED with the bytes free.
  void* allocate(uint64_t size_bytes);
  // Poisons and gives back; complains about a pointer that is not alive.
  void free(void* pointer);
  // Whether [pointer, pointer + size) lies within one living allocation.
  bool holds(const void* pointer, uint64_t size_bytes);
  uint64_t free_bytes();
  size_t alive();

 private:
  std::mutex mutex_;
  std::map<uintptr_t, uint64_t> blocks_;  // by address: size
  uint64_t used_bytes_ = 0;
};
Memory& memory_of(int32_t device_id);

const mortise_device_discovery* device_discovery();
const mortise_device_memory* device_memory();
const mortise_device_stream* device_stream();
const mortise_device_ops* device_ops();

}  // namespace mortise::device_simulated
