// Task "evaluate": the held-out rows through the model, three ways side by side when asked for: the
// base, the base with its adapter, and that with the images permuted across rows. A training that
// names metrics ends with the same.
#include "app/mortise-worker/after_training.h"
#include "evaluate/evaluate.h"

namespace mortise::worker {
namespace {

using base::Json;
using base::Result;
using base::Status;

evaluate::EvaluateRequest request_of(Context& context, std::vector<uint64_t> rows) {
  const Json& manifest = context.task.manifest;
  const Json& generation = manifest["generation"];
  evaluate::EvaluateRequest request;
  request.rows = std::move(rows);
  request.seed = generation["seed"].as_uint(42);
  request.new_tokens_max = generation["max_new_tokens"].as_int(128);
  request.sampling.temperature = generation["temperature"].as_double(0);
  request.sampling.top_p = generation["top_p"].as_double(1);
  request.sampling.top_k = static_cast<int32_t>(generation["top_k"].as_int(0));
  request.batch_rows = generation["batch_size"].as_int(8);
  for (const Json& metric : manifest["plugins"]["metrics"].items()) {
    request.metrics.push_back({metric["id"].as_string(), metric["config"]});
  }
  return request;
}

Result<std::vector<uint64_t>> rows_of(Context& context, const engine::Dataset& dataset) {
  const Json& manifest = context.task.manifest;
  const Json& options = manifest["evaluate"];
  std::vector<uint64_t> rows;
  if (options["split"].as_string() == "all") {
    for (uint64_t i = 0; i < dataset.count(); ++i) rows.push_back(i);
  } else {
    MORTISE_ASSIGN(const engine::Split split,
                   engine::split_rows(dataset, manifest["holdout"]["ratio"].as_double(0.1),
                                      manifest["holdout"]["seed"].as_uint(7)));
    rows = split.held_out;
  }
  const uint64_t most = options["rows"].as_uint(0);
  if (most > 0 && rows.size() > most) rows.resize(most);
  if (rows.empty()) {
    return base::Error(base::Code::kFailedPrecondition, "There is no held-out row to score.",
                       "Hold out more with holdout.ratio, or evaluate.split = \"all\".")
        .at_field("/holdout/ratio");
  }
  return rows;
}

// Predictions quote rows, so they are sealed in the rows' own domain; the record names the object.
Status keep_sealed(Context& context, const std::string& name, std::string_view text,
                   job::TaskResult& result) {
  MORTISE_ASSIGN(const OpenDomain* const sealed, context.sealed());
  MORTISE_ASSIGN(const store::ObjectRef object, sealed->domain->put(base::as_bytes(text)));
  Json& objects = result.record["objects"];
  if (!objects.is_array()) objects = Json::array();
  objects.push_back(Json::object({{"name", name},
                                  {"domain", sealed->key.domain_id()},
                                  {"object", to_text(object)},
                                  {"size_bytes", object.size_bytes}}));
  return {};
}

}  // namespace

Status score_model(Context& context, TaskDevice& device, const ModelFolders& folders,
                   job::TaskResult& result) {
  engine::ChatModelRequest opened;
  opened.model_folder = folders.model;
  opened.adapter_folder = folders.adapter;
  opened.tokenizer_id = context.tokenizer_id();
  opened.tokenizer_config = context.task.manifest["plugins"]["tokenizer"]["config"];
  opened.media = context.task.manifest["media"];
  MORTISE_ASSIGN(const auto chat, engine::ChatModel::open(context.files, context.registry, opened));
  MORTISE_ASSIGN(const engine::Dataset dataset,
                 engine::Dataset::open(context.files, context.task.inputs.dataset_file,
                                       context.domain_or_null()));
  MORTISE_ASSIGN(std::vector<uint64_t> rows, rows_of(context, dataset));
  evaluate::EvaluateRequest request = request_of(context, std::move(rows));
  const auto run = [&](const char* of, bool permutes) -> Status {
    request.of = of;
    request.permutes_images = permutes;
    request.keep_predictions = [&context, &result, of](std::string_view lines) {
      return keep_sealed(context, std::string("predictions-") + of + ".jsonl", lines, result);
    };
    evaluate::EvaluateHooks hooks;
    hooks.progress = [&](int64_t done, int64_t total) {
      context.progress(std::string("evaluate ") + of, done, total);
    };
    hooks.is_cancelled = [&] { return context.is_cancelled.load(); };
    MORTISE_ASSIGN(const Json scores,
                   evaluate::run_evaluation(context.files, context.registry, device.device, *chat,
                                            dataset, request, hooks));
    for (const Json& score : scores.items()) result.scores.push_back(score);
    return {};
  };
  const Json& options = context.task.manifest["evaluate"];
  const bool has_adapter = chat->has_adapter();
  const bool is_tuned = has_adapter || context.task.kind == "train";
  MORTISE_TRY(run(is_tuned ? "tuned" : "base", false));
  if (options["permute_images"].as_bool()) MORTISE_TRY(run("permuted", true));
  if (has_adapter && options["base"].as_bool(true)) {
    chat->drop_adapter();
    MORTISE_TRY(run("base", false));
  }
  result.record["tokenizer"] = opened.tokenizer_id;
  result.record["tokenizer_fingerprint"] = chat->tokenizer().fingerprint();
  result.record["rows_count"] = static_cast<int64_t>(request.rows.size());
  return {};
}

Status check_after_training(Context& context) {
  const Json& manifest = context.task.manifest;
  for (const Json& format : manifest["export"].items()) {
    if (format.as_string() == "peft" && manifest["method"]["type"].as_string() == "full") {
      return base::Error(base::Code::kInvalidArgument,
                         "Training all weights makes no adapter, so there is no PEFT export.",
                         "Export as hf, or train with method.type = \"lora\".")
          .at_field("/export");
    }
  }
  if (manifest["plugins"]["metrics"].size() == 0) return {};
  for (const Json& metric : manifest["plugins"]["metrics"].items()) {
    MORTISE_TRY(context.registry.open_metric(metric["id"].as_string(), metric["config"]));
  }
  MORTISE_ASSIGN(const engine::Dataset dataset,
                 engine::Dataset::open(context.files, context.task.inputs.dataset_file,
                                       context.domain_or_null()));
  MORTISE_TRY(rows_of(context, dataset));
  return {};
}

Result<job::TaskResult> task_evaluate(Context& context) {
  MORTISE_ASSIGN(const auto device, open_device(context));
  job::TaskResult result;
  const job::TaskInputs& inputs = context.task.inputs;
  MORTISE_TRY(score_model(context, *device, {inputs.model_folder, inputs.adapter_folder}, result));
  result.ok = true;
  result.summary = "Scored " + result.record["rows_count"].dump() + " rows.";
  result.record["operations"] = device->counts();
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(context.files, context.task.output_folder));
  return result;
}

}  // namespace mortise::worker
