// A tokenizer for tests whose ids can be read: one byte a token.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/encoder.h"

namespace mortise::engine {

constexpr int32_t kImage = 300, kEnd = 301, kPad = 302, kFilm = 303, kStart = 304, kStop = 305;
constexpr int32_t kSound = 306, kSoundStart = 307, kSoundStop = 308;

// Bytes are their own ids; the texts of kSpecial are one special token each, kImage and on.
class ByteEncoder : public Encoder {
 public:
  base::Result<EncodedText> encode(const std::string& text) const override {
    EncodedText out;
    for (size_t at = 0; at < text.size();) {
      size_t size = 1;
      int32_t id = static_cast<unsigned char>(text[at]);
      for (size_t i = 0; i < kSpecial.size(); ++i) {
        if (text.compare(at, kSpecial[i].size(), kSpecial[i]) != 0) continue;
        id = kImage + static_cast<int32_t>(i);
        size = kSpecial[i].size();
      }
      out.ids.push_back(id);
      out.offsets.emplace_back(at, at + size);
      at += size;
    }
    return out;
  }
  base::Result<std::vector<int32_t>> special_among(const std::vector<int32_t>& ids) const override {
    std::vector<int32_t> special;
    for (const int32_t id : ids) {
      if (id >= kImage) special.push_back(id);
    }
    return special;
  }
  base::Result<std::string> token_text(int32_t id) const override {
    if (id >= 0 && id < 256) return std::string(1, static_cast<char>(id));
    const auto special = static_cast<size_t>(id - kImage);
    if (id >= kImage && special < kSpecial.size()) return std::string(kSpecial[special]);
    return base::Error(base::Code::kInvalidArgument, "No token " + std::to_string(id) + ".");
  }
  int32_t eos_id() const override { return kEnd; }
  int32_t bos_id() const override { return -1; }

 private:
  static constexpr std::array<std::string_view, 9> kSpecial = {
      "<image>",        "</s>",      "<|image_pad|>", "<|video_pad|>", "<|vision_start|>",
      "<|vision_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"};
};

}  // namespace mortise::engine
