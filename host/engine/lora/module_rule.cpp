// Which modules an adapter touches, with which rank: PEFT's rules (check_target_module_exists,
// get_pattern_key), sentence by sentence.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/lora/adapter_config.h"

namespace mortise::engine {
namespace {

bool ends_in(std::string_view module, const std::string& name) {
  return module.size() > name.size() && module.ends_with(name) &&
         module[module.size() - name.size() - 1] == '.';
}

base::Result<bool> is_excluded(const ModuleRule& rule, std::string_view module) {
  if (rule.pattern) return rule.pattern->full_match(module);
  return std::any_of(rule.names.begin(), rule.names.end(), [&](const std::string& name) {
    return module == name || ends_in(module, name);
  });
}

// The number that follows `pattern`, or any name, as a path part: the last such place.
base::Result<std::optional<int64_t>> layer_of(std::string_view module, const std::string& pattern) {
  const std::string expression =
      pattern.empty() ? ".*\\.[^.]*\\.(\\d+)\\." : ".*\\." + pattern + "\\.(\\d+)\\.";
  MORTISE_ASSIGN(const base::Pattern compiled, base::Pattern::compile(expression));
  MORTISE_ASSIGN(const auto match, compiled.find(module));
  if (!match || match->begin != 0) return std::optional<int64_t>();
  const auto [begin, end] = match->groups.at(1);
  int64_t layer = 0;
  std::from_chars(module.data() + begin, module.data() + end, layer);
  return std::optional<int64_t>(layer);
}

base::Result<bool> is_in_chosen_layer(const AdapterConfig& config, std::string_view module) {
  std::vector<std::string> patterns = config.layers_pattern;
  if (patterns.empty()) patterns.emplace_back();
  for (const std::string& pattern : patterns) {
    MORTISE_ASSIGN(const std::optional<int64_t> layer, layer_of(module, pattern));
    if (!layer) continue;
    const auto& chosen = *config.layers_to_transform;
    return std::find(chosen.begin(), chosen.end(), *layer) != chosen.end();
  }
  return false;
}

// The value of the first pattern that is the module's name or its end.
template <class Value>
base::Result<Value> pattern_value(const std::vector<std::pair<std::string, Value>>& patterns,
                                  std::string_view module, Value otherwise) {
  for (const auto& [text, value] : patterns) {
    MORTISE_ASSIGN(const base::Pattern pattern, base::Pattern::compile("(.*\\.)?(" + text + ")"));
    MORTISE_ASSIGN(const bool matches, pattern.full_match(module));
    if (matches) return value;
  }
  return otherwise;
}

}  // namespace

base::Result<bool> is_target(const AdapterConfig& config, std::string_view module) {
  MORTISE_ASSIGN(const bool excluded, is_excluded(config.exclude_modules, module));
  if (excluded) return false;
  const ModuleRule& rule = config.target_modules;
  if (rule.pattern) return rule.pattern->full_match(module);
  for (const std::string& name : rule.names) {
    if (module == name) return true;
  }
  const bool found = std::any_of(rule.names.begin(), rule.names.end(),
                                 [&](const std::string& name) { return ends_in(module, name); });
  if (!found || !config.layers_to_transform) return found;
  return is_in_chosen_layer(config, module);
}

bool is_saved_module(const AdapterConfig& config, std::string_view module) {
  return std::any_of(config.modules_to_save.begin(), config.modules_to_save.end(),
                     [&](const std::string& name) { return module.ends_with(name); });
}

base::Result<ModuleRank> rank_of(const AdapterConfig& config, std::string_view module) {
  ModuleRank out;
  MORTISE_ASSIGN(out.rank, pattern_value(config.rank_pattern, module, config.r));
  MORTISE_ASSIGN(const double alpha,
                 pattern_value(config.alpha_pattern, module, config.lora_alpha));
  const auto rank = static_cast<double>(out.rank);
  out.scale = config.use_rslora ? alpha / std::sqrt(rank) : alpha / rank;
  return out;
}

}  // namespace mortise::engine
