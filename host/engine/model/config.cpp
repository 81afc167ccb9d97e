#include "engine/model/config.h"

#include "engine/model/config_reader.h"

namespace mortise::engine {
namespace {

bool is_qwen_vl(const std::string& model_type) {
  return model_type == "qwen2_vl" || model_type == "qwen2_5_vl";
}

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

// The pieces must share out all frequencies of a head.
Status read_sections(const Json& json, int64_t frequencies, std::vector<int64_t>& sections) {
  int64_t sum = 0;
  for (const Json& item : json["mrope_section"].items()) {
    const int64_t count = item.is_integer() ? item.as_int(-1) : -1;
    if (count < 1 || count > frequencies) return config_error("mrope_section", "must hold counts.");
    sections.push_back(count);
    sum += count;
  }
  if (sum == frequencies) return {};
  return config_error("mrope_section", "must add up to head_dim / 2, " +
                                           std::to_string(frequencies) + ", not to " +
                                           std::to_string(sum) + ".");
}

// v5: rope_parameters {rope_type, rope_theta, ...}; v4: rope_theta beside rope_scaling {rope_type
// or type, ...}, where the type of Qwen-VL is "mrope".
Status read_rope(const Json& json, TextConfig& text) {
  RopeConfig& rope = text.rope;
  const bool is_mrope = is_qwen_vl(text.model_type);
  ConfigReader outer(json);
  outer.number("rope_theta", rope.theta);
  MORTISE_TRY(outer.status());
  const Json* values = outer.present("rope_parameters");
  if (values == nullptr) values = outer.present("rope_scaling");
  if (values == nullptr && is_mrope) return config_error("mrope_section", "is missing.");
  if (values == nullptr) return {};
  ConfigReader inner(*values);
  inner.text("type", rope.type);
  inner.text("rope_type", rope.type);
  inner.number("rope_theta", rope.theta);
  inner.number("factor", rope.factor);
  inner.number("low_freq_factor", rope.low_freq_factor);
  inner.number("high_freq_factor", rope.high_freq_factor);
  inner.size("original_max_position_embeddings", rope.original_positions);
  MORTISE_TRY(inner.status());
  if (is_mrope && rope.type == "mrope") rope.type = "default";
  if (rope.type != "default" && rope.type != "linear" && rope.type != "llama3") {
    return unknown_choice("rope_type", rope.type,
                          std::string(is_mrope ? "mrope, " : "") + "default, linear, llama3");
  }
  if (rope.type == "llama3" && rope.high_freq_factor <= rope.low_freq_factor) {
    return config_error("high_freq_factor", "must be larger than low_freq_factor.");
  }
  return is_mrope ? read_sections(*values, text.head_dim / 2, rope.sections) : Status();
}

// Which layers see only a window, by layer_types (v5) or by the older fields.
Status read_windows(const Json& json, TextConfig& text) {
  text.windows.assign(static_cast<size_t>(text.layers), 0);
  ConfigReader reader(json);
  int64_t window = 0, first = 28;
  if (text.model_type == "mistral") first = 0;
  if (is_qwen_vl(text.model_type)) first = 80;
  reader.size("sliding_window", window);
  reader.size("max_window_layers", first);
  bool used = text.model_type == "mistral";
  reader.flag("use_sliding_window", used);
  MORTISE_TRY(reader.status());
  if (const Json* types = reader.present("layer_types")) {
    if (types->size() != text.windows.size()) {
      return config_error("layer_types", "must name the kind of each of the " +
                                             std::to_string(text.layers) + " layers.");
    }
    for (size_t i = 0; i < text.windows.size(); ++i) {
      const std::string& type = types->at(i).as_string();
      if (type == "full_attention") continue;
      if (type != "sliding_attention") {
        return unknown_choice("layer_types", type, "full_attention, sliding_attention");
      }
      if (window == 0) return config_error("sliding_window", "is needed by layer_types.");
      text.windows[i] = static_cast<int32_t>(window);
    }
    return {};
  }
  for (size_t i = 0; used && i < text.windows.size(); ++i) {
    if (static_cast<int64_t>(i) >= first) text.windows[i] = static_cast<int32_t>(window);
  }
  return {};
}

Status read_eos(const Json& json, std::vector<int32_t>& ids) {
  const Json* value = json.find("eos_token_id");
  if (value == nullptr || value->is_null()) return {};
  const Json list = value->is_array() ? *value : Json::array({*value});
  ids.clear();
  for (const Json& id : list.items()) {
    if (!id.is_integer() || id.as_int(-1) < 0 || id.as_int() >= kDimensionMax) {
      return config_error("eos_token_id", "must be a token id or a list of them.");
    }
    ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  return {};
}

// What transformers assumes where config.json is silent.
TextConfig text_defaults(const std::string& model_type) {
  TextConfig text;
  text.model_type = model_type;
  if (model_type == "mistral") text.intermediate_size = 14336;
  if (model_type == "qwen2" || model_type == "qwen3") {
    text.vocab_size = 151936;
    text.intermediate_size = 22016;
    text.positions_max = 32768;
  }
  if (is_qwen_vl(model_type)) {
    text.vocab_size = 152064;
    text.hidden_size = 8192;
    text.intermediate_size = 29568;
    text.layers = 80;
    text.heads = 64;
    text.positions_max = 32768;
    text.rms_norm_eps = 1e-5;
    text.rope.theta = 1000000;
  }
  text.qkv_bias = model_type.starts_with("qwen2");
  text.qk_norm = model_type == "qwen3";
  return text;
}

}  // namespace

Result<TextConfig> read_text(const Json& json, const std::string& model_type) {
  TextConfig text = text_defaults(model_type);
  ConfigReader reader(json);
  reader.size("vocab_size", text.vocab_size);
  reader.size("hidden_size", text.hidden_size);
  reader.size("intermediate_size", text.intermediate_size);
  reader.size("num_hidden_layers", text.layers, kLayersMax);
  reader.size("num_attention_heads", text.heads);
  text.kv_heads = model_type == "mistral" || is_qwen_vl(model_type) ? 8 : text.heads;
  reader.size("num_key_value_heads", text.kv_heads);
  text.head_dim = model_type == "qwen3" ? 128 : text.hidden_size / std::max<int64_t>(text.heads, 1);
  reader.size("head_dim", text.head_dim);
  reader.size("max_position_embeddings", text.positions_max);
  reader.number("rms_norm_eps", text.rms_norm_eps);
  reader.number("initializer_range", text.initializer_range);
  reader.flag("tie_word_embeddings", text.tied);
  if (model_type == "llama" || model_type == "qwen3") {
    bool bias = false;
    reader.flag("attention_bias", bias);
    text.qkv_bias = text.o_bias = bias;
  }
  if (model_type == "llama") reader.flag("mlp_bias", text.mlp_bias);
  std::string activation = "silu";
  reader.text("hidden_act", activation);
  MORTISE_TRY(reader.status());
  if (activation != "silu") return unknown_choice("hidden_act", activation, "silu");
  if (text.heads % text.kv_heads != 0) {
    return config_error("num_key_value_heads", "must divide num_attention_heads.");
  }
  if (text.head_dim % 2 != 0)
    return config_error("head_dim", "must be even: rotation works on pairs.");
  MORTISE_TRY(read_rope(json, text));
  MORTISE_TRY(read_windows(json, text));
  MORTISE_TRY(read_eos(json, text.eos_ids));
  return text;
}

Result<ModelConfig> parse_config(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalidArgument, "config.json is not an object.");
  ModelConfig config;
  config.source = json;
  ConfigReader reader(json);
  reader.text("model_type", config.model_type);
  reader.text("torch_dtype", config.dtype);
  reader.text("dtype", config.dtype);
  MORTISE_TRY(reader.status());
  const std::string& type = config.model_type;
  if (type == "llama" || type == "mistral" || type == "qwen2" || type == "qwen3") {
    MORTISE_ASSIGN(config.text, read_text(json, type));
  } else if (type == "llava") {
    MORTISE_TRY(read_llava(json, config));
  } else if (is_qwen_vl(type)) {
    MORTISE_TRY(read_qwen_vl(json, config));
  } else if (type == "qwen2_audio") {
    MORTISE_TRY(read_qwen2_audio(json, config));
  } else if (type == "whisper") {
    MORTISE_TRY(read_whisper(json, config));
  } else if (type == "clip" || type == "clip_vision_model") {
    MORTISE_TRY(read_clip(json, config));
  } else if (type == "siglip" || type == "siglip_vision_model") {
    MORTISE_TRY(read_siglip(json, config));
  } else if (type.empty()) {
    return config_error("model_type", "is missing, so the architecture is not known.");
  } else {
    return unknown_choice("model_type", type,
                          "llama, mistral, qwen2, qwen3, llava, qwen2_vl, qwen2_5_vl, qwen2_audio, "
                          "clip, clip_vision_model, siglip, siglip_vision_model, whisper");
  }
  return config;
}

Result<ModelConfig> read_config(base::FileOps& files, const std::string& folder) {
  const std::string path = base::join_path(folder, "config.json");
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 16u << 20));
  auto json = base::parse_json(text);
  if (!json.ok()) return std::move(json.error().at_file(path));
  auto config = parse_config(*json);
  if (!config.ok()) return std::move(config.error().at_file(path));
  const std::string generation = base::join_path(folder, "generation_config.json");
  MORTISE_ASSIGN(const bool there, files.exists(generation));
  if (there && config->text) {
    MORTISE_ASSIGN(const std::string more, base::read_file(files, generation, 1u << 20));
    auto values = base::parse_json(more);
    if (!values.ok()) return std::move(values.error().at_file(generation));
    Status eos = read_eos(*values, config->text->eos_ids);
    if (!eos.ok()) return std::move(eos.error().at_file(generation));
  }
  return config;
}

}  // namespace mortise::engine
