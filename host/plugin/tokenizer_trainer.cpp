// See tokenizer_trainer.h.
#include "plugin/tokenizer_trainer.h"

#include "plugin/arrow_rows.h"
#include "plugin/error_box.h"

namespace mortise::plugin {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Result<TokenizerTrainer> TokenizerTrainer::create(std::shared_ptr<Plugin> plugin,
                                                  const base::Json& config) {
  TokenizerTrainer trainer;
  MORTISE_ASSIGN(trainer.table_,
                 plugin->get_interface<mortise_tokenizer_trainer>(MORTISE_TOKENIZER_TRAINER));
  trainer.plugin_ = std::move(plugin);
  const std::string text = config.is_null() ? "{}" : config.dump();
  ErrorBox error;
  MORTISE_TRY(error.check(trainer.table_->create(text_of(text), &trainer.instance_, error.get())));
  if (trainer.instance_ == nullptr) {
    return Error(Code::kInternal,
                 "The tokenizer " + trainer.plugin_->label() + " made no trainer and said OK.",
                 "Report this to its vendor.");
  }
  return trainer;
}

Status TokenizerTrainer::add(std::span<const std::string> texts) {
  const OwnedArray batch = make_texts(texts);
  const InputNote note(std::to_string(texts.size()) + " texts");
  ErrorBox error;
  return error.check(table_->add(instance_, batch.get(), error.get()));
}

Result<std::string> TokenizerTrainer::finish() {
  SinkBox out(UINT64_C(256) << 20);
  ErrorBox error;
  MORTISE_TRY(error.check(table_->finish(instance_, out.get(), error.get())));
  return out.take();
}

TokenizerTrainer::TokenizerTrainer(TokenizerTrainer&& other) noexcept
    : plugin_(std::move(other.plugin_)),
      table_(other.table_),
      instance_(std::exchange(other.instance_, nullptr)) {}

TokenizerTrainer& TokenizerTrainer::operator=(TokenizerTrainer&& other) noexcept {
  if (this == &other) return *this;
  end();
  plugin_ = std::move(other.plugin_);
  table_ = other.table_;
  instance_ = std::exchange(other.instance_, nullptr);
  return *this;
}

TokenizerTrainer::~TokenizerTrainer() {
  end();
}

void TokenizerTrainer::end() {
  if (instance_ != nullptr) table_->destroy(std::exchange(instance_, nullptr));
}

}  // namespace mortise::plugin
