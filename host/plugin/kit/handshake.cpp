// See handshake.h.
#include "plugin/kit/handshake.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "plugin/error_box.h"
#include "plugin/library.h"
#include "plugin/tables_device.h"
#include "plugin/trace.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using base::Error;
using base::Status;

int64_t clock_ns(clockid_t which) {
  timespec now{};
  ::clock_gettime(which, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t waits_so_far() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

// Never freed, as entry.h promises.
struct Room {
  std::string label, pack_root;
  std::vector<uint64_t> hello, reply;
};

template <class T>
T* make_struct(std::vector<uint64_t>& room, uint32_t tail_bytes) {
  room.assign((sizeof(T) + tail_bytes + 7) / 8 + 8, 0);
  auto* bytes = reinterpret_cast<unsigned char*>(room.data());
  std::memset(bytes + sizeof(T), 0xA5, room.size() * 8 - sizeof(T));
  return reinterpret_cast<T*>(room.data());
}

template <class T>
bool is_tail_clean(const std::vector<uint64_t>& room) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(room.data());
  return std::all_of(bytes + sizeof(T), bytes + room.size() * 8,
                     [](unsigned char byte) { return byte == 0xA5; });
}

HostServices* make_services() {
  HostOptions options;
  options.threads_count = 2;
  options.on_log = [](int32_t, std::string_view, std::string_view) {};
  return new HostServices(std::move(options));
}

}  // namespace

Status shake(const Case& at, Handshake& hands) {
  const pack::Decision& decision = at.decision();
  MORTISE_ASSIGN(const EntryFunction entry,
                 open_library(decision.library_path, decision.library.sha256));
  static HostServices* services = make_services();
  auto* room = new Room{at.label(), decision.manifest.root, {}, {}};
  auto* hello = make_struct<mortise_hello>(room->hello, hands.tail_bytes);
  hello->magic = MORTISE_MAGIC;
  hello->struct_size = static_cast<uint32_t>(sizeof *hello) + hands.tail_bytes;
  hello->generation = hands.generation;
  hello->host_minor = hands.host_minor;
  hello->flags = MORTISE_HELLO_ALLOW_DRAFT;
  hello->pack_root = text_of(room->pack_root);
  hello->host = services->open_host(room->label);
  hello->get_service = &HostServices::get_service;
  hands.reply = make_struct<mortise_hello_reply>(room->reply, hands.tail_bytes);
  hands.reply->magic = MORTISE_MAGIC;
  hands.reply->struct_size = static_cast<uint32_t>(sizeof *hands.reply) + hands.tail_bytes;

  const int threads = threads_count();
  const int64_t waits = waits_so_far();
  const int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  const TraceScope trace(trace_id(room->label, "mortise_entry_1"));
  try {
    hands.status = entry(hello, hands.reply);
  } catch (...) {
    return Error(Code::kInternal, "An exception came out of mortise_entry_1.");
  }
  hands.wall_ns = clock_ns(CLOCK_MONOTONIC) - wall;
  hands.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
  hands.waits_count = waits_so_far() - waits;
  hands.threads_started = threads_count() - threads;
  hands.is_tail_touched = !is_tail_clean<mortise_hello>(room->hello) ||
                          !is_tail_clean<mortise_hello_reply>(room->reply);
  return {};
}

std::vector<std::string> known_interfaces() {
  std::vector<std::string> out;
  const auto add = [&](const auto& ids) {
    for (const std::string_view id : ids) out.emplace_back(id);
  };
  add(TableFacts<mortise_metric>::kIds);
  add(TableFacts<mortise_tokenizer>::kIds);
  add(TableFacts<mortise_tokenizer_trainer>::kIds);
  add(TableFacts<mortise_dataset_format>::kIds);
  add(TableFacts<mortise_dataset_format_writer>::kIds);
  add(TableFacts<mortise_loss>::kIds);
  add(TableFacts<mortise_preference_loss>::kIds);
  add(TableFacts<mortise_device_ops>::kIds);
  add(TableFacts<mortise_device_discovery>::kIds);
  add(TableFacts<mortise_device_memory>::kIds);
  add(TableFacts<mortise_device_stream>::kIds);
  add(TableFacts<mortise_device_torch_bridge>::kIds);
  add(TableFacts<mortise_device_telemetry>::kIds);
  add(TableFacts<mortise_device_partition>::kIds);
  add(TableFacts<mortise_device_collective>::kIds);
  return out;
}

}  // namespace mortise::plugin::kit
