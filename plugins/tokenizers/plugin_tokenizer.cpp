// Every thread keeps the words of the tokenizer that it used last.
#include "plugin_tokenizer.h"

#include <mortise/cpp/files.hpp>

#include <atomic>

namespace mortise::tokenizers {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;

// Kept from text to text of one tokenizer. Instances are told apart by number, since an address may
// be used again.
WordCache& cache_of(uint64_t instance_number) {
  thread_local uint64_t owner = 0;
  thread_local WordCache cache;
  if (owner != instance_number) {
    cache = WordCache();
    owner = instance_number;
  }
  return cache;
}

uint64_t next_instance_number() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

class StreamDecoder : public sdk::Decoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer), stream_(tokenizer.parts().decoder), skip_special_(skip_special) {}
  void push(int32_t id, std::string* out) override {
    const std::string& token = tokenizer_.known_token(id);
    if (skip_special_ && tokenizer_.is_special(id)) return;
    stream_.push(token, *out);
  }
  void flush(std::string* out) override { stream_.flush(*out); }

 private:
  const Tokenizer& tokenizer_;
  DecodeStream stream_;
  bool skip_special_;
};

}  // namespace

std::optional<std::string> read_host_file(const std::string& name) {
  try {
    return sdk::File::open(name).read_all(kFileBytesMax);
  } catch (const sdk::Failure& failure) {
    if (failure.code == MORTISE_STATUS_NOT_FOUND) return std::nullopt;
    throw;
  }
}

PluginTokenizer::PluginTokenizer(tokenizers::Tokenizer tokenizer)
    : tokenizer_(std::move(tokenizer)), number_(next_instance_number()) {}

sdk::TokenizerFacts PluginTokenizer::describe() const {
  const TokenizerParts& parts = tokenizer_.parts();
  return {static_cast<uint32_t>(tokenizer_.id_count()), parts.bos_id, parts.eos_id, parts.unk_id,
          parts.pad_id};
}

void PluginTokenizer::encode(std::string_view text, const sdk::EncodeOptions& options,
                             sdk::Encoding* out) const {
  Encoding encoding = tokenizer_.encode(text,
                                        {options.add_special, options.parse_special,
                                         options.wants_offsets, options.length_tokens_max},
                                        cache_of(number_));
  out->ids = std::move(encoding.ids);
  out->offsets = std::move(encoding.offsets);
}

void PluginTokenizer::decode(const int32_t* ids, size_t count, const sdk::DecodeOptions& options,
                             std::string* out) const {
  *out += tokenizer_.decode(ids, count, options.skip_special);
}

bool PluginTokenizer::token_bytes(int32_t id, std::string* out) const {
  std::string bytes;
  if (!tokenizer_.token_bytes(id, bytes)) return false;
  *out += bytes;
  return true;
}

std::string PluginTokenizer::fingerprint() const {
  return tokenizer_.parts().fingerprint;
}

std::unique_ptr<sdk::Decoder> PluginTokenizer::make_decoder(
    const sdk::DecodeOptions& options) const {
  return std::make_unique<StreamDecoder>(tokenizer_, options.skip_special);
}

}  // namespace mortise::tokenizers
