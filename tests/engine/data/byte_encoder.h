// A tokenizer for tests whose ids can be read: one byte a token.
#pragma once

#include <string>
#include <vector>

#include "engine/data/encoder.h"

namespace mortise::engine {

constexpr int32_t kImage = 300, kEnd = 301;

// Bytes are their own ids; "<image>" and "</s>" are one special token each.
class ByteEncoder : public Encoder {
 public:
  base::Result<EncodedText> encode(const std::string& text) const override {
    EncodedText out;
    for (size_t at = 0; at < text.size();) {
      size_t size = 1;
      int32_t id = static_cast<unsigned char>(text[at]);
      if (text.compare(at, 7, "<image>") == 0) {
        id = kImage;
        size = 7;
      } else if (text.compare(at, 4, "</s>") == 0) {
        id = kEnd;
        size = 4;
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
  int32_t eos_id() const override { return kEnd; }
  int32_t bos_id() const override { return -1; }
};

}  // namespace mortise::engine
