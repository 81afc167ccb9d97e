// The marks of pictures, from a model's configuration and its tokenizer. See row_encoder.h.
#include "engine/data/row_encoder.h"

namespace mortise::engine {
namespace {

using base::Result;

// The text of a token that only decorates; empty where the tokenizer does not have it as one token.
std::string text_around(const Encoder& encoder, int64_t id) {
  if (id < 0) return {};
  const auto text = encoder.token_text(static_cast<int32_t>(id));
  if (!text.ok()) return {};
  const auto back = encoder.encode(*text);
  const bool is_one = back.ok() && back->ids == std::vector<int32_t>{static_cast<int32_t>(id)};
  return is_one ? *text : std::string();
}

Result<PictureMark> mark_of(const ModelConfig& config, const Encoder& encoder, const char* kind,
                            int64_t id) {
  PictureMark mark;
  if (id < 0) return mark;
  mark.token_id = static_cast<int32_t>(id);
  const auto token = encoder.token_text(mark.token_id);
  if (!token.ok()) {
    return base::Error(base::Code::kInvalidArgument,
                       std::string("The model's ") + kind + " token " + std::to_string(id) +
                           " is none of the tokenizer: " + token.error().message,
                       "Add it to the tokenizer as a special token of that id.");
  }
  mark.token = mark.text = *token;
  const std::string start = text_around(encoder, config.vision_start_id);
  const std::string end = text_around(encoder, config.vision_end_id);
  if (!start.empty() && !end.empty()) mark.text = start + mark.token + end;
  return mark;
}

// Qwen2-Audio's configuration does not name the tokens around a sound; its tokenizer has them.
std::string single_token(const Encoder& encoder, const char* text) {
  const auto ids = encoder.encode(text);
  return ids.ok() && ids->ids.size() == 1 ? text : std::string();
}

Result<PictureMark> audio_mark_of(const ModelConfig& config, const Encoder& encoder) {
  MORTISE_ASSIGN(PictureMark mark, mark_of(config, encoder, "audio", config.audio_token_id));
  if (mark.token_id < 0) return mark;
  const std::string start = single_token(encoder, "<|audio_bos|>");
  const std::string end = single_token(encoder, "<|audio_eos|>");
  if (!start.empty() && !end.empty()) mark.text = start + mark.token + end;
  return mark;
}

}  // namespace

Result<RowSettings> row_settings_of(const ModelConfig& config, const Encoder& encoder) {
  RowSettings settings;
  if (config.text) settings.length_max = config.text->positions_max;
  if (!config.is_multimodal()) return settings;
  MORTISE_ASSIGN(settings.image, mark_of(config, encoder, "image", config.image_token_id));
  MORTISE_ASSIGN(settings.audio, audio_mark_of(config, encoder));
  MORTISE_ASSIGN(settings.video, mark_of(config, encoder, "video", config.video_token_id));
  return settings;
}

}  // namespace mortise::engine
