// Task "train": LoRA or all weights. The run writes into the task folder (metrics.jsonl and
// checkpoints/ are read there while it goes on); what it made moves to artifacts/ at the end. Then
// come the scores and exports that the manifest asks for.
#include "app/mortise-worker/after_training.h"
#include "base/clock.h"
#include "engine/data/encoder.h"
#include "engine/op/op.h"
#include "engine/train/train.h"
#include "plugin/loss.h"
#include "plugin/preference_loss.h"

namespace mortise::worker {
namespace {

using base::Json;
using base::Result;
using base::Status;

// Hard links below `from` under the same names in `to`.
Status link_tree(base::FileOps& files, const std::string& from, const std::string& to) {
  MORTISE_TRY(base::make_folders(files, to));
  MORTISE_ASSIGN(const auto entries, files.list(from));
  for (const base::FileInfo& entry : entries) {
    const std::string source = base::join_path(from, entry.name);
    const std::string target = base::join_path(to, entry.name);
    MORTISE_TRY(entry.is_folder ? link_tree(files, source, target) : files.link(source, target));
  }
  return files.sync_folder(to);
}

// A checkpoint of an earlier attempt becomes this one's; the run finds the newest by itself.
Status take_checkpoint(Context& context) {
  const std::string& from = context.task.inputs.checkpoint_folder;
  if (from.empty()) return {};
  const std::string to =
      base::join_path(base::join_path(context.task_folder, job::kCheckpointsFolder),
                      from.substr(from.rfind('/') + 1));
  MORTISE_ASSIGN(const bool is_there, context.files.exists(to));
  if (is_there) return {};
  const std::string partial = to + ".partial";  // a torn one is never taken for a checkpoint
  MORTISE_TRY(base::remove_tree(context.files, partial));
  MORTISE_TRY(link_tree(context.files, from, partial));
  MORTISE_TRY(context.files.rename(partial, to));
  return context.files.sync_folder(to.substr(0, to.rfind('/')));
}

// What the packs bring to a run, and the run's own faces over them.
struct Plugins {
  std::unique_ptr<TaskDevice> device;
  std::optional<plugin::Loss> loss_pack;
  std::unique_ptr<engine::Loss> loss;
  std::optional<plugin::PreferenceLoss> preference;  // instead of both
  std::optional<plugin::Tokenizer> tokenizer;
  std::unique_ptr<engine::PluginEncoder> encoder;
};

Status open_loss(Context& context, Plugins& plugins) {
  const Json& use = context.task.manifest["plugins"]["loss"];
  std::string id = use.is_object() ? use["id"].as_string() : use.as_string();
  if (id.empty()) id = "mortise.loss_cross_entropy";
  MORTISE_ASSIGN(const auto plugin, context.registry.load(id));
  if (plugin->has_interface(MORTISE_KIND_LOSS_PREFERENCE)) {
    MORTISE_ASSIGN(plugins.preference, context.registry.open_preference_loss(id, use["config"]));
    return {};
  }
  MORTISE_ASSIGN(plugins.loss_pack, context.registry.open_loss(id, use["config"]));
  plugins.loss = std::make_unique<engine::Loss>(
      plugins.loss_pack->table(), plugins.loss_pack->instance(),
      plugins.loss_pack->is_fused() ? engine::Loss::Kind::kFusedLinear
                                    : engine::Loss::Kind::kLogits);
  return {};
}

// Rows of the task type "tokens" need no tokenizer, and their models may have none; one that the
// manifest names is opened whatever the folder holds.
Status open_tokenizer(Context& context, Plugins& plugins) {
  const std::string& folder = context.task.inputs.model_folder;
  MORTISE_ASSIGN(const bool has_one,
                 context.files.exists(base::join_path(folder, "tokenizer.json")));
  MORTISE_ASSIGN(const bool has_pair, context.files.exists(base::join_path(folder, "vocab.json")));
  const Json& use = context.task.manifest["plugins"]["tokenizer"];
  if (!has_one && !has_pair && use.is_null()) return {};
  MORTISE_TRY(context.services.grant("model", folder));
  MORTISE_ASSIGN(plugins.tokenizer,
                 context.registry.open_tokenizer(context.tokenizer_id(), "model", use["config"]));
  plugins.encoder = std::make_unique<engine::PluginEncoder>(*plugins.tokenizer);
  return {};
}

// What the numbers of a run depend on besides its manifest, model and rows.
Json facts_of(Context& context, const Plugins& plugins) {
  Json packs = Json::object();
  for (const plugin::UsedPlugin& used : context.registry.used()) packs[used.id] = used.pack_sha256;
  Json facts = Json::object({{"packs", std::move(packs)}});
  if (plugins.tokenizer) facts["tokenizer"] = plugins.tokenizer->fingerprint();
  return facts;
}

engine::TrainHooks hooks_of(Context& context) {
  engine::TrainHooks hooks;
  hooks.progress = [&](const engine::TrainProgress& progress) {
    context.progress("train", progress.step, progress.steps_total);
  };
  hooks.wish = [&] {
    if (context.is_cancelled) return engine::TrainWish::kCancel;
    return context.checkpoint_asked.exchange(false) ? engine::TrainWish::kCheckpoint
                                                    : engine::TrainWish::kNone;
  };
  return hooks;
}

// The folder that the run made, under artifacts/ and published as a model of the job's name. The
// answer is what scores and exports work on.
Result<ModelFolders> publish(Context& context, const engine::TrainResult& trained,
                             job::TaskResult& result) {
  const bool is_adapter = !trained.adapter_folder.empty();
  const std::string name = is_adapter ? "adapter" : "model";
  const std::string& made = is_adapter ? trained.adapter_folder : trained.model_folder;
  MORTISE_TRY(context.files.rename(made, context.output_path(name)));
  MORTISE_TRY(context.files.sync_folder(context.task.output_folder));
  result.models.push_back({name, name, std::string()});
  if (!is_adapter) return ModelFolders{context.output_path(name), ""};
  return ModelFolders{context.task.inputs.model_folder, context.output_path(name)};
}

engine::TrainRequest request_of(Context& context, Plugins& plugins) {
  engine::TrainRequest request;
  request.manifest = context.task.manifest;
  request.model_folder = context.task.inputs.model_folder;
  request.adapter_folder = context.task.inputs.adapter_folder;
  request.dataset_file = context.task.inputs.dataset_file;
  request.output_folder = context.task_folder;
  request.base_model_name = context.task.manifest["model"].as_string();
  request.domain = context.domain_or_null();
  request.device = &plugins.device->device;
  request.loss = plugins.loss.get();
  request.preference = plugins.preference ? &*plugins.preference : nullptr;
  request.encoder = plugins.encoder.get();
  request.threads = context.task.threads;
  request.facts = facts_of(context, plugins);
  return request;
}

}  // namespace

Result<job::TaskResult> task_train(Context& context) {
  context.progress("load", -1, -1);
  MORTISE_TRY(take_checkpoint(context));
  Plugins plugins;
  MORTISE_ASSIGN(plugins.device, open_device(context));
  MORTISE_TRY(open_loss(context, plugins));
  MORTISE_TRY(open_tokenizer(context, plugins));
  // The facts that a resume compares do not depend on the packs of metrics.
  const engine::TrainRequest request = request_of(context, plugins);
  MORTISE_TRY(check_after_training(context));
  MORTISE_ASSIGN(
      const engine::TrainResult trained,
      engine::run_training(context.files, base::system_clock(), request, hooks_of(context)));
  job::TaskResult result;
  MORTISE_ASSIGN(const ModelFolders made, publish(context, trained, result));
  const Json& manifest = context.task.manifest;
  if (manifest["plugins"]["metrics"].size() > 0) {
    MORTISE_TRY(score_model(context, *plugins.device, made, result));
  }
  const std::string& named = manifest["name"].as_string();
  const std::string name = named.empty() ? "train-" + context.task.id : named;
  MORTISE_TRY(export_formats(context, made, name, result));
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(context.files, context.task.output_folder));
  result.ok = true;
  result.summary = "Trained " + std::to_string(trained.steps) + " steps; loss " +
                   Json(trained.first_loss).dump() + " to " + Json(trained.last_loss).dump() + ".";
  result.record["training"] = trained.to_json();
  result.record["operations"] = plugins.device->counts();
  result.record["seed"] = context.task.seed;
  if (plugins.tokenizer) {
    result.record["tokenizer"] = context.tokenizer_id();
    result.record["tokenizer_fingerprint"] = plugins.tokenizer->fingerprint();
  }
  return result;
}

}  // namespace mortise::worker
