// See preference_loss.h.
#include "plugin/preference_loss.h"

#include <cmath>

#include "plugin/error_box.h"

namespace mortise::plugin {

using base::Code;
using base::Error;
using base::Result;

struct PreferenceLoss::State {
  std::shared_ptr<Plugin> plugin;
  const mortise_preference_loss* table = nullptr;
  mortise_preference_instance* instance = nullptr;
  mortise_preference_facts facts{};

  ~State() {
    if (instance != nullptr) table->destroy(instance);
  }
};

Result<PreferenceLoss> PreferenceLoss::create(std::shared_ptr<Plugin> plugin,
                                              const base::Json& config) {
  auto state = std::make_shared<State>();
  MORTISE_ASSIGN(state->table,
                 plugin->get_interface<mortise_preference_loss>(MORTISE_KIND_LOSS_PREFERENCE));
  state->plugin = std::move(plugin);
  state->facts.struct_size = sizeof state->facts;
  const std::string text = config.is_null() ? "{}" : config.dump();
  ErrorBox error;
  MORTISE_TRY(error.check(
      state->table->create(text_of(text), &state->instance, &state->facts, error.get())));
  if (state->instance != nullptr) return PreferenceLoss(std::move(state));
  return Error(Code::kInternal,
               "The loss " + state->plugin->label() + " made no instance and said OK.",
               "Report this to its vendor.");
}

bool PreferenceLoss::is_paired() const {
  return (state_->facts.flags & MORTISE_PREFERENCE_PAIRED) != 0;
}
bool PreferenceLoss::reads_kl() const {
  return (state_->facts.flags & MORTISE_PREFERENCE_READS_KL) != 0;
}

Result<PreferenceValue> PreferenceLoss::evaluate(const PreferenceAnswers& answers) const {
  const size_t count = answers.policy.size();
  PreferenceValue value;
  value.grad_policy.resize(count, NAN);
  value.rewards.resize(count, NAN);
  value.loss = NAN;
  mortise_preference_call call{};
  call.struct_size = sizeof call;
  call.answers_count = count;
  call.policy = answers.policy.data();
  call.reference = answers.reference.data();
  call.tokens = answers.tokens.data();
  call.wanted = answers.wanted.data();
  call.kl = answers.kl;
  call.loss = &value.loss;
  call.grad_policy = value.grad_policy.data();
  call.rewards = value.rewards.data();
  ErrorBox error;
  MORTISE_TRY(error.check(state_->table->evaluate(state_->instance, &call, error.get())));
  bool is_whole = std::isfinite(value.loss);
  for (size_t s = 0; s < count; ++s) {
    is_whole = is_whole && std::isfinite(value.grad_policy[s]) && std::isfinite(value.rewards[s]);
  }
  if (is_whole) return value;
  return Error(
      Code::kInternal,
      "The loss " + state_->plugin->label() + " left a number out or gave one that is not finite.",
      "Report this to its vendor.");
}

}  // namespace mortise::plugin
