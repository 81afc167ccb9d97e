// Reading the settings, and transformers' arithmetic of steps.
#include "engine/train/settings.h"

#include <algorithm>
#include <cmath>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

Error not_built(const std::string& field, const std::string& what) {
  return Error(Code::kUnimplemented, what + " is not built yet.", "Leave it at its default.")
      .at_field(field);
}

base::Status refuse_unbuilt(const Json& manifest) {
  const Json& train = manifest["train"];
  const Json& quantization = train["base_quantization"];
  if (quantization.is_string() && quantization.as_string() != "none") {
    return not_built("/train/base_quantization", "Training on a quantised base");
  }
  if (manifest["fusion"].is_string() && manifest["fusion"].as_string() != "early") {
    return not_built("/fusion", "Late fusion");
  }
  const Json& resources = manifest["resources"];
  if (resources["count"].as_int(1) != 1 || resources["nodes"].as_int(1) != 1) {
    return not_built("/resources/count", "Training on several devices");
  }
  if (resources["slice"].is_string()) {
    return not_built("/resources/slice", "Training on a slice of a device");
  }
  return {};
}

Error contradiction(const std::string& field, const std::string& what, const std::string& hint) {
  return Error(Code::kInvalidArgument, what, hint).at_field(field);
}

// What only LoRA has, set away from its default beside full tuning.
base::Status refuse_lora_words(const Json& method) {
  for (const auto& [name, value] : method.members()) {
    const bool counts = name == "use_dora" || name == "use_rslora" || name == "lora_dropout" ||
                        name == "rank_pattern" || name == "alpha_pattern" ||
                        name == "modules_to_save" || name == "layers_to_transform" ||
                        name == "init_adapter";
    const bool is_set = value.as_bool() || value.as_double() != 0 || value.size() > 0 ||
                        (value.is_string() && !value.as_string().empty());
    if (!counts || !is_set) continue;
    return contradiction("/method/" + name,
                         "\"" + name + "\" belongs to LoRA, but the method is full tuning.",
                         "Leave it out, or set method.type to lora.");
  }
  return {};
}

base::Status refuse_contradictions(const Json& manifest, const TrainSettings& s) {
  if (s.full) MORTISE_TRY(refuse_lora_words(s.method));
  if (s.method["layers_pattern"].is_string() && s.method["layers_to_transform"].is_null()) {
    return contradiction("/method/layers_pattern",
                         "\"layers_pattern\" says where a layer's number stands, but "
                         "\"layers_to_transform\" names no layer.",
                         "Set layers_to_transform, or leave layers_pattern out.");
  }
  for (const ParameterGroup& group : s.groups) {
    if (!group.frozen || (!group.learning_rate && !group.weight_decay)) continue;
    return contradiction("/train/parameter_groups",
                         "The group \"" + group.pattern + "\" is frozen and has a rate or a decay.",
                         "Leave one of them out.");
  }
  const Json& train = manifest["train"];
  if (!s.best.is_used()) {
    const bool named = train["metric_for_best_model"].is_string();
    if (!named && !train["greater_is_better"].is_bool()) return {};
    return contradiction(named ? "/train/metric_for_best_model" : "/train/greater_is_better",
                         "A metric is chosen, but nothing is decided by it.",
                         "Set load_best_model_at_end or early_stopping_patience.");
  }
  const char* user =
      s.best.load_at_end ? "/train/load_best_model_at_end" : "/train/early_stopping_patience";
  if (s.eval_steps == 0) {
    return contradiction(user, "The best checkpoint is found by evaluations, but eval_steps is 0.",
                         "Set eval_steps.");
  }
  if (s.holdout_ratio > 0) return {};
  return contradiction(user,
                       "The best checkpoint is found on held-out rows, but holdout.ratio is 0.",
                       "Set holdout.ratio.");
}

std::vector<ParameterGroup> groups_of(const Json& list) {
  std::vector<ParameterGroup> out;
  for (const Json& json : list.items()) {
    ParameterGroup group{.pattern = json["pattern"].as_string(),
                         .frozen = json["frozen"].as_bool(),
                         .learning_rate = {},
                         .weight_decay = {}};
    if (json["learning_rate"].is_number()) group.learning_rate = json["learning_rate"].as_double();
    if (json["weight_decay"].is_number()) group.weight_decay = json["weight_decay"].as_double();
    out.push_back(std::move(group));
  }
  return out;
}

