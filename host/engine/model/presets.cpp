#include "engine/model/presets.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string_view>

#include "engine/model/layout.h"
#include "engine/op/counter_rng.h"
#include "engine/op/failure.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {
namespace {

using base::Json;

struct Preset {
  std::string_view name, config;
};

// Shapes as config.json in the older spelling, which every release of transformers reads.
constexpr std::array<Preset, 10> kPresets = {{
    {"llama-tiny", R"({"architectures":["LlamaForCausalLM"],"model_type":"llama",
      "vocab_size":2048,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":2,
      "num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":1024,
      "rms_norm_eps":1e-5,"rope_theta":10000.0,"rope_scaling":null,"hidden_act":"silu",
      "attention_bias":false,"mlp_bias":false,"tie_word_embeddings":true,
      "initializer_range":0.02,"bos_token_id":null,"eos_token_id":null,"pad_token_id":null,
      "torch_dtype":"float32"})"},
    {"llama-small", R"({"architectures":["LlamaForCausalLM"],"model_type":"llama",
      "vocab_size":8192,"hidden_size":256,"intermediate_size":704,"num_hidden_layers":6,
      "num_attention_heads":8,"num_key_value_heads":4,"max_position_embeddings":2048,
      "rms_norm_eps":1e-5,"rope_theta":10000.0,"rope_scaling":null,"hidden_act":"silu",
      "attention_bias":false,"mlp_bias":false,"tie_word_embeddings":true,
      "initializer_range":0.02,"bos_token_id":null,"eos_token_id":null,"pad_token_id":null,
      "torch_dtype":"float32"})"},
    {"qwen2-tiny", R"({"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2",
      "vocab_size":2048,"hidden_size":64,"intermediate_size":160,"num_hidden_layers":2,
      "num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":32768,
      "rms_norm_eps":1e-6,"rope_theta":1000000.0,"hidden_act":"silu","sliding_window":null,
      "use_sliding_window":false,"tie_word_embeddings":true,"initializer_range":0.02,
      "bos_token_id":null,"eos_token_id":null,"pad_token_id":null,"torch_dtype":"float32"})"},
    {"qwen2-60m", R"({"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2",
      "vocab_size":32000,"hidden_size":512,"intermediate_size":1408,"num_hidden_layers":16,
      "num_attention_heads":8,"num_key_value_heads":2,"max_position_embeddings":32768,
      "rms_norm_eps":1e-6,"rope_theta":1000000.0,"hidden_act":"silu","sliding_window":null,
      "use_sliding_window":false,"tie_word_embeddings":true,"initializer_range":0.02,
      "bos_token_id":null,"eos_token_id":null,"pad_token_id":null,"torch_dtype":"bfloat16"})"},
    {"qwen2-0.5b", R"({"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2",
      "vocab_size":151936,"hidden_size":896,"intermediate_size":4864,"num_hidden_layers":24,
      "num_attention_heads":14,"num_key_value_heads":2,"max_position_embeddings":32768,
      "rms_norm_eps":1e-6,"rope_theta":1000000.0,"hidden_act":"silu","sliding_window":null,
      "use_sliding_window":false,"tie_word_embeddings":true,"initializer_range":0.02,
      "bos_token_id":null,"eos_token_id":null,"pad_token_id":null,"torch_dtype":"bfloat16"})"},
    {"llava-tiny", R"({"architectures":["LlavaForConditionalGeneration"],"model_type":"llava",
      "image_token_index":2047,"image_seq_length":16,"multimodal_projector_bias":true,
      "projector_hidden_act":"gelu","vision_feature_layer":-1,
      "vision_feature_select_strategy":"default","tie_word_embeddings":false,
      "text_config":{"model_type":"llama","vocab_size":2048,"hidden_size":128,
        "intermediate_size":352,"num_hidden_layers":4,"num_attention_heads":4,
        "num_key_value_heads":2,"head_dim":32,"max_position_embeddings":1024,"rms_norm_eps":1e-5,
        "rope_theta":10000.0,"hidden_act":"silu","attention_bias":false,"mlp_bias":false,
        "tie_word_embeddings":false,"initializer_range":0.02,"bos_token_id":null,
        "eos_token_id":null,"pad_token_id":null},
      "vision_config":{"model_type":"clip_vision_model","hidden_size":96,"intermediate_size":256,
        "num_hidden_layers":3,"num_attention_heads":4,"num_channels":3,"image_size":56,
        "patch_size":14,"hidden_act":"quick_gelu","layer_norm_eps":1e-5,"projection_dim":96},
      "torch_dtype":"float32"})"},
    {"llava-small", R"({"architectures":["LlavaForConditionalGeneration"],"model_type":"llava",
      "image_token_index":8191,"image_seq_length":64,"multimodal_projector_bias":true,
      "projector_hidden_act":"gelu","vision_feature_layer":-1,
      "vision_feature_select_strategy":"default","tie_word_embeddings":false,
      "text_config":{"model_type":"llama","vocab_size":8192,"hidden_size":256,
        "intermediate_size":704,"num_hidden_layers":6,"num_attention_heads":8,
        "num_key_value_heads":4,"head_dim":32,"max_position_embeddings":2048,"rms_norm_eps":1e-5,
        "rope_theta":10000.0,"hidden_act":"silu","attention_bias":false,"mlp_bias":false,
        "tie_word_embeddings":false,"initializer_range":0.02,"bos_token_id":null,
        "eos_token_id":null,"pad_token_id":null},
      "vision_config":{"model_type":"clip_vision_model","hidden_size":192,"intermediate_size":512,
        "num_hidden_layers":4,"num_attention_heads":6,"num_channels":3,"image_size":112,
        "patch_size":14,"hidden_act":"quick_gelu","layer_norm_eps":1e-5,"projection_dim":192},
      "torch_dtype":"float32"})"},
    {"qwen2_vl-tiny", R"({"architectures":["Qwen2VLForConditionalGeneration"],
      "model_type":"qwen2_vl","image_token_id":2044,"video_token_id":2045,
      "vision_start_token_id":2046,"vision_end_token_id":2047,"vocab_size":2048,"hidden_size":64,
      "intermediate_size":160,"num_hidden_layers":2,"num_attention_heads":4,
      "num_key_value_heads":2,"max_position_embeddings":32768,"rms_norm_eps":1e-6,
      "rope_theta":1000000.0,"rope_scaling":{"type":"mrope","mrope_section":[2,3,3]},
      "hidden_act":"silu","sliding_window":null,"use_sliding_window":false,
      "tie_word_embeddings":true,"initializer_range":0.02,"bos_token_id":null,
      "eos_token_id":null,"pad_token_id":null,
      "vision_config":{"model_type":"qwen2_vl","depth":2,"embed_dim":32,"hidden_size":64,
        "mlp_ratio":2,"num_heads":2,"in_channels":3,"hidden_act":"quick_gelu","patch_size":14,
        "spatial_merge_size":2,"temporal_patch_size":2},
      "torch_dtype":"float32"})"},
    {"qwen2_5_vl-tiny", R"({"architectures":["Qwen2_5_VLForConditionalGeneration"],
      "model_type":"qwen2_5_vl","image_token_id":2044,"video_token_id":2045,
      "vision_start_token_id":2046,"vision_end_token_id":2047,"vocab_size":2048,"hidden_size":64,
      "intermediate_size":160,"num_hidden_layers":2,"num_attention_heads":4,
      "num_key_value_heads":2,"max_position_embeddings":32768,"rms_norm_eps":1e-6,
      "rope_theta":1000000.0,"rope_scaling":{"type":"mrope","mrope_section":[2,3,3]},
      "hidden_act":"silu","sliding_window":null,"use_sliding_window":false,
      "tie_word_embeddings":true,"initializer_range":0.02,"bos_token_id":null,
      "eos_token_id":null,"pad_token_id":null,
      "vision_config":{"model_type":"qwen2_5_vl","depth":2,"hidden_size":32,"out_hidden_size":64,
        "intermediate_size":64,"num_heads":2,"in_channels":3,"hidden_act":"silu","patch_size":14,
        "spatial_merge_size":2,"temporal_patch_size":2,"window_size":56,
        "fullatt_block_indexes":[1],"tokens_per_second":4},
      "torch_dtype":"float32"})"},
    {"qwen2_audio-tiny", R"({"architectures":["Qwen2AudioForConditionalGeneration"],
      "model_type":"qwen2_audio","audio_token_index":2047,
      "text_config":{"model_type":"qwen2","vocab_size":2048,"hidden_size":64,
        "intermediate_size":160,"num_hidden_layers":2,"num_attention_heads":4,
        "num_key_value_heads":2,"max_position_embeddings":8192,"rms_norm_eps":1e-6,
        "rope_theta":10000.0,"hidden_act":"silu","sliding_window":null,
        "use_sliding_window":false,"tie_word_embeddings":false,"initializer_range":0.02,
        "bos_token_id":null,"eos_token_id":null,"pad_token_id":null},
      "audio_config":{"model_type":"qwen2_audio_encoder","d_model":32,"encoder_layers":2,
        "encoder_attention_heads":2,"encoder_ffn_dim":64,"num_mel_bins":80,
        "max_source_positions":1500,"activation_function":"gelu","scale_embedding":false},
      "torch_dtype":"float32"})"},
}};

