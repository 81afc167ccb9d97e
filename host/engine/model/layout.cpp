#include "engine/model/layout.h"

#include <span>

namespace mortise::engine {
namespace {

struct NameRule {
  std::string_view disk, memory;
};

// One table a family. When reading, the longest disk prefix that fits applies; when writing, the
// first rule whose memory prefix fits.
constexpr NameRule kLlavaNames[] = {
    {"language_model.model.", "model.language_model."},
    {"language_model.lm_head.", "lm_head."},
    {"vision_tower.", "model.vision_tower."},
    {"vision_tower.vision_model.", "model.vision_tower."},
    {"model.vision_tower.vision_model.", "model.vision_tower."},
    {"multi_modal_projector.", "model.multi_modal_projector."},
};
constexpr NameRule kQwenVlNames[] = {
    {"visual.", "model.visual."},
    {"model.", "model.language_model."},
    {"model.visual.", "model.visual."},
    {"model.language_model.", "model.language_model."},
};
constexpr NameRule kQwen2AudioNames[] = {
    {"language_model.model.", "model.language_model."},
    {"language_model.lm_head.", "lm_head."},
    {"audio_tower.", "model.audio_tower."},
    {"multi_modal_projector.", "model.multi_modal_projector."},
};
constexpr NameRule kWhisperNames[] = {
    {"model.encoder.", "encoder."},
};

std::span<const NameRule> rules_of(const std::string& model_type) {
  if (model_type == "llava") return kLlavaNames;
  if (model_type == "qwen2_vl" || model_type == "qwen2_5_vl") return kQwenVlNames;
  if (model_type == "qwen2_audio") return kQwen2AudioNames;
  if (model_type == "whisper") return kWhisperNames;
  return {};
}

// Of Whisper only the encoder is computed here.
constexpr std::string_view kWhisperDecoder[] = {"decoder.", "model.decoder.", "proj_out."};
constexpr std::string_view kIgnorable[] = {"rotary_emb.inv_freq", "rotary_pos_emb.inv_freq",
                                           "embeddings.position_ids", "masked_bias", ".attn.bias"};

// Grows the list in the order of the layers.
class Layout {
 public:
  explicit Layout(double std) : std_(std) {}
  void normal(std::string name, std::vector<int64_t> shape) {
    specs_.push_back({std::move(name), std::move(shape), Init::kNormal, std_});
  }
  void linear(const std::string& name, int64_t out, int64_t in, bool bias) {
    normal(name + ".weight", {out, in});
    if (bias) specs_.push_back({name + ".bias", {out}, Init::kZeros});
  }
  void rms_norm(const std::string& name, int64_t size) {
    specs_.push_back({name + ".weight", {size}, Init::kOnes});
  }
  void layer_norm(const std::string& name, int64_t size) {
    rms_norm(name, size);
    specs_.push_back({name + ".bias", {size}, Init::kZeros});
  }
  void constant(std::string name, std::vector<int64_t> shape) {
    specs_.push_back({std::move(name), std::move(shape), Init::kOnes});
  }
  // Along one axis, three steps wide.
  void convolution(const std::string& name, int64_t out, int64_t in) {
    normal(name + ".weight", {out, in, 3});
    specs_.push_back({name + ".bias", {out}, Init::kZeros});
  }
  void sinusoid(std::string name, std::vector<int64_t> shape) {
    specs_.push_back({std::move(name), std::move(shape), Init::kSinusoid});
  }
  std::vector<TensorSpec> take() { return std::move(specs_); }

