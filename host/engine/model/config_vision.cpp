// The configurations of the towers: CLIP's encoders (also llava's), SigLIP's and Qwen-VL's.
#include <array>
#include <string_view>

#include "engine/model/config_reader.h"

namespace mortise::engine {
namespace {

using base::Json;
using base::Result;
using base::Status;

// What transformers assumes where config.json is silent.
EncoderConfig encoder_defaults(bool is_text, bool is_siglip) {
  EncoderConfig encoder;
  encoder.is_siglip = is_siglip;
  if (is_siglip) {
    encoder.activation = "gelu_pytorch_tanh";
    encoder.layer_norm_eps = 1e-6;
    encoder.patch_size = 16;
    encoder.vocab_size = 32000;
    encoder.positions_max = 64;
  } else if (is_text) {
    encoder.hidden_size = 512;
    encoder.intermediate_size = 2048;
    encoder.heads = 8;
  }
  return encoder;
}

Result<EncoderConfig> read_encoder(const Json& json, bool is_text, bool is_siglip = false) {
  EncoderConfig encoder = encoder_defaults(is_text, is_siglip);
  ConfigReader reader(json);
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
  MORTISE_TRY(check_activation("hidden_act", encoder.activation));
  if (encoder.hidden_size % encoder.heads != 0) {
    return config_error("num_attention_heads", "must divide hidden_size.");
  }
  if (!is_text && encoder.patch_size > encoder.image_size) {
    return config_error("patch_size", "must not be larger than image_size.");
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
      return config_error("vision_feature_layer",
                          "must lie within the tower's " + std::to_string(layers) + " layers.");
    }
    config.feature_layers.push_back(layer);
  }
  if (config.feature_layers.empty()) return config_error("vision_feature_layer", "is empty.");
  return {};
}

// 2: "embed_dim" inside, "hidden_size" of the features; 2.5: "hidden_size" and "out_hidden_size".
void read_qwen_sizes(ConfigReader& reader, QwenVisionConfig& vision, int64_t& mlp_ratio) {
  reader.size("depth", vision.layers, kLayersMax);
  reader.size("num_heads", vision.heads);
  reader.size("in_chans", vision.channels);
  reader.size("in_channels", vision.channels);
  reader.size("patch_size", vision.patch_size, 1 << 14);
  reader.size("temporal_patch_size", vision.temporal_patch_size, 64);
  reader.size("spatial_merge_size", vision.merge_size, 64);
  reader.text("hidden_act", vision.activation);
  if (!vision.is_gated) {
    reader.size("embed_dim", vision.hidden_size);
    reader.size("hidden_size", vision.out_size);
    reader.size("mlp_ratio", mlp_ratio);
    return;
  }
  reader.size("hidden_size", vision.hidden_size);
  reader.size("intermediate_size", vision.intermediate_size);
  reader.size("out_hidden_size", vision.out_size);
  reader.number("tokens_per_second", vision.tokens_per_second);
}

// Which layers of Qwen2.5-VL look at a whole frame; the others stay inside windows.
Status read_qwen_windows(const Json& json, QwenVisionConfig& vision) {
  int64_t window_pixels = 112;
  ConfigReader reader(json);
  reader.size("window_size", window_pixels, 1 << 14);
  MORTISE_TRY(reader.status());
  vision.window = window_pixels / vision.merge_size / vision.patch_size;
  if (vision.window == 0) {
    return config_error("window_size", "must be at least patch_size * spatial_merge_size.");
  }
  vision.full_layers.assign(static_cast<size_t>(vision.layers), false);
  const Json* full = reader.present("fullatt_block_indexes");
  const Json chosen = full != nullptr ? *full : Json::array({7, 15, 23, 31});
  for (const Json& item : chosen.items()) {
    if (!item.is_integer() || item.as_int(-1) < 0 || item.as_int() >= vision.layers) {
      return config_error("fullatt_block_indexes", "must hold numbers of the tower's " +
                                                       std::to_string(vision.layers) + " layers.");
    }
    vision.full_layers[static_cast<size_t>(item.as_int())] = true;
  }
  return {};
}

Result<QwenVisionConfig> read_qwen_vision(const Json& json, bool is_gated) {
  QwenVisionConfig vision;
  vision.is_gated = is_gated;
  if (is_gated) {
    vision.hidden_size = 3584;
    vision.intermediate_size = 3420;
    vision.activation = "silu";
  }
  int64_t mlp_ratio = 4;
  ConfigReader reader(json);
  read_qwen_sizes(reader, vision, mlp_ratio);
  if (!is_gated) vision.intermediate_size = vision.hidden_size * mlp_ratio;
  MORTISE_TRY(reader.status());
  if (const Json* rope = reader.present("rope_parameters")) {
    std::string type = "axial";
    ConfigReader inner(*rope);
    inner.text("rope_type", type);
    inner.number("rope_theta", vision.rope_theta);
    MORTISE_TRY(inner.status());
    if (type != "axial" && type != "default") return unknown_choice("rope_type", type, "axial");
  }
  if (is_gated && vision.activation != "silu") {
    return unknown_choice("hidden_act", vision.activation, "silu");
  }
  if (!is_gated) MORTISE_TRY(check_activation("hidden_act", vision.activation));
  if (vision.hidden_size % vision.heads != 0 || vision.head_dim() % 4 != 0) {
    return config_error("num_heads",
                        "must share out the tower's " + std::to_string(vision.hidden_size) +
                            " channels in heads of a multiple of 4: rotation works on pairs along "
                            "two axes.");
  }
  if (is_gated) MORTISE_TRY(read_qwen_windows(json, vision));
  return vision;
}

}  // namespace

