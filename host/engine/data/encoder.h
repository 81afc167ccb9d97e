// Text to token ids, as engine/data needs it: ids with the bytes each came from. PluginEncoder asks
// a tokenizer pack; tests bring their own. Knows nothing of templates or rows.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mortise::plugin {
class Tokenizer;
}

namespace mortise::engine {

struct EncodedText {
  std::vector<int32_t> ids;
  std::vector<std::pair<int64_t, int64_t>> offsets;  // bytes [begin, end) of the text, one an id
};

class Encoder {  // [parallel]
 public:
  virtual ~Encoder() = default;
  // Special tokens written in the text become their ids; nothing is added around it.
  virtual base::Result<EncodedText> encode(const std::string& text) const = 0;
  // Those of `ids` that are special tokens: a model takes them for control, not for words.
  virtual base::Result<std::vector<int32_t>> special_among(
      const std::vector<int32_t>& ids) const = 0;
  // The text of one token, which encode() makes this token of again when it is a special one.
  // Errors: those of the tokenizer for an id that it does not have.
  virtual base::Result<std::string> token_text(int32_t id) const = 0;
  virtual int32_t eos_id() const = 0;  // -1: none
  virtual int32_t bos_id() const = 0;  // -1: none
};

class PluginEncoder : public Encoder {
 public:
  explicit PluginEncoder(const plugin::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  base::Result<EncodedText> encode(const std::string& text) const override;
  base::Result<std::vector<int32_t>> special_among(const std::vector<int32_t>& ids) const override;
  base::Result<std::string> token_text(int32_t id) const override;
  int32_t eos_id() const override;
  int32_t bos_id() const override;

 private:
  const plugin::Tokenizer& tokenizer_;  // outlives this
};

}  // namespace mortise::engine
