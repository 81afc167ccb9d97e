// The one stream of the processor, on which everything has already happened, its events, and the
// bridge to libtorch's own "cpu".
#include <atomic>
#include <chrono>

#include "device_cpu/tables.h"

struct mortise_stream {
  int32_t device_id;
};
struct mortise_event {
  std::atomic<int64_t> happened_ns{-1};  // -1: not recorded yet
};

namespace mortise::device_cpu {
namespace {

mortise_stream the_stream{0};

int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

// Throws INVALID_ARGUMENT for a handle that this table did not give.
void check_stream(const mortise_stream* stream) {
  if (stream == nullptr || stream == &the_stream) return;
  throw sdk::invalid_argument("The stream is not one of the processor's.");
}

void fill_event_slots(mortise_device_stream& t) {
  t.event_create = [](int32_t device_id, mortise_event** out, mortise_error* error) {
    return sdk::guarded(error, [&] {
      check_device(device_id);
      *out = new mortise_event;
    });
  };
  t.event_destroy = [](mortise_event* event) { delete event; };
  t.event_record = [](mortise_event* event, mortise_stream* stream, mortise_error* error) {
    return sdk::guarded(error, [&] {
      check_stream(stream);
      event->happened_ns = now_ns();
    });
  };
  t.event_wait = [](mortise_event*, mortise_stream* stream, mortise_error* error) {
    return sdk::guarded(error, [&] { check_stream(stream); });
  };
  t.event_query = [](mortise_event* event, mortise_error* error) {
    return sdk::guarded(error, [&] {
      if (event->happened_ns >= 0) return;
      throw sdk::Failure(MORTISE_STATUS_UNAVAILABLE, "The event was not recorded yet.");
    });
  };
  t.event_elapsed_ns = [](mortise_event* begin, mortise_event* end, int64_t* out,
                          mortise_error* error) {
    return sdk::guarded(error, [&] {
      if (begin->happened_ns < 0 || end->happened_ns < 0) {
        throw sdk::Failure(MORTISE_STATUS_FAILED_PRECONDITION,
                           "Both events must have been recorded.");
      }
      *out = end->happened_ns - begin->happened_ns;
    });
  };
}

}  // namespace

const mortise_device_stream* device_stream() {
  static const mortise_device_stream table = [] {
    mortise_device_stream t{};
    t.struct_size = sizeof(t);
    t.create = [](int32_t device_id, mortise_stream** out, mortise_error* error) {
      return sdk::guarded(error, [&] {
        check_device(device_id);
        *out = &the_stream;
      });
    };
    t.wrap = [](int32_t device_id, void* native, mortise_stream** out, mortise_error* error) {
      return sdk::guarded(error, [&] {
        check_device(device_id);
        if (native != nullptr) throw sdk::invalid_argument("The processor has no native streams.");
        *out = &the_stream;
      });
    };
    t.destroy = [](mortise_stream*) {};
    t.synchronize = [](mortise_stream* stream, mortise_error* error) {
      return sdk::guarded(error, [&] { check_stream(stream); });
    };
    fill_event_slots(t);
    return t;
  }();
  return &table;
}

const mortise_device_torch_bridge* device_torch_bridge() {
  static const mortise_device_torch_bridge table = [] {
    mortise_device_torch_bridge t{};
    t.struct_size = sizeof(t);
    t.describe = [](mortise_torch_bridge_facts* out, mortise_error* error) {
      return sdk::guarded(error, [&] {
        mortise_torch_bridge_facts facts{};
        facts.torch_device = sdk::text("cpu");
        sdk::write_struct(out, facts);
      });
    };
    t.current_stream = [](int32_t device_id, mortise_stream** out, mortise_error* error) {
      return sdk::guarded(error, [&] {
        check_device(device_id);
        *out = nullptr;
      });
    };
    return t;
  }();
  return &table;
}

}  // namespace mortise::device_cpu
