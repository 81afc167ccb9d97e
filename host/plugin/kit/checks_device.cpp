// Devices: what there is, memory, streams, how they are doing, parts of them.
#include <mortise/draft/device_discovery.h>
#include <mortise/draft/device_partition.h>
#include <mortise/draft/device_telemetry.h>
#include <mortise/draft/device_torch_bridge.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "plugin/error_box.h"
#include "plugin/kit/check.h"
#include "plugin/kit/device_bench.h"

namespace mortise::plugin::kit {
namespace {

using base::Result;

struct Found {
  std::vector<DLDevice> devices;
  std::vector<std::string> uuids, problems;
};

mortise_status take_device(void* user, const mortise_device_facts* facts) {
  auto& found = *static_cast<Found*>(user);
  const bool is_usable = (facts->flags & MORTISE_DEVICE_USABLE) != 0;
  const std::string name(view_of(facts->name));
  const auto complain = [&](const std::string& text) {
    found.problems.push_back("The device \"" + name + "\" " + text);
  };
  if (name.empty()) complain("has no name.");
  if (facts->uuid.size_bytes == 0) complain("has no uuid.");
  if (is_usable && facts->unusable.size_bytes != 0) complain("is usable and says why it is not.");
  if (!is_usable && facts->unusable.size_bytes == 0)
    complain("is not usable and does not say why.");
  if (is_usable && facts->memory_bytes == 0) complain("is usable and has no memory.");
  if (facts->device.device_id < 0) complain("has a negative index.");
  found.devices.push_back(facts->device);
  found.uuids.emplace_back(view_of(facts->uuid));
  return MORTISE_STATUS_OK;
}

Outcome discovery_is_honest(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const auto* table,
                 plugin->get_interface<mortise_device_discovery>(MORTISE_DEVICE_DISCOVERY));
  Found first, again;
  ErrorBox error;
  MORTISE_TRY(error.check(table->list(&take_device, &first, error.get())));
  MORTISE_TRY(error.check(table->list(&take_device, &again, error.get())));
  if (!first.problems.empty()) return fail(first.problems[0]);
  if (first.uuids != again.uuids) return fail("A second list gives other devices.");
  if (std::set<std::string>(first.uuids.begin(), first.uuids.end()).size() != first.uuids.size()) {
    return fail("Two devices have the same uuid.");
  }
  for (const DLDevice& device : first.devices) {
    if (device.device_type != first.devices[0].device_type) {
      return fail("One pack lists devices of several types.");
    }
  }
  return {};
}

Outcome refusing_device_sink_is_obeyed(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const auto* table,
                 plugin->get_interface<mortise_device_discovery>(MORTISE_DEVICE_DISCOVERY));
  int calls = 0;
  ErrorBox error;
  const mortise_status status = table->list(
      [](void* user, const mortise_device_facts*) -> mortise_status {
        ++*static_cast<int*>(user);
        return MORTISE_STATUS_CANCELLED;
      },
      &calls, error.get());
  if (calls == 0) return skip("There is no device.");
  if (calls == 1 && status == MORTISE_STATUS_CANCELLED) return {};
  return fail("The sink of list said CANCELLED (1); list went on or answered " +
              std::to_string(status) + ".");
}

// Memory of the device that is given back at the end.
class Block {
 public:
  static Result<std::unique_ptr<Block>> make(const DeviceBench& device, uint64_t size_bytes) {
    auto block = std::unique_ptr<Block>(new Block(device));
    ErrorBox error;
    MORTISE_TRY(error.check(device.memory->allocate(device.where.device_id, size_bytes, nullptr,
                                                    &block->pointer_, error.get())));
    return block;
  }
  ~Block() { device_.memory->free(device_.where.device_id, pointer_, nullptr); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  void* pointer() const { return pointer_; }

 private:
  explicit Block(const DeviceBench& device) : device_(device) {}
  const DeviceBench& device_;
  void* pointer_ = nullptr;
};

base::Status copy(const DeviceBench& device, void* to, const void* from, uint64_t size_bytes,
                  int32_t kind, mortise_stream* queue = nullptr) {
  ErrorBox error;
  return error.check(
      device.memory->copy(device.where.device_id, to, from, size_bytes, kind, queue, error.get()));
}

Outcome memory_keeps_bytes(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const DeviceBench device, device_bench(at, plugin));
  Dice dice = at.dice(21);
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<std::vector<char>> written;
  for (const uint64_t size : {1u, 63u, 64u, 4097u, 1u << 20}) {
    MORTISE_ASSIGN(auto block, Block::make(device, size));
    if (reinterpret_cast<uintptr_t>(block->pointer()) % 64 != 0) {
      return fail("Memory of " + std::to_string(size) + " bytes is not aligned to 64.");
    }
    std::vector<char> bytes(size);
    for (char& byte : bytes) byte = static_cast<char>(dice.next());
    MORTISE_TRY(copy(device, block->pointer(), bytes.data(), size, MORTISE_COPY_HOST_TO_DEVICE));
    MORTISE_TRY(device.synchronize(nullptr));
    blocks.push_back(std::move(block));
    written.push_back(std::move(bytes));
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    std::vector<char> bytes(written[i].size());
    MORTISE_TRY(copy(device, bytes.data(), blocks[i]->pointer(), bytes.size(),
                     MORTISE_COPY_DEVICE_TO_HOST));
    MORTISE_TRY(device.synchronize(nullptr));
    if (bytes != written[i]) {
      return fail("Of " + std::to_string(bytes.size()) + " bytes written others are read.");
    }
  }
  return {};
}