BestSettings best_of(const Json& train) {
  BestSettings best;
  const std::string& name = train["metric_for_best_model"].as_string();
  if (!name.empty()) best.metric = name.starts_with("eval_") ? name : "eval_" + name;
  best.greater_is_better = train["greater_is_better"].as_bool(!best.metric.ends_with("loss"));
  best.load_at_end = train["load_best_model_at_end"].as_bool();
  best.patience = train["early_stopping_patience"].as_int(0);
  best.threshold = train["early_stopping_threshold"].as_double(0);
  return best;
}

Truncation truncation_of(const Json& value) {
  if (value.as_string() == "left") return Truncation::kLeft;
  return value.as_string() == "right" ? Truncation::kRight : Truncation::kRefuse;
}

int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

base::Result<TrainSettings> read_train_settings(const Json& manifest) {
  MORTISE_TRY(refuse_unbuilt(manifest));
  TrainSettings s;
  const Json& train = manifest["train"];
  s.method = manifest["method"];
  s.full = s.method["type"].as_string() == "full";
  s.epochs = train["num_train_epochs"].as_double(s.epochs);
  s.max_steps = train["max_steps"].as_int(s.max_steps);
  s.batch_size = train["per_device_train_batch_size"].as_int(s.batch_size);
  s.accumulation = train["gradient_accumulation_steps"].as_int(s.accumulation);
  s.learning_rate = train["learning_rate"].as_double(s.learning_rate);
  if (train["lr_scheduler_type"].is_string()) s.schedule = train["lr_scheduler_type"].as_string();
  s.schedule_options = train["lr_scheduler_kwargs"];
  s.warmup_steps = train["warmup_steps"].as_int(s.warmup_steps);
  s.warmup_ratio = train["warmup_ratio"].as_double(s.warmup_ratio);
  s.weight_decay = train["weight_decay"].as_double(s.weight_decay);
  s.beta1 = train["adam_beta1"].as_double(s.beta1);
  s.beta2 = train["adam_beta2"].as_double(s.beta2);
  s.epsilon = train["adam_epsilon"].as_double(s.epsilon);
  s.max_grad_norm = train["max_grad_norm"].as_double(s.max_grad_norm);
  s.max_length = train["max_length"].as_int(s.max_length);
  s.truncation = truncation_of(train["truncation"]);
  s.packing = train["packing"].as_bool(s.packing);
  s.shuffle = train["shuffle"].as_bool(s.shuffle);
  s.seed = train["seed"].as_uint(s.seed);
  s.bf16 = !train["precision"].is_string() || train["precision"].as_string() == "bf16";
  s.save_steps = train["save_steps"].as_int(s.save_steps);
  s.eval_steps = train["eval_steps"].as_int(s.eval_steps);
  s.loader_threads = train["dataloader_num_workers"].as_int(s.loader_threads);
  if (train["freeze"].is_array()) {
    s.freeze.clear();
    for (const Json& name : train["freeze"].items()) s.freeze.push_back(name.as_string());
  }
  s.holdout_ratio = manifest["holdout"]["ratio"].as_double(s.holdout_ratio);
  s.holdout_seed = manifest["holdout"]["seed"].as_uint(s.holdout_seed);
  s.groups = groups_of(train["parameter_groups"]);
  s.recompute = train["gradient_checkpointing"].as_bool();
  s.best = best_of(train);
  MORTISE_TRY(refuse_contradictions(manifest, s));
  return s;
}

int64_t TrainSettings::steps_per_epoch(uint64_t rows) const {
  return std::max<int64_t>(
      1, divide_up(divide_up(static_cast<int64_t>(rows), batch_size), accumulation));
}

int64_t TrainSettings::total_steps(uint64_t rows) const {
  if (max_steps > 0) return max_steps;
  return static_cast<int64_t>(std::ceil(epochs * static_cast<double>(steps_per_epoch(rows))));
}

int64_t TrainSettings::warmup_of(int64_t total_steps) const {
  if (warmup_steps > 0) return warmup_steps;
  return static_cast<int64_t>(std::ceil(static_cast<double>(total_steps) * warmup_ratio));
}

}  // namespace mortise::engine
