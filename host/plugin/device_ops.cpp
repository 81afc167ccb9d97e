// See device_ops.h.
#include "plugin/device_ops.h"

#include <map>
#include <mutex>
#include <tuple>

#include "plugin/error_box.h"

namespace mortise::plugin {
namespace {

using base::Result;
using base::Status;

using Key = std::tuple<std::string, uint32_t, uint32_t, int32_t>;

uint32_t pack_type(DLDataType type) {
  return static_cast<uint32_t>(type.code) | static_cast<uint32_t>(type.bits) << 8 |
         static_cast<uint32_t>(type.lanes) << 16;
}

Key key_of(const OpKey& key) {
  return {std::string(key.op), pack_type(key.activation), pack_type(key.weight), key.device_id};
}

mortise_op_query query_of(const OpKey& key) {
  mortise_op_query query{};
  query.struct_size = sizeof query;
  query.op = text_of(key.op);
  query.activation = key.activation;
  query.weight = key.weight;
  query.device_id = key.device_id;
  return query;
}

}  // namespace

struct DeviceOps::State {
  std::shared_ptr<Plugin> plugin;
  const mortise_device_ops* table = nullptr;
  std::mutex mutex;  // guards what follows
  std::map<Key, uint32_t> answers;
  std::map<Key, mortise_op*> prepared;

  ~State() {
    for (const auto& [key, op] : prepared) table->op_destroy(op);
  }
};

DeviceOps::DeviceOps(std::unique_ptr<State> state) : state_(std::move(state)) {}
DeviceOps::DeviceOps(DeviceOps&&) noexcept = default;
DeviceOps& DeviceOps::operator=(DeviceOps&&) noexcept = default;
DeviceOps::~DeviceOps() = default;

Result<DeviceOps> DeviceOps::create(std::shared_ptr<Plugin> plugin) {
  auto state = std::make_unique<State>();
  MORTISE_ASSIGN(state->table, plugin->get_interface<mortise_device_ops>(MORTISE_DEVICE_OPS));
  state->plugin = std::move(plugin);
  return DeviceOps(std::move(state));
}

const mortise_device_ops* DeviceOps::table() const {
  return state_->table;
}

uint32_t DeviceOps::query(const OpKey& key) const {
  const std::lock_guard lock(state_->mutex);
  const Key name = key_of(key);
  if (const auto known = state_->answers.find(name); known != state_->answers.end()) {
    return known->second;
  }
  const mortise_op_query query = query_of(key);
  uint32_t answer = MORTISE_OP_UNSUPPORTED;
  ErrorBox error;
  const mortise_status status = state_->table->query(&query, &answer, error.get());
  if (status != MORTISE_STATUS_OK || answer > MORTISE_OP_COMPOSED) answer = MORTISE_OP_UNSUPPORTED;
  state_->answers[name] = answer;
  return answer;
}

Result<mortise_op*> DeviceOps::prepare(const OpKey& key) const {
  const std::lock_guard lock(state_->mutex);
  const Key name = key_of(key);
  if (const auto known = state_->prepared.find(name); known != state_->prepared.end()) {
    return known->second;
  }
  const mortise_op_query query = query_of(key);
  const InputNote note(key.op);
  mortise_op* op = nullptr;
  ErrorBox error;
  MORTISE_TRY(error.check(state_->table->prepare(&query, &op, error.get())));
  if (op == nullptr) {
    return base::Error(base::Code::kInternal,
                       "The device " + state_->plugin->label() + " prepared no \"" +
                           std::string(key.op) + "\" and said OK.",
                       "Report this to its vendor.");
  }
  state_->prepared[name] = op;
  return op;
}

Status DeviceOps::launch(mortise_op* op, std::span<const DLTensor* const> inputs,
                         std::span<const DLTensor* const> outputs, std::span<const double> scalars,
                         mortise_stream* stream) const {
  mortise_op_call call{};
  call.struct_size = sizeof call;
  call.inputs = inputs.data();
  call.outputs = outputs.data();
  call.scalars = scalars.data();
  call.inputs_count = static_cast<uint32_t>(inputs.size());
  call.outputs_count = static_cast<uint32_t>(outputs.size());
  call.scalars_count = static_cast<uint32_t>(scalars.size());
  call.stream = stream;
  ErrorBox error;
  return error.check(state_->table->launch(op, &call, error.get()));
}

}  // namespace mortise::plugin
