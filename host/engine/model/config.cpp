#include "engine/model/config.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr int64_t kSizeMax = 1 << 24;  // no dimension of a real model is larger
constexpr int64_t kLayersMax = 1000;

Error bad_field(const std::string& field, const std::string& message) {
  Error error(Code::kInvalidArgument, "\"" + field + "\" " + message,
              "Mend config.json or fetch it again.");
  return std::move(error.at_field(field));
}

Error unknown(const std::string& field, const std::string& value, const std::string& known) {
  Error error(Code::kUnimplemented,
              "\"" + field + "\" is \"" + value + "\", which this engine does not compute.",
              "Known here: " + known + ".");
  return std::move(error.at_field(field));
}

// Reads fields of one object; the first error stays.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  void size(const char* field, int64_t& out, int64_t max = kSizeMax) {
    const Json* value = present(field);
    if (value == nullptr) return;
    const int64_t number = value->as_int(-1);
    if (!value->is_integer() || number < 1 || number > max) {
      fail(bad_field(field, "must be a whole number from 1 to " + std::to_string(max) + "."));
      return;
    }
    out = number;
  }
  void id(const char* field, int64_t& out) {
    const Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_integer() || value->as_int(-1) < 0 || value->as_int() >= kSizeMax) {
      fail(bad_field(field, "must be a token id."));
      return;
    }
    out = value->as_int();
  }
  void number(const char* field, double& out) {
    const Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_number() || !(value->as_double() > 0)) {
      fail(bad_field(field, "must be a number above 0."));
      return;
    }
    out = value->as_double();
  }
  void flag(const char* field, bool& out) {
    const Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_bool()) {
      fail(bad_field(field, "must be true or false."));
      return;
    }
    out = value->as_bool();
  }
  void text(const char* field, std::string& out) {
    const Json* value = present(field);
    if (value == nullptr) return;
    if (!value->is_string()) {
      fail(bad_field(field, "must be text."));
      return;
    }
    out = value->as_string();
  }
  const Json* present(const char* field) const {
    const Json* value = json_.find(field);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  void fail(Error error) {
    if (error_.ok()) error_ = std::move(error);
  }
  const Status& status() const { return error_; }

 private:
  const Json& json_;
  Status error_;
};

// v5: rope_parameters {rope_type, rope_theta, ...}; v4: rope_theta beside rope_scaling {rope_type
// or type, ...}.
Status read_rope(const Json& json, RopeConfig& rope) {
  Reader outer(json);
  outer.number("rope_theta", rope.theta);
  MORTISE_TRY(outer.status());
  const Json* values = outer.present("rope_parameters");
  if (values == nullptr) values = outer.present("rope_scaling");
  if (values == nullptr) return {};
  Reader inner(*values);
  inner.text("type", rope.type);
  inner.text("rope_type", rope.type);
  inner.number("rope_theta", rope.theta);
  inner.number("factor", rope.factor);
  inner.number("low_freq_factor", rope.low_freq_factor);
  inner.number("high_freq_factor", rope.high_freq_factor);
  inner.size("original_max_position_embeddings", rope.original_positions);
  MORTISE_TRY(inner.status());
  if (rope.type != "default" && rope.type != "linear" && rope.type != "llama3") {
    return unknown("rope_type", rope.type, "default, linear, llama3");
  }
  if (rope.type == "llama3" && rope.high_freq_factor <= rope.low_freq_factor) {
    return bad_field("high_freq_factor", "must be larger than low_freq_factor.");
  }
  return {};
}

