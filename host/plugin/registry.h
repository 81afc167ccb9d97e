// Plugins by id, for programs: finds the pack, loads it once, checks the configuration against the
// plugin's own schema, makes the instance, and remembers what was used for the run record. One a
// worker; the only global that stays is the list of opened libraries.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "pack/find.h"
#include "plugin/device_ops.h"
#include "plugin/format.h"
#include "plugin/format_writer.h"
#include "plugin/host_services.h"
#include "plugin/loss.h"
#include "plugin/metric.h"
#include "plugin/plugin.h"
#include "plugin/preference_loss.h"
#include "plugin/tokenizer.h"
#include "plugin/tokenizer_trainer.h"

namespace mortise::plugin {

struct UsedPlugin {
  std::string id, version, pack_sha256, signer;
  base::Json json() const;  // {id, version, sha256, signer?}
};

class Registry {  // [any], but the order of used() is that of first use
 public:
  // services must outlive the registry and all it returns.
  Registry(pack::Search search, HostServices& services, LoadOptions options = {});
  ~Registry();

  // Loads the plugin, or gives the one that is loaded. Errors: of find_plugin and load.
  base::Result<std::shared_ptr<Plugin>> load(std::string_view plugin_id);

  // Config null means {}. Errors: of load; INVALID_ARGUMENT with the field when the configuration
  // does not satisfy the plugin's schema; what the plugin says.
  base::Result<Metric> open_metric(std::string_view plugin_id, const base::Json& config = {});
  base::Result<Tokenizer> open_tokenizer(std::string_view plugin_id, std::string_view uri,
                                         const base::Json& config = {});
  // The config of a trainer is not that of the tokenizer: it is checked by the plugin itself.
  base::Result<TokenizerTrainer> open_tokenizer_trainer(std::string_view plugin_id,
                                                        const base::Json& config);
  base::Result<Format> open_format(std::string_view plugin_id, const std::vector<std::string>& uris,
                                   const base::Json& config = {});
  base::Result<FormatWriter> open_format_writer(std::string_view plugin_id, std::string_view uri,
                                                const Column& schema,
                                                const base::Json& config = {});
  base::Result<Loss> open_loss(std::string_view plugin_id, const base::Json& config = {},
                               bool want_fused = true);
  base::Result<PreferenceLoss> open_preference_loss(std::string_view plugin_id,
                                                    const base::Json& config = {});
  base::Result<DeviceOps> open_device_ops(std::string_view plugin_id);

  struct Detected {
    std::string plugin_id;
    ProbeAnswer answer;
  };
  // What every format says about this file, the surest first. The formats are those that were
  // there at the first call.
  std::vector<Detected> probe_formats(const FormatSample& sample);

  // Ids of every usable plugin of a kind ("dataset_format"), sorted. Loads nothing.
  std::vector<std::string> list(std::string_view kind) const;
  // What was loaded to work; a format that was only probed is not among them.
  std::vector<UsedPlugin> used() const;
  HostServices& services() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mortise::plugin
