// Learns a tokenizer from texts, in C++ terms. Called by `mortise tokenizer train`.
#pragma once

#include <mortise/draft/tokenizer_trainer.h>

#include <memory>
#include <span>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

class TokenizerTrainer {  // [serial]
 public:
  // Errors: UNIMPLEMENTED when the plugin trains nothing; INVALID_ARGUMENT naming the field.
  static base::Result<TokenizerTrainer> create(std::shared_ptr<Plugin> plugin,
                                               const base::Json& config);
  base::Status add(std::span<const std::string> texts);
  base::Result<std::string> finish();  // text of tokenizer.json

  TokenizerTrainer(TokenizerTrainer&&) noexcept;
  TokenizerTrainer& operator=(TokenizerTrainer&&) noexcept;
  ~TokenizerTrainer();

 private:
  TokenizerTrainer() = default;
  void end();

  std::shared_ptr<Plugin> plugin_;  // shared, as in Metric
  const mortise_tokenizer_trainer* table_ = nullptr;
  mortise_tokenizer_trainer_instance* instance_ = nullptr;
};

}  // namespace mortise::plugin
