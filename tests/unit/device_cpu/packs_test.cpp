// The two device packs through their one export: both pass every case of every operation, and
// device_simulated catches what a host does wrong.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mortise/draft/device_discovery.h>
#include <cmath>

#include "device_cpu/kernel/pairs.h"
#include "tests/unit/device_cpu/support.h"

namespace mortise::device_test {
namespace {

using sdk::kFloat32;
using testing::ElementsAre;
using testing::HasSubstr;

// Sentences that packs wrote to the log.
std::vector<std::string> log_lines;

const void* give_log(mortise_host*, mortise_text id) {
  static const mortise_log_service log = [] {
    mortise_log_service service{};
    service.struct_size = sizeof(service);
    service.write = [](mortise_host*, int32_t, mortise_text message, const mortise_log_field*,
                       uint32_t) { log_lines.emplace_back(sdk::view(message)); };
    return service;
  }();
  return sdk::view(id) == MORTISE_SERVICE_LOG ? &log : nullptr;
}

// A pack as a worker has it. Never unloaded.
struct Pack {
  explicit Pack(const char* path) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    const auto entry =
        reinterpret_cast<decltype(&mortise_entry_1)>(dlsym(library, "mortise_entry_1"));
    mortise_hello hello{};
    hello.magic = reply.magic = MORTISE_MAGIC;
    hello.struct_size = sizeof(hello);
    reply.struct_size = sizeof(reply);
    hello.generation = MORTISE_ABI_GENERATION;
    hello.get_service = give_log;
    if (entry(&hello, &reply) != MORTISE_STATUS_OK) throw std::runtime_error("refused");
  }
  template <class Table>
  const Table* table(const char* id) const {
    return static_cast<const Table*>(reply.get_interface(sdk::text(id)));
  }
  mortise_hello_reply reply{};
};

Device simulated(int32_t id = 0) {
  static const Pack pack(DEVICE_SIMULATED);
  Device device;
  device.ops = pack.table<mortise_device_ops>(MORTISE_DEVICE_OPS);
  device.memory = pack.table<mortise_device_memory>(MORTISE_DEVICE_MEMORY);
  device.stream = pack.table<mortise_device_stream>(MORTISE_DEVICE_STREAM);
  device.where = {kDLExtDev, id};
  return device;
}

class DevicePacks : public testing::TestWithParam<std::string> {};

TEST_P(DevicePacks, AgreeWithTheReferenceOnTheProcessor) {
  static const Pack pack(DEVICE_CPU);
  Device device;
  device.ops = pack.table<mortise_device_ops>(MORTISE_DEVICE_OPS);
  device.rounds_factors = device_cpu::pair_kernels() != nullptr;
  for (const Case& c : cases_of(GetParam())) expect_close(device, c);
}

TEST_P(DevicePacks, AgreeWithTheReferenceOnASimulatedDevice) {
  for (const Case& c : cases_of(GetParam())) expect_close(simulated(), c);
}

INSTANTIATE_TEST_SUITE_P(EveryOperation, DevicePacks, testing::ValuesIn(all_ops()),
                         [](const auto& info) { return info.param; });

TEST(SimulatedDevice, IsThereTwice) {
  static const Pack pack(DEVICE_SIMULATED);
  std::vector<int32_t> ids;
  const auto sink = [](void* user, const mortise_device_facts* facts) -> mortise_status {
    static_cast<std::vector<int32_t>*>(user)->push_back(facts->device.device_id);
    return MORTISE_STATUS_OK;
  };
  const auto* discovery = pack.table<mortise_device_discovery>(MORTISE_DEVICE_DISCOVERY);
  ASSERT_EQ(discovery->list(sink, &ids, nullptr), MORTISE_STATUS_OK);
  EXPECT_THAT(ids, ElementsAre(0, 1));
}

TEST(SimulatedDevice, GivesMemoryThatReadsAsNan) {
  const Device device = simulated();
  void* block = nullptr;
  float value = 0;
  ASSERT_EQ(device.memory->allocate(0, 4, nullptr, &block, nullptr), MORTISE_STATUS_OK);
  device.memory->copy(0, &value, block, 4, MORTISE_COPY_DEVICE_TO_HOST, nullptr, nullptr);
  device.stream->synchronize(nullptr, nullptr);
  EXPECT_TRUE(std::isnan(value));
  device.memory->free(0, block, nullptr);
}

TEST(SimulatedDevice, RunsWorkOfAStreamOnlyAfterTheEventItWaitsFor) {
  const Device device = simulated(1);
  mortise_stream *first = nullptr, *second = nullptr;
  mortise_event* event = nullptr;
  ASSERT_EQ(device.stream->create(1, &first, nullptr), MORTISE_STATUS_OK);
  ASSERT_EQ(device.stream->create(1, &second, nullptr), MORTISE_STATUS_OK);
  ASSERT_EQ(device.stream->event_create(1, &event, nullptr), MORTISE_STATUS_OK);
  constexpr uint64_t kBytes = 1 << 24;
  void* block = nullptr;
  ASSERT_EQ(device.memory->allocate(1, kBytes, first, &block, nullptr), MORTISE_STATUS_OK);
  for (int i = 0; i < 20; ++i) device.memory->fill(1, block, 1, kBytes, first, nullptr);
  device.memory->fill(1, block, 9, kBytes, first, nullptr);
  ASSERT_EQ(device.stream->event_record(event, first, nullptr), MORTISE_STATUS_OK);
  ASSERT_EQ(device.stream->event_wait(event, second, nullptr), MORTISE_STATUS_OK);
  std::vector<char> bytes(kBytes);
  device.memory->copy(1, bytes.data(), block, kBytes, MORTISE_COPY_DEVICE_TO_HOST, second, nullptr);
  ASSERT_EQ(device.stream->synchronize(second, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(bytes.front(), 9);
  EXPECT_EQ(bytes.back(), 9);
  EXPECT_EQ(device.stream->event_query(event, nullptr), MORTISE_STATUS_OK);
  device.memory->free(1, block, first);
  device.stream->event_destroy(event);
  device.stream->destroy(first);
  device.stream->destroy(second);
}

TEST(SimulatedDevice, ReportsQueuedFailuresWhenTheStreamIsWaitedFor) {
  Case c = cases_of("embedding")[1];
  c.inputs[0] = ints({0, 10, 11, 3, 7});
  try {
    run(simulated(), c);
    FAIL() << "the id was taken";
  } catch (const sdk::Failure& failure) {
    EXPECT_THAT(failure.message, HasSubstr("ids[2] is 11"));
  }
  EXPECT_EQ(simulated().stream->synchronize(nullptr, nullptr), MORTISE_STATUS_OK) << "told twice";
}

TEST(SimulatedDevice, RefusesShapesAtTheLaunch) {
  Case c = cases_of("swiglu")[2];
  c.inputs[1] = Tensor(kFloat32, {3, 8});
  try {
    run(simulated(), c);
    FAIL() << "the shape was taken";
  } catch (const sdk::Failure& failure) {
    EXPECT_THAT(failure.message, HasSubstr("\"up\" is float32 [3, 8], expected float32 [3, 7]"));
  }
}

TEST(SimulatedDevice, RefusesMemoryOfTheHostAndOfTheOtherDevice) {
  Device host_memory = simulated();
  host_memory.memory = nullptr;
  EXPECT_THROW(run(host_memory, cases_of("swiglu")[2]), sdk::Failure);
  void* block = nullptr;
  const Device device = simulated();
  sdk::ErrorCollector error;
  ASSERT_EQ(device.memory->allocate(1, 64, nullptr, &block, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(device.memory->fill(0, block, 0, 64, nullptr, error.raw()),
            MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(device.memory->fill(1, block, 0, 65, nullptr, error.raw()),
            MORTISE_STATUS_INVALID_ARGUMENT);
  device.memory->free(1, block, nullptr);
}

TEST(SimulatedDevice, RefusesAStreamOfTheOtherDeviceAndOneThatEnded) {
  const Device device = simulated();
  mortise_stream* stream = nullptr;
  void* block = nullptr;
  sdk::ErrorCollector error;
  ASSERT_EQ(device.stream->create(1, &stream, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(device.memory->allocate(0, 8, stream, &block, error.raw()),
            MORTISE_STATUS_INVALID_ARGUMENT);
  device.stream->destroy(stream);
  EXPECT_EQ(device.stream->synchronize(stream, error.raw()), MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST(SimulatedDevice, HasAnEndOfMemory) {
  void* block = nullptr;
  sdk::ErrorCollector error;
  EXPECT_EQ(simulated().memory->allocate(0, uint64_t{2} << 30, nullptr, &block, error.raw()),
            MORTISE_STATUS_RESOURCE_EXHAUSTED);
}

// Named to run last of this suite: it ends the pack's threads.
TEST(SimulatedDevice, ZComplainsOfWhatWasFreedTwiceOrNeverFreed) {
  static const Pack pack(DEVICE_SIMULATED);
  const Device device = simulated();
  void *twice = nullptr, *never = nullptr;
  ASSERT_EQ(device.memory->allocate(0, 8, nullptr, &twice, nullptr), MORTISE_STATUS_OK);
  ASSERT_EQ(device.memory->allocate(0, 8, nullptr, &never, nullptr), MORTISE_STATUS_OK);
  log_lines.clear();
  device.memory->free(0, twice, nullptr);
  device.memory->free(0, twice, nullptr);
  EXPECT_EQ(pack.reply.quiesce(nullptr), MORTISE_STATUS_OK);
  EXPECT_THAT(log_lines, ElementsAre(HasSubstr("freed that is not alive"),
                                     HasSubstr("1 allocations of device 0 were never freed")));
  device.memory->free(0, never, nullptr);
  device.stream->synchronize(nullptr, nullptr);
}

}  // namespace
}  // namespace mortise::device_test