// Merges `from` into `into`, objects key by key. Only keys that are there may be set.
base::Status merge(const Json& from, Json& into, const std::string& path) {
  for (const auto& [key, value] : from.members()) {
    Json* slot = into.find(key);
    const std::string here = path + "/" + key;
    if (slot == nullptr) {
      base::Error error(base::Code::kInvalidArgument,
                        "The preset has no setting \"" + here + "\" to override.",
                        "Use the names of its config.json.");
      return std::move(error.at_field(here));
    }
    if (slot->is_object() && value.is_object()) {
      MORTISE_TRY(merge(value, *slot, here));
    } else {
      *slot = value;
    }
  }
  return {};
}

// A stream of random numbers for each name (FNV-1a), so that a tensor does not depend on the
// others.
uint64_t stream_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// Four normals from each block of random bits (Box and Muller 1958, both halves).
void fill_normal(float* data, int64_t count, double std, const CounterRng& random) {
  const auto pair = [&](uint32_t a, uint32_t b, float& x, float& y) {
    const double radius = std * std::sqrt(-2 * std::log((a + 1.0) * 0x1p-32));
    const double angle = 2 * std::numbers::pi * b * 0x1p-32;
    x = static_cast<float>(radius * std::cos(angle));
    y = static_cast<float>(radius * std::sin(angle));
  };
  at::parallel_for(0, (count + 3) / 4, 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto bits = random.block(static_cast<uint64_t>(i));
      float four[4];
      pair(bits[0], bits[1], four[0], four[1]);
      pair(bits[2], bits[3], four[2], four[3]);
      for (int64_t j = 4 * i; j < std::min(4 * i + 4, count); ++j) data[j] = four[j - 4 * i];
    }
  });
}

