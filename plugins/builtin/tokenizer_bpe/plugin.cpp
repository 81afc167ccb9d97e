// The face of the pack: mortise.tokenizer/1 and mortise.tokenizer.trainer/1 over the classes of
// this folder. Called by the host through the C ABI; does batches and threads through the SDK.
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/tokenizer_table.hpp>
#include <mortise/cpp/tokenizer_trainer.hpp>

#include <mutex>

#include "loader.h"
#include "tokenizers/plugin_tokenizer.h"
#include "trainer.h"

namespace mortise::tokenizer_bpe {

using namespace tokenizers;

namespace {

Tokenizer load(std::string_view uri, sdk::Json config) {
  return load_tokenizer(std::string(uri), config, read_host_file);
}

struct BpeTokenizer : PluginTokenizer {
  BpeTokenizer(std::string_view uri, sdk::Json config) : PluginTokenizer(load(uri, config)) {}
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
