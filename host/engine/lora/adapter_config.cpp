// Reading and writing adapter_config.json. The rules of matching are in module_rule.cpp.
#include "engine/lora/adapter_config.h"

#include <array>
#include <cmath>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr const char* kConfigName = "adapter_config.json";

Error wrong(const std::string& field, const std::string& wanted, const Json& found) {
  return Error(Code::kInvalidArgument, "\"" + field + "\" must be " + wanted + ", but is " +
                                           std::string(found.kind_name()) + ".")
      .at_field("/" + field);
}

base::Result<ModuleRule> read_rule(const Json& json, const std::string& field, bool may_be_all) {
  ModuleRule rule;
  const Json& value = json[field];
  if (value.is_null()) return rule;
  if (value.is_string()) {
    if (may_be_all && value.as_string() == "all-linear") {
      rule.all_linear = true;
      return rule;
    }
    auto pattern = base::Pattern::compile(value.as_string());
    if (!pattern.ok()) return std::move(pattern.error().at_field("/" + field));
    rule.pattern = std::move(pattern).value();
    rule.pattern_text = value.as_string();
    return rule;
  }
  if (!value.is_array()) return wrong(field, "a list of names or a regular expression", value);
  for (const Json& name : value.items()) {
    if (!name.is_string()) return wrong(field, "a list of names", name);
    rule.names.push_back(name.as_string());
  }
  return rule;
}

base::Result<std::vector<std::string>> read_names(const Json& json, const std::string& field) {
  std::vector<std::string> names;
  const Json& value = json[field];
  if (value.is_null()) return names;
  if (value.is_string()) return std::vector<std::string>{value.as_string()};
  if (!value.is_array()) return wrong(field, "a list of names", value);
  for (const Json& name : value.items()) {
    if (!name.is_string()) return wrong(field, "a list of names", name);
    names.push_back(name.as_string());
  }
  return names;
}

base::Status read_layers(const Json& json, AdapterConfig& config) {
  const Json& value = json["layers_to_transform"];
  if (value.is_null()) return {};
  std::vector<int64_t> layers;
  if (value.is_integer()) layers.push_back(value.as_int());
  for (const Json& layer : value.items()) {
    if (!layer.is_integer()) return wrong("layers_to_transform", "a list of numbers", layer);
    layers.push_back(layer.as_int());
  }
  if (!value.is_integer() && !value.is_array()) {
    return wrong("layers_to_transform", "a number or a list of numbers", value);
  }
  config.layers_to_transform = std::move(layers);
  return {};
}

base::Status read_patterns(const Json& json, AdapterConfig& config) {
  for (const auto& [name, rank] : json["rank_pattern"].members()) {
    if (!rank.is_integer() || rank.as_int() < 1) {
      return wrong("rank_pattern", "an object of numbers from 1 on", rank);
    }
    config.rank_pattern.emplace_back(name, rank.as_int());
  }
  for (const auto& [name, alpha] : json["alpha_pattern"].members()) {
    if (!alpha.is_number()) return wrong("alpha_pattern", "an object of numbers", alpha);
    config.alpha_pattern.emplace_back(name, alpha.as_double());
  }
  return {};
}

// Fields of PEFT that change what an adapter computes, and what leaves it unchanged.
base::Status refuse_unknown_methods(const Json& json) {
  constexpr std::array<const char*, 16> kOff = {"fan_in_fan_out",
                                                "layer_replication",
                                                "target_parameters",
                                                "trainable_token_indices",
                                                "lora_bias",
                                                "megatron_config",
                                                "use_qalora",
                                                "use_bdlora",
                                                "alora_invocation_tokens",
                                                "arrow_config",
                                                "kasa_config",
                                                "velora_config",
                                                "monteclora_config",
                                                "lora_ga_config",
                                                "corda_config",
                                                "eva_config"};
  for (const char* field : kOff) {
    const Json& value = json[field];
    if (value.is_null() || (value.is_bool() && !value.as_bool())) continue;
    return Error(Code::kUnimplemented,
                 std::string(kConfigName) + " sets \"" + field + "\", which is not supported here.",
                 "Train or convert the adapter without it.")
        .at_field(std::string("/") + field);
  }
  return {};
}

base::Status read_numbers(const Json& json, AdapterConfig& config) {
  config.r = json["r"].is_null() ? config.r : json["r"].as_int(-1);
  if (config.r < 1) return wrong("r", "a number from 1 on", json["r"]);
  const Json& alpha = json["lora_alpha"];
  if (!alpha.is_null() && !alpha.is_number()) return wrong("lora_alpha", "a number", alpha);
  config.lora_alpha = alpha.as_double(config.lora_alpha);
  config.lora_dropout = json["lora_dropout"].as_double(0);
  if (config.lora_dropout < 0 || config.lora_dropout >= 1) {
    return wrong("lora_dropout", "from 0 to below 1", json["lora_dropout"]);
  }
  config.use_rslora = json["use_rslora"].as_bool();
  config.use_dora = json["use_dora"].as_bool();
  const std::string bias = json["bias"].is_string() ? json["bias"].as_string() : "none";
  if (bias != "none" && bias != "all" && bias != "lora_only") {
    return Error(Code::kInvalidArgument, "\"bias\" is \"" + bias + "\".",
                 "Use none, all or lora_only.")
        .at_field("/bias");
  }
  config.bias = bias;
  config.gaussian_init = json["init_lora_weights"].as_string() == "gaussian";
  return {};
}