// Which layers see only a window, by layer_types (v5) or by the older fields.
Status read_windows(const Json& json, TextConfig& text) {
  text.windows.assign(static_cast<size_t>(text.layers), 0);
  Reader reader(json);
  int64_t window = 0, first = text.model_type == "mistral" ? 0 : 28;
  reader.size("sliding_window", window);
  reader.size("max_window_layers", first);
  bool used = text.model_type == "mistral";
  reader.flag("use_sliding_window", used);
  MORTISE_TRY(reader.status());
  if (const Json* types = reader.present("layer_types")) {
    if (types->size() != text.windows.size()) {
      return bad_field("layer_types", "must name the kind of each of the " +
                                          std::to_string(text.layers) + " layers.");
    }
    for (size_t i = 0; i < text.windows.size(); ++i) {
      const std::string& type = types->at(i).as_string();
      if (type == "full_attention") continue;
      if (type != "sliding_attention") {
        return unknown("layer_types", type, "full_attention, sliding_attention");
      }
      if (window == 0) return bad_field("sliding_window", "is needed by layer_types.");
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
    if (!id.is_integer() || id.as_int(-1) < 0 || id.as_int() >= kSizeMax) {
      return bad_field("eos_token_id", "must be a token id or a list of them.");
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
  text.qkv_bias = model_type == "qwen2";
  text.qk_norm = model_type == "qwen3";
  return text;
}

Result<TextConfig> read_text(const Json& json, const std::string& model_type) {
  TextConfig text = text_defaults(model_type);
  Reader reader(json);
  reader.size("vocab_size", text.vocab_size);
  reader.size("hidden_size", text.hidden_size);
  reader.size("intermediate_size", text.intermediate_size);
  reader.size("num_hidden_layers", text.layers, kLayersMax);
  reader.size("num_attention_heads", text.heads);
  text.kv_heads = model_type == "mistral" ? 8 : text.heads;
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
  if (activation != "silu") return unknown("hidden_act", activation, "silu");
  if (text.heads % text.kv_heads != 0) {
    return bad_field("num_key_value_heads", "must divide num_attention_heads.");
  }
  if (text.head_dim % 2 != 0)
    return bad_field("head_dim", "must be even: rotation works on pairs.");
  MORTISE_TRY(read_rope(json, text.rope));
  MORTISE_TRY(read_windows(json, text));
  MORTISE_TRY(read_eos(json, text.eos_ids));
  return text;
}

Status check_activation(const std::string& name) {
  for (const std::string_view known : {"quick_gelu", "gelu", "gelu_pytorch_tanh"}) {
    if (name == known) return {};
  }
  return unknown("hidden_act", name, "quick_gelu, gelu, gelu_pytorch_tanh");
}

Result<EncoderConfig> read_encoder(const Json& json, bool is_text) {
  EncoderConfig encoder;
  if (is_text) {
    encoder.hidden_size = 512;
    encoder.intermediate_size = 2048;
    encoder.heads = 8;
  }
  Reader reader(json);
  reader.size("hidden_size", encoder.hidden_size);
  reader.size("intermediate_size", encoder.intermediate_size);
  reader.size("num_hidden_layers", encoder.layers, kLayersMax);
  reader.size("num_attention_heads", encoder.heads);
  reader.text("hidden_act", encoder.activation);
  reader.number("layer_norm_eps", encoder.layer_norm_eps);
  reader.size("num_channels", encoder.channels);
  reader.size("image_size", encoder.image_size, 1 << 14);
  reader.size("patch_size", encoder.patch_size, 1 << 14);
  reader.size("vocab_size", encoder.vocab_size);
  reader.size("max_position_embeddings", encoder.positions_max);
  reader.id("eos_token_id", encoder.eos_id);
  MORTISE_TRY(reader.status());
  MORTISE_TRY(check_activation(encoder.activation));
  if (encoder.hidden_size % encoder.heads != 0) {
    return bad_field("num_attention_heads", "must divide hidden_size.");
  }
  if (!is_text && encoder.patch_size > encoder.image_size) {
    return bad_field("patch_size", "must not be larger than image_size.");
  }
  return encoder;
}

Status read_feature_layers(const Json& json, ModelConfig& config) {
  const Json* value = json.find("vision_feature_layer");
  const Json list = value == nullptr    ? Json::array({Json(-2)})
                    : value->is_array() ? *value
                                        : Json::array({*value});
  const int64_t layers = config.vision->layers;
  for (const Json& item : list.items()) {
    const int64_t layer = item.as_int(layers + 1);
    if (!item.is_integer() || layer > layers || layer < -layers - 1) {
      return bad_field("vision_feature_layer",
                       "must lie within the tower's " + std::to_string(layers) + " layers.");
    }
    config.feature_layers.push_back(layer);
  }
  if (config.feature_layers.empty()) return bad_field("vision_feature_layer", "is empty.");
  return {};
}

Status read_llava(const Json& json, ModelConfig& config) {
  const Json& text = json["text_config"];
  std::string type = "llama";
  Reader inner(text);
  inner.text("model_type", type);
  MORTISE_TRY(inner.status());
  if (type != "llama" && type != "mistral" && type != "qwen2" && type != "qwen3") {
    return unknown("text_config.model_type", type, "llama, mistral, qwen2, qwen3");
  }
  MORTISE_ASSIGN(config.text, read_text(text, type));
  std::string tower = "clip_vision_model", select = "default";
  Reader vision(json["vision_config"]);
  vision.text("model_type", tower);
  MORTISE_TRY(vision.status());
  if (tower != "clip_vision_model") {
    return unknown("vision_config.model_type", tower, "clip_vision_model");
  }
  MORTISE_ASSIGN(config.vision, read_encoder(json["vision_config"], /*is_text=*/false));
  Reader reader(json);
  reader.text("vision_feature_select_strategy", select);
  reader.text("projector_hidden_act", config.projector_activation);
  reader.flag("multimodal_projector_bias", config.projector_bias);
  reader.flag("tie_word_embeddings", config.text->tied);
  config.image_token_id = 32000;
  reader.id("image_token_index", config.image_token_id);
  reader.id("image_token_id", config.image_token_id);
  MORTISE_TRY(reader.status());
  if (select != "default" && select != "full") {
    return unknown("vision_feature_select_strategy", select, "default, full");
  }
  config.drops_class_token = select == "default";
  MORTISE_TRY(check_activation(config.projector_activation));
  return read_feature_layers(json, config);
}

Status read_clip(const Json& json, ModelConfig& config) {
  Reader reader(json);
  reader.size("projection_dim", config.projection_dim);
  MORTISE_TRY(reader.status());
  if (config.model_type == "clip_vision_model") {
    MORTISE_ASSIGN(config.vision, read_encoder(json, /*is_text=*/false));
    return {};
  }
  MORTISE_ASSIGN(config.vision, read_encoder(json["vision_config"], /*is_text=*/false));
  MORTISE_ASSIGN(config.clip_text, read_encoder(json["text_config"], /*is_text=*/true));
  return {};
}

}  // namespace

Result<ModelConfig> parse_config(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalidArgument, "config.json is not an object.");
  ModelConfig config;
  config.source = json;
  Reader reader(json);
  reader.text("model_type", config.model_type);
  reader.text("torch_dtype", config.dtype);
  reader.text("dtype", config.dtype);
  MORTISE_TRY(reader.status());
  const std::string& type = config.model_type;
  if (type == "llama" || type == "mistral" || type == "qwen2" || type == "qwen3") {
    MORTISE_ASSIGN(config.text, read_text(json, type));
  } else if (type == "llava") {
    MORTISE_TRY(read_llava(json, config));
  } else if (type == "clip" || type == "clip_vision_model") {
    MORTISE_TRY(read_clip(json, config));
  } else if (type.empty()) {
    return bad_field("model_type", "is missing, so the architecture is not known.");
  } else {
    return unknown("model_type", type,
                   "llama, mistral, qwen2, qwen3, llava, clip, clip_vision_model");
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
