// The tables of device_cpu beside its operations: discovery, memory, streams, bridge, telemetry,
// partition.
#include "device_cpu/tables.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace mortise::device_cpu {
namespace {

TEST(CpuDiscovery, ListsOneUsableDevice) {
  std::string names;
  sdk::ErrorCollector error;
  const auto sink = [](void* user, const mortise_device_facts* facts) -> mortise_status {
    *static_cast<std::string*>(user) += std::string(sdk::view(facts->arch)) + ";";
    EXPECT_EQ(facts->device.device_type, kDLCPU);
    EXPECT_TRUE(facts->flags & MORTISE_DEVICE_USABLE);
    EXPECT_GT(facts->memory_bytes, uint64_t{1} << 20);
    EXPECT_GE(facts->units_count, 1u);
    return MORTISE_STATUS_OK;
  };
  ASSERT_EQ(device_discovery()->list(sink, &names, error.raw()), MORTISE_STATUS_OK);
  EXPECT_EQ(names.rfind("x86_64", 0), 0u);
  EXPECT_EQ(names.find(';'), names.size() - 1);
}

TEST(CpuDiscovery, PassesOnTheRefusalOfTheSink) {
  const auto sink = [](void*, const mortise_device_facts*) -> mortise_status {
    return MORTISE_STATUS_CANCELLED;
  };
  EXPECT_EQ(device_discovery()->list(sink, nullptr, nullptr), MORTISE_STATUS_CANCELLED);
}

TEST(CpuMemory, GivesAlignedMemoryThatCanBeFilledAndCopied) {
  void *a = nullptr, *b = nullptr;
  ASSERT_EQ(device_memory()->allocate(0, 100, nullptr, &a, nullptr), MORTISE_STATUS_OK);
  ASSERT_EQ(device_memory()->allocate(0, 100, nullptr, &b, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
  EXPECT_EQ(device_memory()->fill(0, a, 7, 100, nullptr, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(device_memory()->copy(0, b, a, 100, MORTISE_COPY_DEVICE_TO_DEVICE, nullptr, nullptr),
            MORTISE_STATUS_OK);
  EXPECT_EQ(std::memcmp(a, b, 100), 0);
  EXPECT_EQ(static_cast<char*>(b)[99], 7);
  device_memory()->free(0, a, nullptr);
  device_memory()->free(0, b, nullptr);
  device_memory()->free(0, nullptr, nullptr);
}

TEST(CpuMemory, RefusesWhatDoesNotExist) {
  void* pointer = nullptr;
  sdk::ErrorCollector error;
  EXPECT_EQ(device_memory()->allocate(0, UINT64_MAX, nullptr, &pointer, error.raw()),
            MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(device_memory()->allocate(1, 8, nullptr, &pointer, error.raw()),
            MORTISE_STATUS_NOT_FOUND);
  EXPECT_EQ(device_memory()->copy(0, &pointer, &error, 1, 9, nullptr, error.raw()),
            MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST(CpuPartition, BoundsMemoryWhileALeaseIsHeld) {
  mortise_lease *lease = nullptr, *second = nullptr;
  sdk::ErrorCollector error;
  ASSERT_EQ(device_partition()->lease(0, {}, 4096, 0.5, &lease, error.raw()), MORTISE_STATUS_OK);
  void *small = nullptr, *large = nullptr;
  EXPECT_EQ(device_memory()->allocate(0, 1024, nullptr, &small, error.raw()), MORTISE_STATUS_OK);
  EXPECT_EQ(device_memory()->allocate(0, 4096, nullptr, &large, error.raw()),
            MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(device_partition()->lease(0, {}, 1, 0.5, &second, error.raw()),
            MORTISE_STATUS_RESOURCE_EXHAUSTED);
  device_partition()->release(lease);
  EXPECT_EQ(device_memory()->allocate(0, 8192, nullptr, &large, error.raw()), MORTISE_STATUS_OK);
  device_memory()->free(0, small, nullptr);
  device_memory()->free(0, large, nullptr);
}

TEST(CpuPartition, RefusesUnknownSlicesAndShares) {
  mortise_lease* lease = nullptr;
  sdk::ErrorCollector error;
  EXPECT_EQ(device_partition()->lease(0, sdk::text("mig-1"), 0, 1, &lease, error.raw()),
            MORTISE_STATUS_NOT_FOUND);
  EXPECT_EQ(device_partition()->lease(0, {}, 1, 1.5, &lease, error.raw()),
            MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST(CpuPartition, ListsTheWholeDeviceAsOneSlice) {
  std::string id;
  const auto sink = [](void* user, const mortise_slice_facts* slice) -> mortise_status {
    *static_cast<std::string*>(user) += sdk::view(slice->id);
    EXPECT_EQ(slice->isolation, MORTISE_ISOLATION_COOPERATIVE);
    return MORTISE_STATUS_OK;
  };
  ASSERT_EQ(device_partition()->list(0, sink, &id, nullptr), MORTISE_STATUS_OK);
  mortise_lease* lease = nullptr;
  EXPECT_EQ(device_partition()->lease(0, sdk::text(id), 0, 0, &lease, nullptr), MORTISE_STATUS_OK);
  device_partition()->release(lease);
}

TEST(CpuStream, HasDoneEverythingAlready) {
  mortise_stream* stream = nullptr;
  ASSERT_EQ(device_stream()->create(0, &stream, nullptr), MORTISE_STATUS_OK);
  mortise_event *begin = nullptr, *end = nullptr;
  sdk::ErrorCollector error;
  ASSERT_EQ(device_stream()->event_create(0, &begin, nullptr), MORTISE_STATUS_OK);
  ASSERT_EQ(device_stream()->event_create(0, &end, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(device_stream()->event_query(begin, error.raw()), MORTISE_STATUS_UNAVAILABLE);
  int64_t elapsed_ns = -1;
  EXPECT_EQ(device_stream()->event_elapsed_ns(begin, end, &elapsed_ns, error.raw()),
            MORTISE_STATUS_FAILED_PRECONDITION);
  EXPECT_EQ(device_stream()->event_record(begin, stream, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(device_stream()->event_record(end, stream, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(device_stream()->event_query(begin, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(device_stream()->event_elapsed_ns(begin, end, &elapsed_ns, nullptr), MORTISE_STATUS_OK);
  EXPECT_GE(elapsed_ns, 0);
  EXPECT_EQ(device_stream()->synchronize(stream, nullptr), MORTISE_STATUS_OK);
  device_stream()->event_destroy(begin);
  device_stream()->event_destroy(end);
  device_stream()->destroy(stream);
}

TEST(CpuTelemetry, SamplesMemoryAndSinceTheSecondTimeLoad) {
  mortise_device_sample sample{};
  sample.struct_size = sizeof(sample);
  ASSERT_EQ(device_telemetry()->sample(0, &sample, nullptr), MORTISE_STATUS_OK);
  EXPECT_TRUE(sample.flags & MORTISE_SAMPLE_MEMORY);
  EXPECT_GT(sample.memory_used_bytes, 0u);
  EXPECT_LE(sample.utilisation, 1.0);
}

TEST(CpuTorchBridge, IsLibtorchsOwnCpu) {
  mortise_torch_bridge_facts facts{};
  facts.struct_size = sizeof(facts);
  ASSERT_EQ(device_torch_bridge()->describe(&facts, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(sdk::view(facts.torch_device), "cpu");
  EXPECT_EQ(facts.adapter_library.size_bytes, 0u);
}

}  // namespace
}  // namespace mortise::device_cpu
