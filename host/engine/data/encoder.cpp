// PluginEncoder: one text at a time; batches are made of rows that workers encode side by side.
#include "engine/data/encoder.h"

#include <algorithm>

#include "plugin/tokenizer.h"

namespace mortise::engine {

base::Result<EncodedText> PluginEncoder::encode(const std::string& text) const {
  const plugin::EncodeOptions options{
      .add_special = false, .parse_special = true, .with_offsets = true, .length_tokens_max = 0};
  MORTISE_ASSIGN(auto encodings,
                 tokenizer_.encode_with_offsets(std::span<const std::string>(&text, 1), options));
  EncodedText out{.ids = std::move(encodings.at(0).ids),
                  .offsets = std::move(encodings.at(0).offsets)};
  if (out.offsets.size() != out.ids.size()) {
    return base::Error(base::Code::kInternal,
                       "The tokenizer gave " + std::to_string(out.offsets.size()) +
                           " offsets for " + std::to_string(out.ids.size()) + " tokens.");
  }
  return out;
}

// A special token is one that decoding leaves out when it is told to.
base::Result<std::vector<int32_t>> PluginEncoder::special_among(
    const std::vector<int32_t>& ids) const {
  std::vector<int32_t> distinct = ids;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<std::vector<int32_t>> each;
  for (const int32_t id : distinct) each.push_back({id});
  MORTISE_ASSIGN(const auto kept, tokenizer_.decode_batch(each, /*skip_special=*/true));
  MORTISE_ASSIGN(const auto whole, tokenizer_.decode_batch(each, /*skip_special=*/false));
  std::vector<int32_t> special;
  for (size_t i = 0; i < distinct.size(); ++i) {
    if (kept.at(i).empty() && !whole.at(i).empty()) special.push_back(distinct[i]);
  }
  return special;
}

base::Result<std::string> PluginEncoder::token_text(int32_t id) const {
  return tokenizer_.decode({id});
}

int32_t PluginEncoder::eos_id() const {
  return tokenizer_.facts().eos_id;
}
int32_t PluginEncoder::bos_id() const {
  return tokenizer_.facts().bos_id;
}

}  // namespace mortise::engine
