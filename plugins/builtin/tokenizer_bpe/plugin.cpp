// The face of the pack: mortise.tokenizer/1 and mortise.tokenizer.trainer/1 over the classes of
// this folder. Called by the host through the C ABI; does batches and threads through the SDK.
#include <mortise/cpp/files.hpp>
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/tokenizer_table.hpp>
#include <mortise/cpp/tokenizer_trainer.hpp>

#include <atomic>

#include "loader.h"
#include "trainer.h"

namespace mortise::tokenizer_bpe {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;

std::optional<std::string> read_file(const std::string& name) {
  try {
    return sdk::File::open(name).read_all(kFileBytesMax);
  } catch (const sdk::Failure& failure) {
    if (failure.code == MORTISE_STATUS_NOT_FOUND) return std::nullopt;
    throw;
  }
}

// The words that this thread saw, kept from text to text of one tokenizer. Instances are told apart
// by number, since an address may be used again.
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

class BpeTokenizer : public sdk::Tokenizer {
 public:
  BpeTokenizer(std::string_view uri, sdk::Json config)
      : tokenizer_(load_tokenizer(std::string(uri), config, read_file)),
        number_(next_instance_number()) {}

  sdk::TokenizerFacts describe() const override {
    const TokenizerParts& parts = tokenizer_.parts();
    return {static_cast<uint32_t>(tokenizer_.id_count()), parts.bos_id, parts.eos_id, parts.unk_id,
            parts.pad_id};
  }
  void encode(std::string_view text, const sdk::EncodeOptions& options,
              sdk::Encoding* out) const override {
    Encoding encoding = tokenizer_.encode(text,
                                          {options.add_special, options.parse_special,
                                           options.wants_offsets, options.length_tokens_max},
                                          cache_of(number_));
    out->ids = std::move(encoding.ids);
    out->offsets = std::move(encoding.offsets);
  }
  void decode(const int32_t* ids, size_t count, const sdk::DecodeOptions& options,
              std::string* out) const override {
    *out += tokenizer_.decode(ids, count, options.skip_special);
  }
  bool token_bytes(int32_t id, std::string* out) const override {
    std::string bytes;
    if (!tokenizer_.token_bytes(id, bytes)) return false;
    *out += bytes;
    return true;
  }
  std::string fingerprint() const override { return tokenizer_.parts().fingerprint; }
  std::unique_ptr<sdk::Decoder> make_decoder(const sdk::DecodeOptions& options) const override {
    return std::make_unique<StreamDecoder>(tokenizer_, options.skip_special);
  }

 private:
  tokenizer_bpe::Tokenizer tokenizer_;
  uint64_t number_;
};

std::vector<std::string> read_special_tokens(sdk::Json config) {
  std::vector<std::string> tokens;
  const sdk::Json list = config["special_tokens"];
  if (!list.exists() || list.is_null()) return tokens;
  list.for_each_item([&](sdk::Json item) { tokens.emplace_back(item.as_text()); });
  return tokens;
}

class BpeTrainer : public sdk::TokenizerTrainer {
 public:
  explicit BpeTrainer(sdk::Json config)
      : trainer_(config["vocab_size"].as_integer(), read_special_tokens(config),
                 std::string(config.get("pattern", "gpt2"))) {}

  void add(const sdk::TextView& texts) override {
    WordCounts counts;
    std::mutex mutex;
    sdk::parallel_for(static_cast<uint64_t>(texts.size()), 64, [&](uint64_t begin, uint64_t end) {
      WordCounts part;
      for (uint64_t i = begin; i < end; ++i) {
        if (i % 64 == 0) sdk::check_cancelled();
        trainer_.count(texts[static_cast<int64_t>(i)], part);
      }
      const std::lock_guard<std::mutex> lock(mutex);
      for (const auto& [word, count] : part) counts[word] += count;
    });
    trainer_.add(counts);
  }
  std::string finish() override { return trainer_.finish(); }

 private:
  Trainer trainer_;
};

}  // namespace
}  // namespace mortise::tokenizer_bpe

using mortise::tokenizer_bpe::BpeTokenizer;
using mortise::tokenizer_bpe::BpeTrainer;

MORTISE_PLUGIN("mortise.tokenizer_bpe",
               {MORTISE_KIND_TOKENIZER, mortise::sdk::tokenizer_table<BpeTokenizer>()},
               {MORTISE_TOKENIZER_TRAINER, mortise::sdk::tokenizer_trainer_table<BpeTrainer>()});
