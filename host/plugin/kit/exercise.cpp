// See exercise.h.
#include "plugin/kit/exercise.h"

#include "plugin/tables_device.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Result<std::string> exercise(Case& at, const std::shared_ptr<Plugin>& plugin) {
  const std::string& kind = at.entry().kind;
  if (kind == "metric") return exercise_metric(at, plugin);
  if (kind == "tokenizer") return exercise_tokenizer(at, plugin);
  if (kind == "dataset_format") return exercise_format(at, plugin);
  if (kind == "loss") return exercise_loss(at, plugin);
  if (kind == "device") return exercise_device(at, plugin);
  return Error(Code::kUnimplemented, "The kit does not know plugins of the kind \"" + kind + "\".");
}

namespace {

template <class Table>
bool wrap_one(const Plugin& plugin, const std::string& wanted, Status& status) {
  for (const std::string_view id : TableFacts<Table>::kIds) {
    if (id != wanted) continue;
    const auto table = plugin.get_interface<Table>(wanted);
    if (!table.ok()) status = table.error();
    return true;
  }
  return false;
}

}  // namespace

Status wrap_any(const Plugin& plugin, const std::string& id) {
  Status status;
  (void)(wrap_one<mortise_metric>(plugin, id, status) ||
         wrap_one<mortise_tokenizer>(plugin, id, status) ||
         wrap_one<mortise_tokenizer_trainer>(plugin, id, status) ||
         wrap_one<mortise_dataset_format>(plugin, id, status) ||
         wrap_one<mortise_dataset_format_writer>(plugin, id, status) ||
         wrap_one<mortise_loss>(plugin, id, status) ||
         wrap_one<mortise_preference_loss>(plugin, id, status) ||
         wrap_one<mortise_device_ops>(plugin, id, status) ||
         wrap_one<mortise_device_discovery>(plugin, id, status) ||
         wrap_one<mortise_device_memory>(plugin, id, status) ||
         wrap_one<mortise_device_stream>(plugin, id, status) ||
         wrap_one<mortise_device_torch_bridge>(plugin, id, status) ||
         wrap_one<mortise_device_telemetry>(plugin, id, status) ||
         wrap_one<mortise_device_partition>(plugin, id, status) ||
         wrap_one<mortise_device_collective>(plugin, id, status));
  return status;
}

}  // namespace mortise::plugin::kit