Outcome end_of_memory_is_told(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const DeviceBench device, device_bench(at, plugin));
  ErrorBox error;
  void* pointer = nullptr;
  const mortise_status status = device.memory->allocate(device.where.device_id, UINT64_C(1) << 60,
                                                        nullptr, &pointer, error.get());
  if (status != MORTISE_STATUS_RESOURCE_EXHAUSTED) {
    return fail("An allocation of an exbibyte is answered with " + std::to_string(status) +
                " instead of RESOURCE_EXHAUSTED (8).");
  }
  uint64_t free_bytes = 0, total_bytes = 0;
  const base::Status told = error.check(
      device.memory->info(device.where.device_id, &free_bytes, &total_bytes, error.get()));
  if (!told.ok() && told.error().code == base::Code::kUnimplemented) return {};
  if (!told.ok()) return told.error();
  if (total_bytes > 0 && free_bytes <= total_bytes) return {};
  return fail("info says that " + std::to_string(free_bytes) + " of " +
              std::to_string(total_bytes) + " bytes are free.");
}

// Three fills and a copy in one queue: the copy sees the last one.
Outcome streams_keep_order(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const DeviceBench device, device_bench(at, plugin));
  if (device.memory == nullptr) return skip("Without device memory there is nothing to queue.");
  ErrorBox error;
  mortise_stream* queue = nullptr;
  MORTISE_TRY(error.check(device.stream->create(device.where.device_id, &queue, error.get())));
  constexpr uint64_t kBytes = 1u << 20;
  MORTISE_ASSIGN(const auto block, Block::make(device, kBytes));
  MORTISE_TRY(device.synchronize(nullptr));
  for (const uint8_t value : {uint8_t{1}, uint8_t{2}, uint8_t{3}}) {
    MORTISE_TRY(error.check(device.memory->fill(device.where.device_id, block->pointer(), value,
                                                kBytes, queue, error.get())));
  }
  std::vector<char> bytes(kBytes);
  MORTISE_TRY(
      copy(device, bytes.data(), block->pointer(), kBytes, MORTISE_COPY_DEVICE_TO_HOST, queue));
  MORTISE_TRY(device.synchronize(queue));
  device.stream->destroy(queue);
  const bool is_last = std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 3; });
  if (is_last) return {};
  return fail("After fills with 1, 2 and 3 in one queue the memory does not hold 3.");
}

Outcome events_happen(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const DeviceBench device, device_bench(at, plugin));
  const mortise_device_stream& table = *device.stream;
  const int32_t id = device.where.device_id;
  ErrorBox error;
  mortise_stream *first = nullptr, *second = nullptr;
  mortise_event *begin = nullptr, *end = nullptr;
  MORTISE_TRY(error.check(table.create(id, &first, error.get())));
  MORTISE_TRY(error.check(table.create(id, &second, error.get())));
  const base::Status made = error.check(table.event_create(id, &begin, error.get()));
  if (!made.ok() && made.error().code == base::Code::kUnimplemented) {
    return skip("The device has no events.");
  }
  MORTISE_TRY(error.check(table.event_create(id, &end, error.get())));
  MORTISE_TRY(error.check(table.event_record(begin, first, error.get())));
  MORTISE_TRY(error.check(table.event_wait(begin, second, error.get())));
  MORTISE_TRY(error.check(table.event_record(end, second, error.get())));
  MORTISE_TRY(device.synchronize(second));
  MORTISE_TRY(error.check(table.event_query(end, error.get())));
  int64_t elapsed_ns = -1;
  MORTISE_TRY(error.check(table.event_elapsed_ns(begin, end, &elapsed_ns, error.get())));
  table.event_destroy(begin);
  table.event_destroy(end);
  table.destroy(first);
  table.destroy(second);
  if (elapsed_ns >= 0 && elapsed_ns < 60'000'000'000) return {};
  return fail("Between two events lie " + std::to_string(elapsed_ns) + " ns.");
}

Outcome telemetry_is_sane(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const DeviceBench device, device_bench(at, plugin));
  MORTISE_ASSIGN(const auto* table,
                 plugin->get_interface<mortise_device_telemetry>(MORTISE_DEVICE_TELEMETRY));
  mortise_device_sample sample{};
  sample.struct_size = sizeof sample;
  ErrorBox error;
  MORTISE_TRY(error.check(table->sample(device.where.device_id, &sample, error.get())));
  const auto has = [&](uint32_t flag) { return (sample.flags & flag) != 0; };
  if (has(MORTISE_SAMPLE_UTILISATION) && !(sample.utilisation >= 0 && sample.utilisation <= 1)) {
    return fail("The utilisation is " + std::to_string(sample.utilisation) + "; 0 .. 1 is meant.");
  }
  if (has(MORTISE_SAMPLE_POWER) && !(sample.power_watts >= 0 && sample.power_watts < 1e5)) {
    return fail("The power is " + std::to_string(sample.power_watts) + " W.");
  }
  const double celsius = sample.temperature_celsius;
  if (has(MORTISE_SAMPLE_TEMPERATURE) && !(celsius > -60 && celsius < 200)) {
    return fail("The temperature is " + std::to_string(celsius) + " degrees.");
  }
  const auto unknown = table->sample(12345, &sample, error.get());
  if (unknown != MORTISE_STATUS_OK) return {};
  return fail("sample answers OK for device 12345.");
}