 private:
  double std_;
  std::vector<TensorSpec> specs_;
};

void add_text(Layout& layout, const TextConfig& text, const ModulePrefixes& prefixes) {
  const int64_t hidden = text.hidden_size, q_size = text.heads * text.head_dim;
  const int64_t kv_size = text.kv_heads * text.head_dim;
  layout.normal(prefixes.text + "embed_tokens.weight", {text.vocab_size, hidden});
  for (int64_t i = 0; i < text.layers; ++i) {
    const std::string layer = prefixes.text + "layers." + std::to_string(i) + ".";
    layout.rms_norm(layer + "input_layernorm", hidden);
    layout.linear(layer + "self_attn.q_proj", q_size, hidden, text.qkv_bias);
    layout.linear(layer + "self_attn.k_proj", kv_size, hidden, text.qkv_bias);
    layout.linear(layer + "self_attn.v_proj", kv_size, hidden, text.qkv_bias);
    layout.linear(layer + "self_attn.o_proj", hidden, q_size, text.o_bias);
    if (text.qk_norm) {
      layout.rms_norm(layer + "self_attn.q_norm", text.head_dim);
      layout.rms_norm(layer + "self_attn.k_norm", text.head_dim);
    }
    layout.rms_norm(layer + "post_attention_layernorm", hidden);
    layout.linear(layer + "mlp.gate_proj", text.intermediate_size, hidden, text.mlp_bias);
    layout.linear(layer + "mlp.up_proj", text.intermediate_size, hidden, text.mlp_bias);
    layout.linear(layer + "mlp.down_proj", hidden, text.intermediate_size, text.mlp_bias);
  }
  layout.rms_norm(prefixes.text + "norm", hidden);
  if (!text.tied) layout.linear(prefixes.head, text.vocab_size, hidden, /*bias=*/false);
}

void add_encoder_layers(Layout& layout, const EncoderConfig& encoder, const std::string& prefix) {
  const int64_t hidden = encoder.hidden_size;
  for (int64_t i = 0; i < encoder.layers; ++i) {
    const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".";
    for (const char* name : {"k_proj", "v_proj", "q_proj", "out_proj"}) {
      layout.linear(layer + "self_attn." + name, hidden, hidden, /*bias=*/true);
    }
    layout.layer_norm(layer + "layer_norm1", hidden);
    layout.linear(layer + "mlp.fc1", encoder.intermediate_size, hidden, /*bias=*/true);
    layout.linear(layer + "mlp.fc2", hidden, encoder.intermediate_size, /*bias=*/true);
    layout.layer_norm(layer + "layer_norm2", hidden);
  }
}

// One query looks at all patches: SigLIP's pooling.
void add_pooling_head(Layout& layout, const EncoderConfig& vision, const std::string& prefix) {
  const int64_t hidden = vision.hidden_size;
  layout.normal(prefix + "probe", {1, 1, hidden});
  layout.normal(prefix + "attention.in_proj_weight", {3 * hidden, hidden});
  layout.normal(prefix + "attention.in_proj_bias", {3 * hidden});
  layout.linear(prefix + "attention.out_proj", hidden, hidden, /*bias=*/true);
  layout.layer_norm(prefix + "layernorm", hidden);
  layout.linear(prefix + "mlp.fc1", vision.intermediate_size, hidden, /*bias=*/true);
  layout.linear(prefix + "mlp.fc2", hidden, vision.intermediate_size, /*bias=*/true);
}

void add_vision(Layout& layout, const EncoderConfig& vision, const std::string& prefix) {
  const int64_t hidden = vision.hidden_size, patch = vision.patch_size;
  const std::string embeddings = prefix + "embeddings.";
  if (!vision.is_siglip) layout.normal(embeddings + "class_embedding", {hidden});
  layout.normal(embeddings + "patch_embedding.weight", {hidden, vision.channels, patch, patch});
  if (vision.is_siglip) layout.normal(embeddings + "patch_embedding.bias", {hidden});
  layout.normal(embeddings + "position_embedding.weight", {vision.tokens(), hidden});
  // the spelling is transformers' own
  if (!vision.is_siglip) layout.layer_norm(prefix + "pre_layrnorm", hidden);
  add_encoder_layers(layout, vision, prefix);
  layout.layer_norm(prefix + "post_layernorm", hidden);
  if (vision.is_siglip) add_pooling_head(layout, vision, prefix + "head.");
}

void add_clip_text(Layout& layout, const EncoderConfig& text) {
  layout.normal("text_model.embeddings.token_embedding.weight",
                {text.vocab_size, text.hidden_size});
  layout.normal("text_model.embeddings.position_embedding.weight",
                {text.positions_max, text.hidden_size});
  add_encoder_layers(layout, text, "text_model.");
  layout.layer_norm("text_model.final_layer_norm", text.hidden_size);
}

void add_projector(Layout& layout, const ModelConfig& config, const std::string& prefix) {
  const int64_t in =
      config.vision->hidden_size * static_cast<int64_t>(config.feature_layers.size());
  const int64_t out = config.text->hidden_size;
  layout.linear(prefix + "linear_1", out, in, config.projector_bias);
  layout.linear(prefix + "linear_2", out, out, config.projector_bias);
}

void add_audio(Layout& layout, const AudioConfig& audio, const std::string& prefix) {
  const int64_t hidden = audio.layers.hidden_size, inner = audio.layers.intermediate_size;
  layout.convolution(prefix + "conv1", hidden, audio.mel_bins);
  layout.convolution(prefix + "conv2", hidden, hidden);
  layout.sinusoid(prefix + "embed_positions.weight", {audio.positions_max, hidden});
  for (int64_t i = 0; i < audio.layers.layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    layout.linear(layer + "self_attn.k_proj", hidden, hidden, /*bias=*/false);
    for (const char* name : {"v_proj", "q_proj", "out_proj"}) {
      layout.linear(layer + "self_attn." + name, hidden, hidden, /*bias=*/true);
    }
    layout.layer_norm(layer + "self_attn_layer_norm", hidden);
    layout.linear(layer + "fc1", inner, hidden, /*bias=*/true);
    layout.linear(layer + "fc2", hidden, inner, /*bias=*/true);
    layout.layer_norm(layer + "final_layer_norm", hidden);
  }
  layout.layer_norm(prefix + "layer_norm", hidden);
}

// Blocks of LayerNorm and a plain MLP (2), or of RMSNorm and a gated one (2.5).
void add_qwen_vision(Layout& layout, const QwenVisionConfig& vision, const std::string& prefix) {
  const int64_t hidden = vision.hidden_size, inner = vision.intermediate_size;
  const int64_t patch = vision.patch_size;
  const int64_t merged = hidden * vision.merge_size * vision.merge_size;
  const auto norm = [&](const std::string& name) {
    return vision.is_gated ? layout.rms_norm(name, hidden) : layout.layer_norm(name, hidden);
  };
  layout.normal(prefix + "patch_embed.proj.weight",
                {hidden, vision.channels, vision.temporal_patch_size, patch, patch});
  for (int64_t i = 0; i < vision.layers; ++i) {
    const std::string block = prefix + "blocks." + std::to_string(i) + ".";
    norm(block + "norm1");
    norm(block + "norm2");
    layout.linear(block + "attn.qkv", 3 * hidden, hidden, /*bias=*/true);
    layout.linear(block + "attn.proj", hidden, hidden, /*bias=*/true);
    if (vision.is_gated) {
      layout.linear(block + "mlp.gate_proj", inner, hidden, /*bias=*/true);
      layout.linear(block + "mlp.up_proj", inner, hidden, /*bias=*/true);
      layout.linear(block + "mlp.down_proj", hidden, inner, /*bias=*/true);
    } else {
      layout.linear(block + "mlp.fc1", inner, hidden, /*bias=*/true);
      layout.linear(block + "mlp.fc2", hidden, inner, /*bias=*/true);
    }
  }
  norm(prefix + "merger.ln_q");
  layout.linear(prefix + "merger.mlp.0", merged, merged, /*bias=*/true);
  layout.linear(prefix + "merger.mlp.2", vision.out_size, merged, /*bias=*/true);
}

bool replace_prefix(std::string_view name, std::string_view from, std::string_view to,
                    std::string& out) {
  if (!name.starts_with(from)) return false;
  out = std::string(to) + std::string(name.substr(from.size()));
  return true;
}

}  // namespace

ModulePrefixes prefixes_of(const std::string& model_type) {
  if (model_type == "llava") {
    return {"model.language_model.", "lm_head", "model.vision_tower.",
            "model.multi_modal_projector."};
  }
  if (model_type == "qwen2_vl" || model_type == "qwen2_5_vl") {
    return {"model.language_model.", "lm_head", "model.visual.", "model.visual.merger."};
  }
  if (model_type == "qwen2_audio") {
    return {"model.language_model.", "lm_head", "model.audio_tower.",
            "model.multi_modal_projector."};
  }
  if (model_type == "whisper") return {"", "", "encoder.", ""};
  return {"model.", "lm_head", "vision_model.", ""};
}

std::vector<TensorSpec> layout_of(const ModelConfig& config) {
  const ModulePrefixes prefixes = prefixes_of(config.model_type);
  Layout layout(config.text ? config.text->initializer_range : 0.02);
  if (config.vision) add_vision(layout, *config.vision, prefixes.tower);
  if (config.clip_text) add_clip_text(layout, *config.clip_text);
  if (config.clip_text && config.clip_text->is_siglip) {
    layout.linear("text_model.head", config.projection_dim, config.clip_text->hidden_size, true);
    layout.constant("logit_scale", {1});
    layout.constant("logit_bias", {1});
  } else if (config.clip_text) {
    layout.linear("visual_projection", config.projection_dim, config.vision->hidden_size, false);
    layout.linear("text_projection", config.projection_dim, config.clip_text->hidden_size, false);
    layout.constant("logit_scale", {});
  }
  if (config.qwen_vision) add_qwen_vision(layout, *config.qwen_vision, prefixes.tower);
  if (config.audio) add_audio(layout, *config.audio, prefixes.tower);
  if (config.audio && config.text) {
    layout.linear(prefixes.projector + "linear", config.text->hidden_size,
                  config.audio->layers.hidden_size, /*bias=*/true);
  }
  if (config.has_fixed_images()) add_projector(layout, config, prefixes.projector);
  if (config.text) add_text(layout, *config.text, prefixes);
  return layout.take();
}

std::string memory_name(const std::string& model_type, std::string_view disk_name) {
  std::string best(disk_name), candidate;
  size_t longest = 0;  // the longest prefix wins: vision_tower.vision_model. before vision_tower.
  for (const NameRule& rule : rules_of(model_type)) {
    if (rule.disk.size() > longest &&
        replace_prefix(disk_name, rule.disk, rule.memory, candidate)) {
      best = candidate;
      longest = rule.disk.size();
    }
  }
  return best;
}

std::string disk_name(const std::string& model_type, std::string_view memory_name) {
  std::string name;
  for (const NameRule& rule : rules_of(model_type)) {
    if (replace_prefix(memory_name, rule.memory, rule.disk, name)) return name;
  }
  return std::string(memory_name);
}

bool is_ignorable(const ModelConfig& config, std::string_view memory_name) {
  for (const std::string_view suffix : kIgnorable) {
    if (memory_name.ends_with(suffix)) return true;
  }
  for (const std::string_view prefix : kWhisperDecoder) {
    if (config.model_type == "whisper" && memory_name.starts_with(prefix)) return true;
  }
  return config.text && config.text->tied && memory_name == "lm_head.weight";
}

}  // namespace mortise::engine
