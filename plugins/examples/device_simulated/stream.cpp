// Streams and events of the simulated devices. A handle is an address that the registry knows; one
// that it does not know is refused, never followed.
#include <atomic>
#include <chrono>

#include "machine.h"

struct mortise_stream {
  explicit mortise_stream(int32_t device_id) : queue(device_id) {}
  mortise::device_simulated::Queue queue;
};

namespace mortise::device_simulated {
namespace {

// What an event's handle stands for; shared with the work that touches it.
struct Event {
  std::mutex mutex;
  std::condition_variable changed;
  uint64_t recorded = 0, happened = 0;  // counts of event_record, and of those the queue passed
  int64_t happened_ns = 0;
};

int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

struct Handles {
  std::mutex mutex;
  std::map<mortise_stream*, std::unique_ptr<mortise_stream>> streams;
  std::map<mortise_event*, std::shared_ptr<Event>> events;
  std::unique_ptr<Queue> defaults[kDevices];
};
// Why never destroyed: stop_queues ends it in order; static destruction would not.
Handles& handles() {
  static auto* all = new Handles;
  return *all;
}

std::shared_ptr<Event> event_of(mortise_event* event) {
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  const auto found = all.events.find(event);
  if (found == all.events.end()) {
    throw sdk::invalid_argument("The event is not alive: it was destroyed, or never made here.");
  }
  return found->second;
}

// A stream handle, or the default of device 0.
Queue& any_queue(mortise_stream* stream) {
  if (stream == nullptr) return default_queue(0);
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  if (all.streams.count(stream) == 0) {
    throw sdk::invalid_argument("The stream is not alive: it was destroyed, or never made here.");
  }
  return stream->queue;
}

mortise_stream* create(int32_t device_id) {
  check_device(device_id);
  auto made = std::make_unique<mortise_stream>(device_id);
  mortise_stream* handle = made.get();
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  all.streams[handle] = std::move(made);
  return handle;
}

void destroy(mortise_stream* stream) {
  if (stream == nullptr) return;
  std::unique_ptr<mortise_stream> last;
  {
    Handles& all = handles();
    const std::lock_guard lock(all.mutex);
    const auto found = all.streams.find(stream);
    if (found == all.streams.end()) {
      return complain("A stream was destroyed that is not alive.");
    }
    last = std::move(found->second);
    all.streams.erase(found);
  }
}  // last waits for its work here, without the lock

mortise_event* event_create(int32_t device_id) {
  check_device(device_id);
  auto made = std::make_shared<Event>();
  auto* handle = reinterpret_cast<mortise_event*>(made.get());
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  all.events[handle] = std::move(made);
  return handle;
}

void event_destroy(mortise_event* event) {
  if (event == nullptr) return;
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  if (all.events.erase(event) == 0) complain("An event was destroyed that is not alive.");
}

void event_record(mortise_event* handle, mortise_stream* stream) {
  const std::shared_ptr<Event> event = event_of(handle);
  Queue& queue = any_queue(stream);
  uint64_t turn;
  {
    const std::lock_guard lock(event->mutex);
    turn = ++event->recorded;
  }
  queue.push([event, turn] {
    const std::lock_guard lock(event->mutex);
    event->happened = std::max(event->happened, turn);
    event->happened_ns = now_ns();
    event->changed.notify_all();
  });
}

void event_wait(mortise_event* handle, mortise_stream* stream) {
  const std::shared_ptr<Event> event = event_of(handle);
  uint64_t turn;
  {
    const std::lock_guard lock(event->mutex);
    turn = event->recorded;
  }
  any_queue(stream).push([event, turn] {
    std::unique_lock lock(event->mutex);
    event->changed.wait(lock, [&] { return event->happened >= turn; });
  });
}

// Nanoseconds when it happened. Throws UNAVAILABLE when it has not.
int64_t happened_ns(mortise_event* handle) {
  const std::shared_ptr<Event> event = event_of(handle);
  const std::lock_guard lock(event->mutex);
  if (event->recorded > 0 && event->happened == event->recorded) return event->happened_ns;
  throw sdk::Failure(MORTISE_STATUS_UNAVAILABLE, "The event has not happened yet.");
}

void fill_event_slots(mortise_device_stream& t) {
  t.event_create = [](int32_t device_id, mortise_event** out, mortise_error* error) {
    return sdk::guarded(error, [&] { *out = event_create(device_id); });
  };
  t.event_destroy = [](mortise_event* event) {
    sdk::guarded(nullptr, [&] { event_destroy(event); });
  };
  t.event_record = [](mortise_event* event, mortise_stream* stream, mortise_error* error) {
    return sdk::guarded(error, [&] { event_record(event, stream); });
  };
  t.event_wait = [](mortise_event* event, mortise_stream* stream, mortise_error* error) {
    return sdk::guarded(error, [&] { event_wait(event, stream); });
  };
  t.event_query = [](mortise_event* event, mortise_error* error) {
    return sdk::guarded(error, [&] { happened_ns(event); });
  };
  t.event_elapsed_ns = [](mortise_event* begin, mortise_event* end, int64_t* out,
                          mortise_error* error) {
    return sdk::guarded(error, [&] { *out = happened_ns(end) - happened_ns(begin); });
  };
}

}  // namespace

Queue& default_queue(int32_t device_id) {
  check_device(device_id);
  Handles& all = handles();
  const std::lock_guard lock(all.mutex);
  auto& queue = all.defaults[device_id];
  if (!queue) queue = std::make_unique<Queue>(device_id);
  return *queue;
}

Queue& queue_of(mortise_stream* stream, int32_t device_id) {
  check_device(device_id);
  if (stream == nullptr) return default_queue(device_id);
  Queue& queue = any_queue(stream);
  if (queue.device_id() == device_id) return queue;
  throw sdk::invalid_argument("The stream is of device " + std::to_string(queue.device_id()) +
                              ", the call of device " + std::to_string(device_id) + ".");
}

void stop_queues() {
  Handles& all = handles();
  std::map<mortise_stream*, std::unique_ptr<mortise_stream>> streams;
  {
    const std::lock_guard lock(all.mutex);
    if (!all.streams.empty() || !all.events.empty()) {
      complain(std::to_string(all.streams.size()) + " streams and " +
               std::to_string(all.events.size()) + " events were never destroyed.");
    }
    streams.swap(all.streams);
  }
  streams.clear();
  for (auto& queue : all.defaults) queue.reset();
  for (int32_t id = 0; id < kDevices; ++id) {
    const size_t alive = memory_of(id).alive();
    if (alive == 0) continue;
    complain(std::to_string(alive) + " allocations of device " + std::to_string(id) +
             " were never freed.");
  }
}

const mortise_device_stream* device_stream() {
  static const mortise_device_stream table = [] {
    mortise_device_stream t{};
    t.struct_size = sizeof(t);
    t.create = [](int32_t device_id, mortise_stream** out, mortise_error* error) {
      return sdk::guarded(error, [&] { *out = create(device_id); });
    };
    t.wrap = [](int32_t, void*, mortise_stream**, mortise_error* error) {
      return sdk::guarded(
          error, [&] { throw sdk::unimplemented("Simulated devices have no native streams."); });
    };
    t.destroy = [](mortise_stream* stream) { sdk::guarded(nullptr, [&] { destroy(stream); }); };
    t.synchronize = [](mortise_stream* stream, mortise_error* error) {
      return sdk::guarded(error, [&] { any_queue(stream).synchronize(); });
    };
    fill_event_slots(t);
    return t;
  }();
  return &table;
}

}  // namespace mortise::device_simulated