struct Slices {
  std::set<std::string> ids;
  std::string problem;
};

Outcome slices_are_sane(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const DeviceBench device, device_bench(at, plugin));
  MORTISE_ASSIGN(const auto* table,
                 plugin->get_interface<mortise_device_partition>(MORTISE_DEVICE_PARTITION));
  Slices slices;
  ErrorBox error;
  MORTISE_TRY(error.check(table->list(
      device.where.device_id,
      [](void* user, const mortise_slice_facts* facts) -> mortise_status {
        auto& seen = *static_cast<Slices*>(user);
        const std::string id(view_of(facts->id));
        if (!(facts->share > 0 && facts->share <= 1)) {
          seen.problem = "The slice " + id + " is " + std::to_string(facts->share) +
                         " of the device; 0 .. 1 is meant.";
        }
        if (!seen.ids.insert(id).second) seen.problem = "Two slices are called " + id + ".";
        if (facts->isolation < 0 || facts->isolation > 2) {
          seen.problem = "The slice " + id + " has an unknown isolation.";
        }
        return MORTISE_STATUS_OK;
      },
      &slices, error.get())));
  if (!slices.problem.empty()) return fail(slices.problem);
  mortise_lease* lease = nullptr;
  const mortise_status status = table->lease(device.where.device_id, text_of("no such slice"),
                                             1u << 20, 0.5, &lease, error.get());
  if (status != MORTISE_STATUS_OK) return {};
  table->release(lease);
  return fail("A slice that does not exist was leased.");
}

Outcome torch_bridge_is_told(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const auto* table,
                 plugin->get_interface<mortise_device_torch_bridge>(MORTISE_DEVICE_TORCH_BRIDGE));
  mortise_torch_bridge_facts facts{};
  facts.struct_size = sizeof facts;
  ErrorBox error;
  MORTISE_TRY(error.check(table->describe(&facts, error.get())));
  if (facts.torch_device.size_bytes == 0) return fail("describe names no libtorch device.");
  const std::string library(view_of(facts.adapter_library));
  if (library.empty()) return {};
  const auto& files = at.decision().manifest.files;
  const bool is_listed = std::any_of(files.begin(), files.end(), [&](const pack::FileEntry& file) {
    return file.path == library;
  });
  if (is_listed) return {};
  return fail("The adapter library " + library + " is no file of the pack.");
}

constexpr const char* kDeviceKind = "device";
constexpr Check kDeviceChecks[] = {
    {"device.discovery_is_honest", "Devices have names and uuids; an unusable one says why.",
     kDeviceKind, MORTISE_DEVICE_DISCOVERY, Needs::kPlugin, discovery_is_honest},
    {"device.refusing_sink_is_obeyed", "list stops when its sink does not say OK.", kDeviceKind,
     MORTISE_DEVICE_DISCOVERY, Needs::kPlugin, refusing_device_sink_is_obeyed},
    {"device.memory_keeps_bytes", "Memory is aligned to 64 bytes and keeps what was written.",
     kDeviceKind, MORTISE_DEVICE_MEMORY, Needs::kPlugin, memory_keeps_bytes},
    {"device.end_of_memory_is_told", "An allocation that cannot be is RESOURCE_EXHAUSTED.",
     kDeviceKind, MORTISE_DEVICE_MEMORY, Needs::kPlugin, end_of_memory_is_told},
    {"device.streams_keep_order", "Work of one stream runs in order.", kDeviceKind,
     MORTISE_DEVICE_STREAM, Needs::kPlugin, streams_keep_order},
    {"device.events_happen", "Events are recorded, waited for and timed.", kDeviceKind,
     MORTISE_DEVICE_STREAM, Needs::kPlugin, events_happen},
    {"device.telemetry_is_sane", "Samples are in the units that the header says.", kDeviceKind,
     MORTISE_DEVICE_TELEMETRY, Needs::kPlugin, telemetry_is_sane},
    {"device.slices_are_sane", "Slices have ids of their own and a share of 0 .. 1.", kDeviceKind,
     MORTISE_DEVICE_PARTITION, Needs::kPlugin, slices_are_sane},
    {"device.torch_bridge_is_told", "The bridge names libtorch's device and a file of the pack.",
     kDeviceKind, MORTISE_DEVICE_TORCH_BRIDGE, Needs::kPlugin, torch_bridge_is_told},
};

}  // namespace

std::span<const Check> device_checks() {
  return kDeviceChecks;
}

}  // namespace mortise::plugin::kit