Json names_json(const std::vector<std::string>& names) {
  Json out = Json::array();
  for (const std::string& name : names) out.push_back(name);
  return out;
}

Json rule_json(const ModuleRule& rule) {
  if (rule.pattern) return Json(rule.pattern_text);
  if (rule.all_linear) return Json("all-linear");
  return rule.names.empty() ? Json() : names_json(rule.names);
}

Json number_json(double value) {
  const double whole = std::nearbyint(value);
  return whole == value ? Json(static_cast<int64_t>(whole)) : Json(value);
}

// What PEFT writes for a plain adapter, in its order.
Json plain_config() {
  return Json::object({{"alpha_pattern", Json::object()},
                       {"auto_mapping", nullptr},
                       {"base_model_name_or_path", nullptr},
                       {"bias", "none"},
                       {"exclude_modules", nullptr},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"init_lora_weights", true},
                       {"layer_replication", nullptr},
                       {"layers_pattern", nullptr},
                       {"layers_to_transform", nullptr},
                       {"loftq_config", Json::object()},
                       {"lora_alpha", 8},
                       {"lora_bias", false},
                       {"lora_dropout", 0.0},
                       {"megatron_config", nullptr},
                       {"megatron_core", "megatron.core"},
                       {"modules_to_save", nullptr},
                       {"peft_type", "LORA"},
                       {"r", 8},
                       {"rank_pattern", Json::object()},
                       {"revision", nullptr},
                       {"target_modules", nullptr},
                       {"task_type", "CAUSAL_LM"},
                       {"use_dora", false},
                       {"use_rslora", false}});
}

}  // namespace

base::Result<AdapterConfig> parse_adapter_config(const Json& json) {
  if (!json.is_object()) {
    return Error(Code::kInvalidArgument, std::string(kConfigName) + " must hold a JSON object.");
  }
  if (json.contains("peft_type") && json["peft_type"].as_string() != "LORA") {
    return Error(Code::kUnimplemented, "The adapter is of the PEFT type \"" +
                                           json["peft_type"].as_string() +
                                           "\"; only LORA is known here.")
        .at_field("/peft_type");
  }
  MORTISE_TRY(refuse_unknown_methods(json));
  AdapterConfig config;
  MORTISE_TRY(read_numbers(json, config));
  MORTISE_ASSIGN(config.target_modules, read_rule(json, "target_modules", true));
  MORTISE_ASSIGN(config.exclude_modules, read_rule(json, "exclude_modules", false));
  MORTISE_ASSIGN(config.modules_to_save, read_names(json, "modules_to_save"));
  MORTISE_ASSIGN(config.layers_pattern, read_names(json, "layers_pattern"));
  MORTISE_TRY(read_layers(json, config));
  MORTISE_TRY(read_patterns(json, config));
  config.source = json;
  return config;
}

base::Result<AdapterConfig> read_adapter_config(base::FileOps& files, const std::string& folder) {
  const std::string path = base::join_path(folder, kConfigName);
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1 << 20));
  auto json = base::parse_json(text);
  if (!json.ok()) return std::move(json.error().at_file(path));
  auto config = parse_adapter_config(*json);
  if (!config.ok()) return std::move(config.error().at_file(path));
  return config;
}

base::Result<AdapterConfig> adapter_config_of_method(const Json& method) {
  Json json = Json::object();
  for (const auto& [name, value] : method.members()) {
    if (name != "type" && name != "init_adapter") json[name] = value;
  }
  auto config = parse_adapter_config(json);
  if (!config.ok()) {
    config.error().field = "/method" + config.error().field;
    return config;
  }
  if (config->target_modules.is_empty()) config->target_modules.all_linear = true;
  config->source = Json();
  return config;
}

Json adapter_config_json(const AdapterConfig& config, const std::string& base_model) {
  Json json = config.source.is_object() ? config.source : plain_config();
  if (!base_model.empty()) json["base_model_name_or_path"] = base_model;
  json["r"] = config.r;
  json["lora_alpha"] = number_json(config.lora_alpha);
  json["lora_dropout"] = config.lora_dropout;
  json["use_rslora"] = config.use_rslora;
  json["use_dora"] = config.use_dora;
  json["bias"] = config.bias;
  json["target_modules"] = rule_json(config.target_modules);
  if (!config.exclude_modules.is_empty() || json.contains("exclude_modules")) {
    json["exclude_modules"] = rule_json(config.exclude_modules);
  }
  json["modules_to_save"] =
      config.modules_to_save.empty() ? Json() : names_json(config.modules_to_save);
  Json ranks = Json::object(), alphas = Json::object();
  for (const auto& [name, rank] : config.rank_pattern) ranks[name] = rank;
  for (const auto& [name, alpha] : config.alpha_pattern) alphas[name] = number_json(alpha);
  json["rank_pattern"] = std::move(ranks);
  json["alpha_pattern"] = std::move(alphas);
  if (config.gaussian_init) json["init_lora_weights"] = "gaussian";
  if (config.layers_to_transform && !config.source.is_object()) {
    Json layers = Json::array();
    for (const int64_t layer : *config.layers_to_transform) layers.push_back(layer);
    json["layers_to_transform"] = std::move(layers);
    json["layers_pattern"] =
        config.layers_pattern.empty() ? Json() : names_json(config.layers_pattern);
  }
  return json;
}

}  // namespace mortise::engine
