// config.json of a checkpoint as plain values, read from the spellings of transformers 4 and 5.
// Called by model/model, model/presets and engine/export. Knows no tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::engine {

struct RopeConfig {
  std::string type = "default";  // default, linear or llama3
  double theta = 10000;
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4;  // linear and llama3
  int64_t original_positions = 8192;                             // llama3
  // mRoPE (Wang et al. 2024): how many of the head_dim/2 frequencies each axis takes in turn
  // (temporal, height, width, temporal, ...); empty: one axis.
  std::vector<int64_t> sections;
};

// A decoder of the llama family.
struct TextConfig {
  std::string model_type;  // llama, mistral, qwen2, qwen3, qwen2_vl, qwen2_5_vl
  int64_t vocab_size = 32000;
  int64_t hidden_size = 4096, intermediate_size = 11008;
  int64_t layers = 32, heads = 32, kv_heads = 32, head_dim = 128;
  int64_t positions_max = 2048;
  double rms_norm_eps = 1e-6;
  RopeConfig rope;
  bool qkv_bias = false, o_bias = false, mlp_bias = false;
  bool qk_norm = false;          // RMSNorm over each head of q and k before the rotation (qwen3)
  bool tied = false;             // lm_head is embed_tokens
  std::vector<int32_t> windows;  // one a layer; 0: the whole sequence
  std::vector<int32_t> eos_ids;
  double initializer_range = 0.02;
};

// An encoder of CLIP or SigLIP: the vision tower, or the text tower (then the image fields are
// unused).
struct EncoderConfig {
  int64_t hidden_size = 768, intermediate_size = 3072;
  int64_t layers = 12, heads = 12;
  std::string activation = "quick_gelu";  // quick_gelu, gelu, gelu_pytorch_tanh
  double layer_norm_eps = 1e-5;
  int64_t channels = 3, image_size = 224, patch_size = 32;         // vision
  int64_t vocab_size = 49408, positions_max = 77, eos_id = 49407;  // text

  // SigLIP (Zhai et al. 2023): no class token, a bias on the patches, no norm before the layers,
  // pooling by attention; its text tower sees both ways and is pooled at the last token.
  bool is_siglip = false;

  int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  int64_t tokens() const { return patches() + (is_siglip ? 0 : 1); }  // of one image, inside
};

// The vision tower of Qwen2-VL and Qwen2.5-VL: patches of any grid, merged merge x merge.
struct QwenVisionConfig {
  int64_t hidden_size = 1280, intermediate_size = 5120;
  int64_t out_size = 3584;  // of the features: the decoder's hidden_size
  int64_t layers = 32, heads = 16;
  int64_t channels = 3, patch_size = 14, temporal_patch_size = 2, merge_size = 2;
  double rope_theta = 10000;
  double norm_eps = 1e-6;
  std::string activation = "quick_gelu";  // 2: of the plain MLP; 2.5 gates with silu
  // 2.5: RMSNorm for LayerNorm, a gated MLP, and attention inside windows but in some layers.
  bool is_gated = false;
  int64_t window = 0;             // side in merged cells; 0: every layer sees its whole frame
  std::vector<bool> full_layers;  // one a layer, when there are windows
  double tokens_per_second = 4;   // 2.5: steps of a video's temporal ids

  int64_t head_dim() const { return hidden_size / heads; }
  int64_t patch_values() const { return channels * temporal_patch_size * patch_size * patch_size; }
};

// Whisper's encoder, and Qwen2-Audio's tower: two convolutions over a spectrum, the second of them
// halving its frames, then layers like CLIP's.
struct AudioConfig {
  EncoderConfig layers = {.hidden_size = 1280,
                          .intermediate_size = 5120,
                          .layers = 32,
                          .heads = 20,
                          .activation = "gelu"};  // its fields for pictures and text are unused
  int64_t mel_bins = 128;
  int64_t positions_max = 1500;  // steps after the convolutions
  bool pools = false;            // Qwen2-Audio: two steps become one feature

  int64_t frames_max() const { return 2 * positions_max; }  // of a spectrum
  // Steps that a clip of so many frames of sound has after the convolutions; the features that its
  // placeholders stand for (Qwen2-Audio: 0 for a clip that is too short); how many frames of its
  // spectrum, silence behind it included, decide them.
  static int64_t steps(int64_t heard) { return (heard - 1) / 2 + 1; }
  int64_t tokens(int64_t heard) const { return pools ? steps(heard) / 2 : steps(heard); }
  static int64_t frames_needed(int64_t heard) { return 2 * steps(heard) + 1; }
};

struct ModelConfig {
  // llama, mistral, qwen2, qwen3, llava, qwen2_vl, qwen2_5_vl, qwen2_audio, clip,
  // clip_vision_model, siglip, siglip_vision_model, whisper
  std::string model_type;
  std::string dtype;  // "float32" or "bfloat16": what the checkpoint says; empty unknown
  std::optional<TextConfig> text;               // absent in clip, siglip, whisper
  std::optional<EncoderConfig> vision;          // llava, clip, siglip
  std::optional<QwenVisionConfig> qwen_vision;  // qwen2_vl, qwen2_5_vl
  std::optional<AudioConfig> audio;             // qwen2_audio, whisper
  std::optional<EncoderConfig> clip_text;
  int64_t projection_dim = 512;  // clip, siglip
  // llava: which layers' output feeds the projector (negative: from the end, -1 the last), whether
  // the class token is dropped.
  std::vector<int64_t> feature_layers;
  bool drops_class_token = true;
  std::string projector_activation = "gelu";
  bool projector_bias = true;
  // The ids that stand for one feature in the text; -1: the decoder takes none.
  int64_t image_token_id = -1, video_token_id = -1, audio_token_id = -1;
  int64_t vision_start_id = -1, vision_end_id = -1;  // around them (Qwen-VL); -1: none
  base::Json source;                                 // the whole file, for export

  // The decoder takes pictures or sound.
  bool is_multimodal() const { return text && (vision || qwen_vision || audio); }
  // Images are all of one size, and each takes tokens_per_image() tokens (llava).
  bool has_fixed_images() const { return text && vision; }
  int64_t tokens_per_image() const {
    return vision ? vision->patches() + (drops_class_token ? 0 : 1) : 0;
  }
};

// Errors: INVALID_ARGUMENT naming the field for a value of the wrong kind or out of range;
// UNIMPLEMENTED naming the value for an architecture, rotary scaling or activation that is not
// known here, with the list of those that are.
base::Result<ModelConfig> parse_config(const base::Json& json);

// Reads folder/config.json (and eos ids of generation_config.json, when present).
base::Result<ModelConfig> read_config(base::FileOps& files, const std::string& folder);

}  // namespace mortise::engine
