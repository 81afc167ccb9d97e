// mortise/cpp/services.hpp: what the host offers: log, memory, progress, random numbers, threads.
//
// plugin.hpp stores the host's hello here; a plugin calls the functions below from anywhere. A
// service that is absent behaves as its function says. Files are in files.hpp.
#ifndef MORTISE_CPP_SERVICES_HPP
#define MORTISE_CPP_SERVICES_HPP

#include <mortise/entry.h>
#include <mortise/service/config.h>
#include <mortise/service/files.h>
#include <mortise/service/log.h>
#include <mortise/service/memory.h>
#include <mortise/service/pool.h>
#include <mortise/service/progress.h>
#include <mortise/service/rng.h>
#include <mortise/cpp/view.hpp>

#include <limits>
#include <mutex>
#include <type_traits>

namespace mortise::sdk {

// The host as this plugin sees it; a table that the host does not have is NULL.
struct Host {
  mortise_host* host = nullptr;
  std::string_view pack_root;  // absolute path of the pack's folder
  uint32_t minor = 0;
  uint32_t flags = 0;
  const mortise_log_service* log = nullptr;
  const mortise_memory_service* memory = nullptr;
  const mortise_progress_service* progress = nullptr;
  const mortise_files_service* files = nullptr;
  const mortise_config_service* config = nullptr;
  const mortise_rng_service* rng = nullptr;
  const mortise_pool_service* pool = nullptr;
};

// Why hidden: an inline variable of default visibility would be one object for all packs.
__attribute__((visibility("hidden"))) inline Host host_state;

inline const Host& host() {
  return host_state;
}

// Called by MORTISE_PLUGIN; again at every hello. [init]
inline void set_host(const mortise_hello& hello) {
  const auto find = [&hello](std::string_view id) {
    return hello.get_service == nullptr ? nullptr : hello.get_service(hello.host, text(id));
  };
  Host next;
  next.host = hello.host;
  next.pack_root = view(hello.pack_root);
  next.minor = hello.host_minor;
  next.flags = hello.flags;
  next.log = static_cast<const mortise_log_service*>(find(MORTISE_SERVICE_LOG));
  next.memory = static_cast<const mortise_memory_service*>(find(MORTISE_SERVICE_MEMORY));
  next.progress = static_cast<const mortise_progress_service*>(find(MORTISE_SERVICE_PROGRESS));
  next.files = static_cast<const mortise_files_service*>(find(MORTISE_SERVICE_FILES));
  next.config = static_cast<const mortise_config_service*>(find(MORTISE_SERVICE_CONFIG));
  next.rng = static_cast<const mortise_rng_service*>(find(MORTISE_SERVICE_RNG));
  next.pool = static_cast<const mortise_pool_service*>(find(MORTISE_SERVICE_POOL));
  host_state = next;
}

// One sentence to the host's log; nothing without the service. level: MORTISE_LOG_*. [any]
inline void log(int32_t level, std::string_view message) {
  const Host& h = host();
  if (MORTISE_HAS(h.log, mortise_log_service, write)) {
    h.log->write(h.host, level, text(message), nullptr, 0);
  }
}

// Tells how far long work is; total 0 means unknown. [any]
inline void report_progress(uint64_t done, uint64_t total, std::string_view unit) {
  const Host& h = host();
  if (MORTISE_HAS(h.progress, mortise_progress_service, report)) {
    h.progress->report(h.host, done, total, text(unit));
  }
}

// Whether the present work shall stop; ask at least every 100 ms. [any]
inline bool is_cancelled() {
  const Host& h = host();
  return MORTISE_HAS(h.progress, mortise_progress_service, is_cancelled) &&
         h.progress->is_cancelled(h.host) != 0;
}

// Throws CANCELLED when the host asked to stop. [any]
inline void check_cancelled() {
  if (is_cancelled()) throw Failure(MORTISE_STATUS_CANCELLED, "The host asked to stop.");
}

// Nanoseconds until the deadline; INT64_MAX without one. [any]
inline int64_t remaining_ns() {
  const Host& h = host();
  if (!MORTISE_HAS(h.progress, mortise_progress_service, remaining_ns)) {
    return std::numeric_limits<int64_t>::max();
  }
  return h.progress->remaining_ns(h.host);
}

// Memory counted against the plugin's budget, given back by the destructor.
class Buffer {
 public:
  Buffer() = default;
  // alignment_bytes: a power of two, 1 .. 4096. Throws RESOURCE_EXHAUSTED at the end of the budget,
  // FAILED_PRECONDITION without the service. [any]
  Buffer(uint64_t size_bytes, std::string_view tag, uint64_t alignment_bytes = 64)
      : size_bytes_(size_bytes) {
    const Host& h = host();
    if (!MORTISE_HAS(h.memory, mortise_memory_service, allocate)) {
      throw Failure(MORTISE_STATUS_FAILED_PRECONDITION, "The host has no mortise.memory/1.");
    }
    data_ = h.memory->allocate(h.host, size_bytes, alignment_bytes, text(tag));
    if (data_ == nullptr) {
      throw resource_exhausted("No memory for \"" + std::string(tag) +
                               "\": " + std::to_string(size_bytes) + " bytes were asked for.");
    }
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) host().memory->free(host().host, data_);
  }

  void* data() const { return data_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
  }

  void* data_ = nullptr;
  uint64_t size_bytes_ = 0;
};

// The value at `index` of a random stream of the job, the same in every run. Throws
// FAILED_PRECONDITION without the service. [any]
inline uint64_t random_u64(std::string_view stream, uint64_t index) {
  const Host& h = host();
  if (!MORTISE_HAS(h.rng, mortise_rng_service, uniform_u64)) {
    throw Failure(MORTISE_STATUS_FAILED_PRECONDITION, "The host has no mortise.rng/1.");
  }
  uint64_t value = 0;
  h.rng->uniform_u64(h.host, text(stream), index, &value, 1);
  return value;
}

// Calls body(begin, end) on the worker's threads so that [0, count) is covered once; here and in
// one piece without the service. The first exception of a body is thrown again when all have ended.
// [any]
template <class Body>
void parallel_for(uint64_t count, uint64_t grain, Body&& body) {
  const Host& h = host();
  if (count == 0) return;
  if (!MORTISE_HAS(h.pool, mortise_pool_service, parallel_for)) return body(uint64_t{0}, count);
  struct Shared {
    std::remove_reference_t<Body>* body;
    std::mutex mutex;
    std::exception_ptr first;
  } shared{&body, {}, nullptr};
  const auto piece = [](void* user, uint64_t begin, uint64_t end) {
    auto* self = static_cast<Shared*>(user);
    try {
      (*self->body)(begin, end);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(self->mutex);
      if (!self->first) self->first = std::current_exception();
    }
  };
  h.pool->parallel_for(h.host, count, grain, piece, &shared);
  if (shared.first) std::rethrow_exception(shared.first);
}

}  // namespace mortise::sdk

#endif
