// What the processor is and how busy it is, from files of the system. A file that cannot be read
// (in a sandbox) leaves its fact unknown.
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <sstream>

#include "device_cpu/dense_onednn.h"
#include "device_cpu/tables.h"

namespace mortise::device_cpu {
namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "processor";
}

std::string instruction_sets() {
  std::string names = "x86_64";
  if (has(Isa::kAvx2)) names += " avx2";
  if (has(Isa::kAvx512)) names += " avx512";
  if (__builtin_cpu_supports("avx512bf16")) names += " avx512_bf16";
  if (__builtin_cpu_supports("avx512vnni")) names += " avx512_vnni";
  return names;
}

uint32_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<uint32_t>(CPU_COUNT(&set));
}

using SinkDevice = mortise_status (*)(void* user, const mortise_device_facts* facts);

mortise_status list_devices(SinkDevice sink, void* user) {
  const std::string name = processor_name(), arch = instruction_sets();
  mortise_device_facts facts{};
  facts.struct_size = sizeof(facts);
  facts.flags = MORTISE_DEVICE_USABLE;
  if (is_fast(Type::kBfloat16)) facts.flags |= MORTISE_DEVICE_BF16;
  if (__builtin_cpu_supports("avx512vnni")) facts.flags |= MORTISE_DEVICE_INT8;
  facts.device = {kDLCPU, 0};
  facts.uuid = sdk::text("cpu-0");
  facts.name = sdk::text(name);
  facts.arch = sdk::text(arch);
  facts.memory_bytes = memory_facts().total_bytes;
  facts.numa_node = -1;
  facts.units_count = usable_cores();
  return sink(user, &facts);
}

// Busy and all ticks of all cores since boot; false when the system does not say.
bool read_ticks(uint64_t& busy, uint64_t& all) {
  std::ifstream file("/proc/stat");
  std::string word;
  if (!(file >> word) || word != "cpu") return false;
  busy = all = 0;
  uint64_t ticks;
  for (int field = 0; field < 8 && file >> ticks; ++field) {
    constexpr int kIdle = 3, kWaitsForDisk = 4;
    all += ticks;
    if (field != kIdle && field != kWaitsForDisk) busy += ticks;
  }
  return all > 0;
}

class Ticks {
 public:
  // Share of busy time since the last call; negative when unknown.
  double share() {
    const std::lock_guard lock(mutex_);
    uint64_t busy, all;
    if (!read_ticks(busy, all)) return -1;
    const bool is_first = all_ == 0;
    const auto busy_ticks = static_cast<double>(busy - busy_);
    const auto all_ticks = static_cast<double>(all - all_);
    busy_ = busy;
    all_ = all;
    return is_first || all_ticks <= 0 ? -1 : std::min(1.0, busy_ticks / all_ticks);
  }

 private:
  std::mutex mutex_;
  uint64_t busy_ = 0, all_ = 0;
};

void sample(int32_t device_id, mortise_device_sample* out) {
  check_device(device_id);
  static Ticks ticks;
  mortise_device_sample sample{};
  const double share = ticks.share();
  if (share >= 0) {
    sample.flags |= MORTISE_SAMPLE_UTILISATION;
    sample.utilisation = share;
  }
  const MemoryFacts memory = memory_facts();
  if (memory.total_bytes > 0) {
    sample.flags |= MORTISE_SAMPLE_MEMORY;
    sample.memory_used_bytes = memory.total_bytes - memory.available_bytes;
  }
  sdk::write_struct(out, sample);
}

}  // namespace

MemoryFacts memory_facts() {
  MemoryFacts facts{};
  std::ifstream file("/proc/meminfo");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    uint64_t kibibytes = 0;
    if (!(words >> name >> kibibytes)) continue;
    if (name == "MemTotal:") facts.total_bytes = kibibytes * 1024;
    if (name == "MemAvailable:") facts.available_bytes = kibibytes * 1024;
  }
  if (facts.total_bytes != 0) return facts;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return {page * static_cast<uint64_t>(sysconf(_SC_AVPHYS_PAGES)),
          page * static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES))};
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

const mortise_device_telemetry* device_telemetry() {
  static const mortise_device_telemetry table = [] {
    mortise_device_telemetry t{};
    t.struct_size = sizeof(t);
    t.sample = [](int32_t device_id, mortise_device_sample* out, mortise_error* error) {
      return sdk::guarded(error, [&] { sample(device_id, out); });
    };
    return t;
  }();
  return &table;
}

}  // namespace mortise::device_cpu
