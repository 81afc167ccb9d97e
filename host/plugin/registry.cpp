// See registry.h.
#include "plugin/registry.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "base/schema.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

}  // namespace

struct Registry::State {
  State(pack::Search search_in, HostServices& services_in, LoadOptions options_in)
      : search(std::move(search_in)), services(services_in), options(options_in) {}

  pack::Search search;
  HostServices& services;
  LoadOptions options;
  std::mutex mutex;  // guards what follows
  std::map<std::string, std::shared_ptr<Plugin>, std::less<>> loaded;
  std::vector<UsedPlugin> used;
  std::optional<std::vector<std::string>> formats;  // that probe_formats asks; listed once

  base::FileOps& files() const { return base::posix_file_ops(); }
  Result<std::shared_ptr<Plugin>> load(std::string_view plugin_id);
};

Result<std::shared_ptr<Plugin>> Registry::State::load(std::string_view plugin_id) {
  const std::lock_guard lock(mutex);
  if (const auto known = loaded.find(plugin_id); known != loaded.end()) return known->second;
  MORTISE_ASSIGN(const pack::Decision decision, pack::find_plugin(files(), search, plugin_id));
  MORTISE_ASSIGN(std::shared_ptr<Plugin> plugin, plugin::load(decision, services, options));
  loaded.emplace(plugin_id, plugin);
  return plugin;
}

Json UsedPlugin::json() const {
  Json out = Json::object({{"id", id}, {"version", version}, {"sha256", pack_sha256}});
  if (!signer.empty()) out["signer"] = signer;
  return out;
}

Registry::Registry(pack::Search search, HostServices& services, LoadOptions options)
    : state_(std::make_unique<State>(std::move(search), services, options)) {}
Registry::~Registry() = default;

HostServices& Registry::services() const {
  return state_->services;
}

Result<std::shared_ptr<Plugin>> Registry::load(std::string_view plugin_id) {
  MORTISE_ASSIGN(std::shared_ptr<Plugin> plugin, state_->load(plugin_id));
  const std::lock_guard lock(state_->mutex);
  const auto known = std::ranges::find(state_->used, plugin->id(), &UsedPlugin::id);
  if (known == state_->used.end()) {
    state_->used.push_back(
        {plugin->id(), plugin->version(), plugin->pack_sha256(), plugin->decision().signer});
  }
  return plugin;
}

namespace {

// The configuration against the plugin's own schema, so that plugins need not check it again.
Status check_config(const Plugin& plugin, const Json& config) {
  const Json& document = plugin.decision().plugin.config_schema;
  const Json plain = config.is_null() ? Json::object() : config;
  if (!plain.is_object()) {
    return Error(Code::kInvalidArgument, std::string("The configuration of ") + plugin.id() +
                                             " is " + plain.kind_name() + ", not an object.");
  }
  if (document.is_null()) return {};
  auto schema = base::Schema::load(document);
  if (!schema.ok()) {
    return Error(Code::kInvalidArgument,
                 "The config_schema of " + plugin.label() + " is broken: " + schema.error().message,
                 "Report this to the vendor of the pack.");
  }
  return schema->require(plain, "the configuration of " + plugin.id());
}

}  // namespace

Result<Metric> Registry::open_metric(std::string_view plugin_id, const Json& config) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  MORTISE_TRY(check_config(*plugin, config));
  return Metric::create(std::move(plugin), config);
}

Result<Tokenizer> Registry::open_tokenizer(std::string_view plugin_id, std::string_view uri,
                                           const Json& config) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  MORTISE_TRY(check_config(*plugin, config));
  return Tokenizer::create(std::move(plugin), uri, config);
}

Result<TokenizerTrainer> Registry::open_tokenizer_trainer(std::string_view plugin_id,
                                                          const Json& config) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  return TokenizerTrainer::create(std::move(plugin), config);
}

Result<Format> Registry::open_format(std::string_view plugin_id,
                                     const std::vector<std::string>& uris, const Json& config) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  MORTISE_TRY(check_config(*plugin, config));
  return Format::open(std::move(plugin), uris, config);
}

Result<FormatWriter> Registry::open_format_writer(std::string_view plugin_id, std::string_view uri,
                                                  const Column& schema, const Json& config) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  MORTISE_TRY(check_config(*plugin, config));
  return FormatWriter::open(std::move(plugin), uri, schema, config);
}

Result<Loss> Registry::open_loss(std::string_view plugin_id, const Json& config, bool want_fused) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  MORTISE_TRY(check_config(*plugin, config));
  return Loss::create(std::move(plugin), config, want_fused);
}

Result<PreferenceLoss> Registry::open_preference_loss(std::string_view plugin_id,
                                                      const Json& config) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  MORTISE_TRY(check_config(*plugin, config));
  return PreferenceLoss::create(std::move(plugin), config);
}

Result<DeviceOps> Registry::open_device_ops(std::string_view plugin_id) {
  MORTISE_ASSIGN(auto plugin, load(plugin_id));
  return DeviceOps::create(std::move(plugin));
}

std::vector<Registry::Detected> Registry::probe_formats(const FormatSample& sample) {
  std::vector<std::string> ids;
  {
    const std::lock_guard lock(state_->mutex);
    // Listing reads every pack's manifest, which takes longer than to ask them all.
    if (!state_->formats) state_->formats = list("dataset_format");
    ids = *state_->formats;
  }
  std::vector<Detected> found;
  for (const std::string& id : ids) {
    auto plugin = state_->load(id);  // to be asked is not to be used
    auto answer = plugin.ok() ? probe(**plugin, sample) : Result<ProbeAnswer>(plugin.error());
    // A format that cannot be asked takes nothing; its words stand where its reason would.
    found.push_back({id, answer.ok() ? *answer : ProbeAnswer{0, answer.error().text()}});
  }
  // Ids come sorted, so of two equal scores the first id wins, always the same.
  std::stable_sort(found.begin(), found.end(), [](const Detected& a, const Detected& b) {
    return a.answer.score > b.answer.score;
  });
  return found;
}

std::vector<std::string> Registry::list(std::string_view kind) const {
  std::set<std::string> ids;
  for (const pack::Listed& listed : pack::list_packs(state_->files(), state_->search)) {
    if (!listed.manifest.ok()) continue;
    for (const pack::PluginEntry& plugin : listed.manifest->plugins) {
      if (plugin.kind != kind || ids.contains(plugin.id)) continue;
      if (pack::find_plugin(state_->files(), state_->search, plugin.id).ok()) ids.insert(plugin.id);
    }
  }
  return {ids.begin(), ids.end()};
}

std::vector<UsedPlugin> Registry::used() const {
  const std::lock_guard lock(state_->mutex);
  return state_->used;
}

}  // namespace mortise::plugin