// Row t: sin(t w_j), then cos(t w_j), with w_j from 1 down to 1/10000 by equal factors.
void fill_sinusoid(float* data, int64_t rows, int64_t columns) {
  const int64_t half = columns / 2;
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t j = 0; j < half; ++j) {
      const double fall = half > 1 ? static_cast<double>(j) / static_cast<double>(half - 1) : 0;
      const double angle = static_cast<double>(t) * std::pow(10000.0, -fall);
      data[t * columns + j] = static_cast<float>(std::sin(angle));
      data[t * columns + half + j] = static_cast<float>(std::cos(angle));
    }
  }
}

at::Tensor fresh_tensor(const TensorSpec& spec, uint64_t seed, at::ScalarType dtype) {
  at::Tensor tensor = at::empty(spec.shape, at::kFloat);
  if (spec.name == "logit_scale") {
    tensor.fill_(2.6592);  // log(1/0.07), Radford et al. 2021
  } else if (spec.init == Init::kNormal) {
    fill_normal(tensor.mutable_data_ptr<float>(), tensor.numel(), spec.std,
                CounterRng(seed, stream_of(spec.name)));
  } else if (spec.init == Init::kSinusoid) {
    fill_sinusoid(tensor.mutable_data_ptr<float>(), spec.shape[0], spec.shape[1]);
  } else {
    tensor.fill_(spec.init == Init::kOnes ? 1 : 0);
  }
  return tensor.to(dtype);
}

// How images of the tower's size are prepared (CLIP's own means and deviations).
Json preprocessor_config(const EncoderConfig& vision) {
  const Json size = vision.image_size;
  return Json::object(
      {{"image_processor_type", "CLIPImageProcessor"},
       {"do_convert_rgb", true},
       {"do_resize", true},
       {"size", Json::object({{"shortest_edge", size}})},
       {"resample", 3},
       {"do_center_crop", true},
       {"crop_size", Json::object({{"height", size}, {"width", size}})},
       {"do_rescale", true},
       {"rescale_factor", 1.0 / 255.0},
       {"do_normalize", true},
       {"image_mean", Json::array({Json(0.48145466), Json(0.4578275), Json(0.40821073)})},
       {"image_std", Json::array({Json(0.26862954), Json(0.26130258), Json(0.27577711)})}});
}

// The same for a tower that takes any size: bounds of the area instead of a crop.
Json patch_preprocessor_config(const QwenVisionConfig& vision) {
  return Json::object(
      {{"image_processor_type", "Qwen2VLImageProcessor"},
       {"patch_size", vision.patch_size},
       {"merge_size", vision.merge_size},
       {"temporal_patch_size", vision.temporal_patch_size},
       {"min_pixels", 3136},
       {"max_pixels", 1003520},
       {"resample", 3},
       {"rescale_factor", 1.0 / 255.0},
       {"image_mean", Json::array({Json(0.48145466), Json(0.4578275), Json(0.40821073)})},
       {"image_std", Json::array({Json(0.26862954), Json(0.26130258), Json(0.27577711)})}});
}

