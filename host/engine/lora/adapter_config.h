// adapter_config.json of a LoRA adapter in PEFT's words: which modules it attaches to, with what
// rank and scale. Reading, checking, matching and writing. Called by lora/adapter and
// engine/train. Knows no tensors and no models.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/pattern.h"
#include "base/result.h"

namespace mortise::engine {

// "q_proj, v_proj", a regular expression, or nothing.
struct ModuleRule {
  std::vector<std::string> names;        // whole names, or what a name ends in after a dot
  std::optional<base::Pattern> pattern;  // of the whole name; then `names` is empty
  std::string pattern_text;
  bool all_linear = false;  // "all-linear"; replaced by names once the model is known

  bool is_empty() const { return names.empty() && !pattern && !all_linear; }
};

struct AdapterConfig {
  int64_t r = 8;
  double lora_alpha = 8;
  double lora_dropout = 0;
  bool use_rslora = false, use_dora = false;
  ModuleRule target_modules, exclude_modules;
  std::vector<std::pair<std::string, int64_t>> rank_pattern;  // in the file's order
  std::vector<std::pair<std::string, double>> alpha_pattern;
  std::optional<std::vector<int64_t>> layers_to_transform;
  std::vector<std::string> layers_pattern;
  std::vector<std::string> modules_to_save;
  std::string bias = "none";  // none, all, lora_only
  bool gaussian_init = false;
  base::Json source;  // the file as read: keys that are not known here are kept when written
};

// Errors: INVALID_ARGUMENT naming the field; UNIMPLEMENTED naming a field that changes the
// computation in a way not known here (fan_in_fan_out, layer_replication, target_parameters, ...).
base::Result<AdapterConfig> parse_adapter_config(const base::Json& json);
base::Result<AdapterConfig> read_adapter_config(base::FileOps& files, const std::string& folder);
// From "method" of a job manifest, whose names are PEFT's.
base::Result<AdapterConfig> adapter_config_of_method(const base::Json& method);

// The file's content: what was read, with the fields above brought up to date.
base::Json adapter_config_json(const AdapterConfig& config, const std::string& base_model);

// PEFT's rules for one module of the base model. Errors: RESOURCE_EXHAUSTED or INVALID_ARGUMENT of
// a pattern.
base::Result<bool> is_target(const AdapterConfig& config, std::string_view module);
bool is_saved_module(const AdapterConfig& config, std::string_view module);
struct ModuleRank {
  int64_t rank = 0;
  double scale = 0;  // alpha / rank, or alpha / sqrt(rank)
};
base::Result<ModuleRank> rank_of(const AdapterConfig& config, std::string_view module);

}  // namespace mortise::engine
