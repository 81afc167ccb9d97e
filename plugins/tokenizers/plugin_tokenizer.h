// The face of a tokenizer pack: mortise.tokenizer/1 over a Tokenizer, with files read through the
// host.
//
// Derived from by the plugin.cpp of each pack, which hands it to sdk::tokenizer_table. [parallel]
#pragma once

#include <mortise/cpp/tokenizer.hpp>

#include <optional>
#include <string>

#include "tokenizer.h"

namespace mortise::tokenizers {

// The content of a file of the host, at most 64 MiB; nothing when there is none of that name.
std::optional<std::string> read_host_file(const std::string& name);

class PluginTokenizer : public sdk::Tokenizer {
 public:
  explicit PluginTokenizer(tokenizers::Tokenizer tokenizer);

  sdk::TokenizerFacts describe() const override;
  void encode(std::string_view text, const sdk::EncodeOptions& options,
              sdk::Encoding* out) const override;
  void decode(const int32_t* ids, size_t count, const sdk::DecodeOptions& options,
              std::string* out) const override;
  bool token_bytes(int32_t id, std::string* out) const override;
  std::string fingerprint() const override;
  std::unique_ptr<sdk::Decoder> make_decoder(const sdk::DecodeOptions& options) const override;

 private:
  tokenizers::Tokenizer tokenizer_;
  uint64_t number_;
};

}  // namespace mortise::tokenizers