// How sound becomes the spectrum that this tower takes.
Json sound_preprocessor_config(const AudioConfig& audio) {
  constexpr int64_t kRate = 16'000, kHop = 160;
  const int64_t seconds = audio.frames_max() * kHop / kRate;
  return Json::object({{"feature_extractor_type", "WhisperFeatureExtractor"},
                       {"processor_class", "Qwen2AudioProcessor"},
                       {"feature_size", audio.mel_bins},
                       {"sampling_rate", kRate},
                       {"hop_length", kHop},
                       {"n_fft", 400},
                       {"chunk_length", seconds},
                       {"n_samples", seconds * kRate},
                       {"nb_max_frames", seconds * kRate / kHop},
                       {"padding_side", "right"},
                       {"padding_value", 0.0},
                       {"return_attention_mask", true}});
}

base::Status write_json(base::FileOps& files, const std::string& folder, const char* name,
                        const Json& json) {
  return base::write_file_durably(files, base::join_path(folder, name), json.dump(2) + "\n");
}

base::Status write_configs(base::FileOps& files, const std::string& folder,
                           const ModelConfig& config) {
  MORTISE_TRY(write_json(files, folder, "config.json", config.source));
  const Json* text = config.source.find("text_config");
  const Json& holder = text == nullptr ? config.source : *text;
  Json generation = Json::object();
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (!holder[key].is_null()) generation[key] = holder[key];
  }
  MORTISE_TRY(write_json(files, folder, "generation_config.json", generation));
  if (config.qwen_vision) {
    return write_json(files, folder, "preprocessor_config.json",
                      patch_preprocessor_config(*config.qwen_vision));
  }
  if (config.audio) {
    return write_json(files, folder, "preprocessor_config.json",
                      sound_preprocessor_config(*config.audio));
  }
  if (!config.has_fixed_images()) return {};
  MORTISE_TRY(
      write_json(files, folder, "preprocessor_config.json", preprocessor_config(*config.vision)));
  return write_json(files, folder, "processor_config.json",
                    Json::object({{"processor_class", "LlavaProcessor"},
                                  {"image_token", "<image>"},
                                  {"patch_size", config.vision->patch_size},
                                  {"num_additional_image_tokens", 1},
                                  {"vision_feature_select_strategy",
                                   config.source["vision_feature_select_strategy"].as_string()}}));
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

base::Result<Json> preset_config(const NewModelRequest& request) {
  for (const Preset& preset : kPresets) {
    if (preset.name != request.preset) continue;
    MORTISE_ASSIGN(Json config, base::parse_json(preset.config));
    if (!request.dtype.empty()) config["torch_dtype"] = request.dtype;
    MORTISE_TRY(merge(request.overrides, config, ""));
    const Json& dtype = config["torch_dtype"];
    if (dtype.as_string() != "float32" && dtype.as_string() != "bfloat16") {
      return base::Error(base::Code::kInvalidArgument,
                         "The dtype \"" + dtype.as_string() + "\" is not known.",
                         "Use float32 or bfloat16.");
    }
    MORTISE_ASSIGN(const ModelConfig checked, parse_config(config));
    return checked.source;
  }
  std::string known;
  for (const std::string& name : preset_names()) known += (known.empty() ? "" : ", ") + name;
  return base::Error(base::Code::kNotFound, "There is no preset \"" + request.preset + "\".",
                     "The presets are " + known + ".");
}

base::Status new_model(base::FileOps& files, const NewModelRequest& request,
                       const std::string& folder) {
  MORTISE_ASSIGN(const Json json, preset_config(request));
  MORTISE_ASSIGN(const ModelConfig config, parse_config(json));
  MORTISE_TRY(base::make_folders(files, folder));
  MORTISE_ASSIGN(const bool taken, files.exists(base::join_path(folder, "config.json")));
  if (taken) {
    base::Error error(base::Code::kAlreadyExists, "The folder already holds a model.",
                      "Give a new folder.");
    return std::move(error.at_file(folder));
  }
  return guarded([&]() -> base::Status {
    const auto dtype = config.dtype == "bfloat16" ? at::kBFloat16 : at::kFloat;
    NamedTensors tensors;
    for (const TensorSpec& spec : layout_of(config)) {
      tensors.emplace_back(disk_name(config.model_type, spec.name),
                           fresh_tensor(spec, request.seed, dtype));
    }
    MORTISE_TRY(save_checkpoint(files, folder, tensors));
    return write_configs(files, folder, config);
  });
}

}  // namespace mortise::engine
