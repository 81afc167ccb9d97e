// @ID@: a device over host memory with one operation, "sum_squares".
//
// The host calls it through mortise.device_discovery/1, .device_memory/1 and .device_ops/1 (drafts).
// Replace what is marked. What query calls unsupported, the host composes or runs on the CPU.
#include <mortise/cpp/device_ops.hpp>
#include <mortise/cpp/plugin.hpp>
#include <mortise/draft/device_discovery.h>
#include <mortise/draft/device_memory.h>

#include <cstdlib>

namespace {

using namespace mortise::sdk;

void check_device(int32_t device_id) {
  if (device_id != 0) {
    throw invalid_argument("There is no device " + std::to_string(device_id) + ", only 0.");
  }
}

// Replace: list your devices, also those that cannot be used, with the reason. No context here.
const mortise_device_discovery* discovery_table() {
  static const mortise_device_discovery table = [] {
    mortise_device_discovery t{};
    t.struct_size = sizeof(t);
    t.list = [](mortise_status (*sink_device)(void*, const mortise_device_facts*), void* user,
                mortise_error* error) {
      return guarded(error, [&] {
        mortise_device_facts facts{};
        facts.struct_size = sizeof(facts);
        facts.flags = MORTISE_DEVICE_USABLE;
        facts.device = {kDLCPU, 0};
        facts.uuid = text("@ID@-0");
        facts.name = text("@NAME@");
        facts.memory_bytes = UINT64_C(1) << 30;  // Replace: what your device has.
        facts.numa_node = -1;
        facts.units_count = 1;
        const mortise_status status = sink_device(user, &facts);
        if (status != MORTISE_STATUS_OK) throw Failure(status, "The host took no more devices.");
      });
    };
    return t;
  }();
  return &table;
}

void* allocate(uint64_t size_bytes) {
  void* pointer = std::aligned_alloc(64, (size_bytes + 64) / 64 * 64);
  if (pointer == nullptr) {
    throw resource_exhausted("No memory: " + std::to_string(size_bytes) + " bytes were asked for.");
  }
  return pointer;
}

// Replace: your runtime's memory, in the order of `stream`.
const mortise_device_memory* memory_table() {
  static const mortise_device_memory table = [] {
    mortise_device_memory t{};
    t.struct_size = sizeof(t);
    t.allocate = [](int32_t device, uint64_t size, mortise_stream*, void** out, mortise_error* e) {
      return guarded(e, [&] {
        check_device(device);
        *out = allocate(size);
      });
    };
    t.free = [](int32_t, void* pointer, mortise_stream*) { std::free(pointer); };
    t.allocate_pinned = [](uint64_t size, void** out, mortise_error* error) {
      return guarded(error, [&] { *out = allocate(size); });
    };
    t.free_pinned = [](void* pointer) { std::free(pointer); };
    t.copy = [](int32_t device, void* to, const void* from, uint64_t size, int32_t, mortise_stream*,
                mortise_error* error) {
      return guarded(error, [&] {
        check_device(device);
        std::memcpy(to, from, size);
      });
    };
    t.fill = [](int32_t device, void* pointer, uint8_t value, uint64_t size, mortise_stream*,
                mortise_error* error) {
      return guarded(error, [&] {
        check_device(device);
        std::memset(pointer, value, size);
      });
    };
    t.info = [](int32_t device, uint64_t* out_free, uint64_t* out_total, mortise_error* error) {
      return guarded(error, [&] {
        check_device(device);
        *out_free = *out_total = uint64_t{1} << 30;
      });
    };
    t.trim = [](int32_t device, mortise_error* e) { return guarded(e, [&] { check_device(device); }); };
    return t;
  }();
  return &table;
}

// x f[P] -> sum f[1], in a fixed order.
class SumSquares : public Op {
 public:
  void launch(const OpCall& call) override {
    call.check_counts(MORTISE_OP_SUM_SQUARES, 1, 1, 0);
    check_tensor(call.input(0), "x", kFloat32, {-1});
    check_tensor(call.output(0), "sum", kFloat32, {1});
    const auto* x = elements<const float>(*call.input(0));
    double sum = 0;
    for (int64_t i = 0; i < element_count(*call.input(0)); ++i) {
      sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    *elements<float>(*call.output(0)) = static_cast<float>(sum);
  }
};

// Replace: the operations that your device has.
class @CLASS@ : public DeviceOps {
 public:
  uint32_t query(const OpQuery& query) override {
    const bool is_mine = query.op == MORTISE_OP_SUM_SQUARES && is_same(query.activation, kFloat32);
    return is_mine ? MORTISE_OP_NATIVE : MORTISE_OP_UNSUPPORTED;
  }
  std::unique_ptr<Op> prepare(const OpQuery& query) override {
    check_device(query.device_id);
    return std::make_unique<SumSquares>();
  }
};

}  // namespace

MORTISE_PLUGIN("@ID@", {MORTISE_DEVICE_DISCOVERY, discovery_table()},
               {MORTISE_DEVICE_MEMORY, memory_table()},
               {MORTISE_DEVICE_OPS, device_ops_table<@CLASS@>()});
