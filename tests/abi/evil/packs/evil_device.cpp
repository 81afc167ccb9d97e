// The simulated devices (plugins/examples/device_simulated) with one fault, and tables that they
// lack. See evil.h.
#include <mortise/draft/device_discovery.h>
#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_ops.h>
#include <mortise/draft/device_partition.h>
#include <mortise/draft/device_stream.h>
#include <mortise/draft/device_telemetry.h>
#include <mortise/draft/device_torch_bridge.h>

#include <map>
#include <mutex>
#include <vector>

#include "evil.h"

namespace evil {
namespace {

const mortise_device_discovery* good_discovery = nullptr;
const mortise_device_memory* good_memory = nullptr;
const mortise_device_ops* good_ops = nullptr;
const mortise_device_stream* good_stream = nullptr;

struct DeviceSink {
  mortise_status (*give)(void*, const mortise_device_facts*);
  void* user;
};

mortise_status change_device(void* user, const mortise_device_facts* facts) {
  const auto& sink = *static_cast<const DeviceSink*>(user);
  mortise_device_facts changed = *facts;
  if (is("has_no_uuid")) changed.uuid = {nullptr, 0};
  const mortise_status status = sink.give(sink.user, &changed);
  return is("ignores_its_device_sink") ? MORTISE_STATUS_OK : status;
}

mortise_status list(mortise_status (*give)(void*, const mortise_device_facts*), void* user,
                    mortise_error* error) {
  DeviceSink sink{give, user};
  return good_discovery->list(&change_device, &sink, error);
}

mortise_status allocate(int32_t device_id, uint64_t size_bytes, mortise_stream* stream,
                        void** out_pointer, mortise_error* error) {
  const bool is_lie = is("memory_never_ends") && size_bytes > (UINT64_C(1) << 40);
  return good_memory->allocate(device_id, is_lie ? 64 : size_bytes, stream, out_pointer, error);
}

mortise_status copy(int32_t device_id, void* to, const void* from, uint64_t size_bytes,
                    int32_t kind, mortise_stream* stream, mortise_error* error) {
  if (is("copies_too_little") && size_bytes > 1) --size_bytes;
  return good_memory->copy(device_id, to, from, size_bytes, kind, stream, error);
}

mortise_status fill(int32_t device_id, void* pointer, uint8_t value, uint64_t size_bytes,
                    mortise_stream* stream, mortise_error* error) {
  if (is("drops_the_last_fill") && value == 3) return MORTISE_STATUS_OK;
  return good_memory->fill(device_id, pointer, value, size_bytes, stream, error);
}

mortise_status elapsed(mortise_event* begin, mortise_event* end, int64_t* out_elapsed_ns,
                       mortise_error* error) {
  const mortise_status status = good_stream->event_elapsed_ns(begin, end, out_elapsed_ns, error);
  if (is("events_go_back")) *out_elapsed_ns = -5;
  return status;
}

mortise_status synchronize(mortise_stream* stream, mortise_error* error) {
  const mortise_status status = good_stream->synchronize(stream, error);
  return is("keeps_queued_errors_to_itself") ? MORTISE_STATUS_OK : status;
}

struct Prepared {
  std::string op;
  bool is_bfloat16 = false;
};
std::mutex mutex;
std::map<mortise_op*, Prepared> prepared;

mortise_status query(const mortise_op_query* asked, uint32_t* out_answer, mortise_error* error) {
  const mortise_status status = good_ops->query(asked, out_answer, error);
  if (is("promises_everything")) *out_answer = MORTISE_OP_NATIVE;
  if (is("unknown_is_not_found") && *out_answer == MORTISE_OP_UNSUPPORTED) {
    return refuse(error, MORTISE_STATUS_NOT_FOUND, "There is no such operation.");
  }
  return status;
}

mortise_status prepare(const mortise_op_query* asked, mortise_op** out_op, mortise_error* error) {
  const mortise_status status = good_ops->prepare(asked, out_op, error);
  if (status != MORTISE_STATUS_OK) return status;
  const std::lock_guard lock(mutex);
  prepared[*out_op] = {std::string(asked->op.data, asked->op.size_bytes),
                       asked->activation.code == kDLBfloat};
  return status;
}

void op_destroy(mortise_op* op) {
  {
    const std::lock_guard lock(mutex);
    prepared.erase(op);
  }
  good_ops->op_destroy(op);
}

// Whether this launch shall be computed with another scalar.
bool is_miscomputed(mortise_op* op) {
  const std::lock_guard lock(mutex);
  const Prepared& known = prepared[op];
  if (known.op == "rms_norm") {
    return is(known.is_bfloat16 ? "computes_bf16_wrongly" : "computes_wrongly");
  }
  if (known.op == "linear_lora_grad") {
    return is(known.is_bfloat16 ? "computes_bf16_gradients_wrongly" : "computes_gradients_wrongly");
  }
  return false;
}

mortise_status launch(mortise_op* op, const mortise_op_call* call, mortise_error* error) {
  if (is("launches_one_at_a_time") && is_crowded()) {
    return refuse(error, MORTISE_STATUS_UNAVAILABLE, "Somebody else is in here.");
  }
  if (is("refuses_no_rows") && call->inputs_count > 0 && call->inputs[0] != nullptr &&
      call->inputs[0]->shape[0] == 0) {
    return refuse(error, MORTISE_STATUS_INVALID_ARGUMENT, "There are no rows.");
  }
  mortise_op_call changed = *call;
  std::vector<double> scalars(call->scalars, call->scalars + call->scalars_count);
  if (is_miscomputed(op)) scalars[0] += 0.5;
  changed.scalars = scalars.data();
  const mortise_status status = good_ops->launch(op, &changed, error);
  return is("takes_wrong_shapes") ? MORTISE_STATUS_OK : status;
}

const void* evil_memory(std::string_view id) {
  static mortise_device_memory bad;
  good_memory = healthy<mortise_device_memory>(id);
  bad = *good_memory;
  bad.allocate = &allocate;
  bad.copy = &copy;
  bad.fill = &fill;
  return &bad;
}

const void* evil_ops(std::string_view id) {
  static mortise_device_ops bad;
  good_ops = healthy<mortise_device_ops>(id);
  bad = *good_ops;
  bad.query = &query;
  bad.prepare = &prepare;
  bad.launch = &launch;
  bad.op_destroy = &op_destroy;
  return &bad;
}

const void* evil_telemetry() {
  static mortise_device_telemetry bad{sizeof bad, 0, nullptr};
  bad.sample = [](int32_t device_id, mortise_device_sample* out, mortise_error* error) {
    if (device_id > 1) return refuse(error, MORTISE_STATUS_NOT_FOUND, "There is no such device.");
    out->flags = MORTISE_SAMPLE_UTILISATION;
    out->utilisation = 55;  // in percent
    return MORTISE_STATUS_OK;
  };
  return &bad;
}

const void* evil_partition() {
  static mortise_device_partition bad{sizeof bad, 0, nullptr, nullptr, nullptr};
  bad.list = [](int32_t, mortise_status (*give)(void*, const mortise_slice_facts*), void* user,
                mortise_error*) {
    mortise_slice_facts slice{};
    slice.struct_size = sizeof slice;
    slice.id = {"half", 4};
    slice.share = 50;  // in percent
    return give(user, &slice);
  };
  return &bad;
}

const void* evil_bridge() {
  static mortise_device_torch_bridge bad{sizeof bad, 0, nullptr, nullptr};
  bad.describe = [](mortise_torch_bridge_facts* out, mortise_error*) {
    out->torch_device = {"npu", 3};
    out->adapter_library = {"lib/none.so", 11};
    return MORTISE_STATUS_OK;
  };
  return &bad;
}

}  // namespace

const void* find_interface(std::string_view id) {
  static mortise_device_discovery discovery;
  static mortise_device_stream stream;
  if (id == MORTISE_DEVICE_DISCOVERY) {
    good_discovery = healthy<mortise_device_discovery>(id);
    discovery = *good_discovery;
    discovery.list = &list;
    return &discovery;
  }
  if (id == MORTISE_DEVICE_STREAM) {
    good_stream = healthy<mortise_device_stream>(id);
    stream = *good_stream;
    stream.event_elapsed_ns = &elapsed;
    stream.synchronize = &synchronize;
    return &stream;
  }
  if (id == MORTISE_DEVICE_MEMORY) return evil_memory(id);
  if (id == MORTISE_DEVICE_OPS) return evil_ops(id);
  if (id == MORTISE_DEVICE_TELEMETRY && is("measures_in_percent")) return evil_telemetry();
  if (id == MORTISE_DEVICE_PARTITION && is("shares_in_percent")) return evil_partition();
  if (id == MORTISE_DEVICE_TORCH_BRIDGE && is("names_no_library")) return evil_bridge();
  return nullptr;
}

}  // namespace evil
