// A tokenizer instance and its decoders in C++ terms. Called by engine/data, engine/infer, serve
// and `mortise tokenizer`.
#pragma once

#include <mortise/kind/tokenizer.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

struct EncodeOptions {
  bool add_special = false;   // what the post-processor adds
  bool parse_special = true;  // special tokens written in the text are tokens
  bool with_offsets = false;
  uint32_t length_tokens_max = 0;  // 0: no bound
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<std::pair<int64_t, int64_t>> offsets;  // bytes of the text; empty unless asked for
};

struct TokenizerFacts {
  uint32_t vocab_count = 0;  // highest id + 1
  int32_t bos_id = -1, eos_id = -1, unk_id = -1, pad_id = -1;
};

class Decoder;

class Tokenizer {  // all calls [parallel]
 public:
  // uri: a folder or file by a name that HostServices grants. Errors: NOT_FOUND; INVALID_ARGUMENT;
  // UNIMPLEMENTED naming the part that the plugin does not do.
  static base::Result<Tokenizer> create(std::shared_ptr<Plugin> plugin, std::string_view uri,
                                        const base::Json& config);

  const TokenizerFacts& facts() const;
  const std::string& fingerprint() const;  // 64 hex digits

  base::Result<std::vector<std::vector<int32_t>>> encode_batch(
      std::span<const std::string> texts, const EncodeOptions& options = {}) const;
  base::Result<std::vector<Encoding>> encode_with_offsets(std::span<const std::string> texts,
                                                          EncodeOptions options = {}) const;
  base::Result<std::vector<int32_t>> encode(const std::string& text,
                                            const EncodeOptions& options = {}) const;
  base::Result<std::vector<std::string>> decode_batch(std::span<const std::vector<int32_t>> ids,
                                                      bool skip_special = false) const;
  base::Result<std::string> decode(const std::vector<int32_t>& ids,
                                   bool skip_special = false) const;
  // The bytes of each id; nothing where an id is unused.
  base::Result<std::vector<std::optional<std::string>>> vocab() const;
  base::Result<Decoder> decoder(bool skip_special = false) const;

  struct State;

 private:
  explicit Tokenizer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;  // shared: decoders must end before the instance does
};

// One stream of tokens. [serial]
class Decoder {
 public:
  base::Result<std::string> push(int32_t id);  // text that is now certain
  base::Result<std::string> flush();

  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

 private:
  friend class Tokenizer;
  Decoder() = default;
  void end();

  std::shared_ptr<Tokenizer::State> owner_;
  mortise_decoder* decoder_ = nullptr;
};

}  // namespace mortise::plugin
