// The configurations of what hears: Whisper's encoder, alone or as Qwen2-Audio's tower.
#include "engine/model/config_reader.h"

namespace mortise::engine {
namespace {

using base::Json;
using base::Result;
using base::Status;

// Whisper's names are those of its encoder among a decoder's; the tower has the same.
Result<AudioConfig> read_audio(const Json& json) {
  AudioConfig audio;
  EncoderConfig& layers = audio.layers;
  ConfigReader reader(json);
  reader.size("d_model", layers.hidden_size);
  reader.size("encoder_layers", layers.layers, kLayersMax);
  reader.size("encoder_attention_heads", layers.heads);
  reader.size("encoder_ffn_dim", layers.intermediate_size);
  reader.text("activation_function", layers.activation);
  reader.size("num_mel_bins", audio.mel_bins, 1024);
  reader.size("max_source_positions", audio.positions_max, 1 << 16);
  MORTISE_TRY(reader.status());
  MORTISE_TRY(check_activation("activation_function", layers.activation));
  if (layers.hidden_size % layers.heads != 0) {
    return config_error("encoder_attention_heads", "must divide d_model.");
  }
  if (layers.hidden_size % 2 == 0) return audio;
  return config_error("d_model", "must be even: positions are pairs of a sine and a cosine.");
}

}  // namespace

Status read_whisper(const Json& json, ModelConfig& config) {
  Json filled = json;  // WhisperConfig's own defaults differ from those of the tower
  const std::pair<const char*, int64_t> defaults[] = {{"d_model", 384},
                                                      {"encoder_layers", 4},
                                                      {"encoder_attention_heads", 6},
                                                      {"encoder_ffn_dim", 1536},
                                                      {"num_mel_bins", 80}};
  for (const auto& [field, value] : defaults) {
    if (json[field].is_null()) filled[field] = value;
  }
  MORTISE_ASSIGN(config.audio, read_audio(filled));
  return {};
}

Status read_qwen2_audio(const Json& json, ModelConfig& config) {
  const Json& text = json["text_config"];
  const Json& audio = json["audio_config"];
  std::string type = "qwen2", tower = "qwen2_audio_encoder";
  ConfigReader inner(text);
  inner.text("model_type", type);
  MORTISE_TRY(inner.status());
  if (type != "qwen2") return unknown_choice("text_config.model_type", type, "qwen2");
  ConfigReader outer(audio);
  outer.text("model_type", tower);
  MORTISE_TRY(outer.status());
  if (tower != "qwen2_audio_encoder") {
    return unknown_choice("audio_config.model_type", tower, "qwen2_audio_encoder");
  }
  MORTISE_ASSIGN(config.text, read_text(text, type));
  MORTISE_ASSIGN(config.audio, read_audio(audio));
  config.audio->pools = true;
  config.audio_token_id = 151646;
  ConfigReader reader(json);
  reader.id("audio_token_index", config.audio_token_id);
  reader.id("audio_token_id", config.audio_token_id);
  reader.flag("tie_word_embeddings", config.text->tied);
  return reader.status();
}

}  // namespace mortise::engine