Status check_activation(const char* field, const std::string& name) {
  for (const std::string_view known : {"quick_gelu", "gelu", "gelu_pytorch_tanh"}) {
    if (name == known) return {};
  }
  return unknown_choice(field, name, "quick_gelu, gelu, gelu_pytorch_tanh");
}

Status read_llava(const Json& json, ModelConfig& config) {
  const Json& text = json["text_config"];
  std::string type = "llama";
  ConfigReader inner(text);
  inner.text("model_type", type);
  MORTISE_TRY(inner.status());
  if (type != "llama" && type != "mistral" && type != "qwen2" && type != "qwen3") {
    return unknown_choice("text_config.model_type", type, "llama, mistral, qwen2, qwen3");
  }
  MORTISE_ASSIGN(config.text, read_text(text, type));
  std::string tower = "clip_vision_model", select = "default";
  ConfigReader vision(json["vision_config"]);
  vision.text("model_type", tower);
  MORTISE_TRY(vision.status());
  if (tower != "clip_vision_model") {
    return unknown_choice("vision_config.model_type", tower, "clip_vision_model");
  }
  MORTISE_ASSIGN(config.vision, read_encoder(json["vision_config"], /*is_text=*/false));
  ConfigReader reader(json);
  reader.text("vision_feature_select_strategy", select);
  reader.text("projector_hidden_act", config.projector_activation);
  reader.flag("multimodal_projector_bias", config.projector_bias);
  reader.flag("tie_word_embeddings", config.text->tied);
  config.image_token_id = 32000;
  reader.id("image_token_index", config.image_token_id);
  reader.id("image_token_id", config.image_token_id);
  MORTISE_TRY(reader.status());
  if (select != "default" && select != "full") {
    return unknown_choice("vision_feature_select_strategy", select, "default, full");
  }
  config.drops_class_token = select == "default";
  MORTISE_TRY(check_activation("projector_hidden_act", config.projector_activation));
  return read_feature_layers(json, config);
}

Status read_clip(const Json& json, ModelConfig& config) {
  ConfigReader reader(json);
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

Status read_siglip(const Json& json, ModelConfig& config) {
  const bool is_tower = config.model_type == "siglip_vision_model";
  const Json& vision = is_tower ? json : json["vision_config"];
  MORTISE_ASSIGN(config.vision, read_encoder(vision, /*is_text=*/false, /*is_siglip=*/true));
  config.projection_dim = config.vision->hidden_size;
  bool has_head = true;
  ConfigReader reader(vision);
  reader.flag("vision_use_head", has_head);
  MORTISE_TRY(reader.status());
  if (!has_head) return unknown_choice("vision_use_head", "false", "true");
  if (is_tower) return {};
  const Json& text = json["text_config"];
  MORTISE_ASSIGN(config.clip_text, read_encoder(text, /*is_text=*/true, /*is_siglip=*/true));
  int64_t size = config.clip_text->hidden_size;
  ConfigReader inner(text);
  inner.size("projection_size", size);
  MORTISE_TRY(inner.status());
  if (size == config.projection_dim) return {};
  return config_error("projection_size", "of text_config is " + std::to_string(size) +
                                             ", but the vision tower's hidden_size is " +
                                             std::to_string(config.projection_dim) + ".");
}

// v5 keeps the decoder's fields in text_config; v4 has them beside vision_config.
Status read_qwen_vl(const Json& json, ModelConfig& config) {
  ConfigReader reader(json);
  const Json* nested = reader.present("text_config");
  MORTISE_ASSIGN(config.text, read_text(nested != nullptr ? *nested : json, config.model_type));
  const bool is_gated = config.model_type == "qwen2_5_vl";
  MORTISE_ASSIGN(config.qwen_vision, read_qwen_vision(json["vision_config"], is_gated));
  config.image_token_id = 151655;
  config.video_token_id = 151656;
  reader.id("image_token_id", config.image_token_id);
  reader.id("video_token_id", config.video_token_id);
  reader.id("vision_start_token_id", config.vision_start_id);
  reader.id("vision_end_token_id", config.vision_end_id);
  reader.flag("tie_word_embeddings", config.text->tied);
  MORTISE_TRY(reader.status());
  if (config.image_token_id == config.video_token_id) {
    return config_error("video_token_id", "must differ from image_token_id.");
  }
  if (config.qwen_vision->out_size != config.text->hidden_size) {
    return config_error(is_gated ? "out_hidden_size" : "hidden_size",
                        "of vision_config is " + std::to_string(config.qwen_vision->out_size) +
                            ", but the decoder's hidden_size is " +
                            std::to_string(config.text->hidden_size) + ".");
  }
  return {};
}

}  // namespace mortise::engine
