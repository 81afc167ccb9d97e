// Direct preference optimisation (plugins/builtin/loss_dpo) with one fault. See evil.h.
#include <mortise/draft/loss_preference.h>

#include <algorithm>

#include "evil.h"

namespace evil {
namespace {

const mortise_preference_loss* good = nullptr;
mortise_preference_loss bad;

mortise_status evaluate(mortise_preference_instance* instance, const mortise_preference_call* call,
                        mortise_error* error) {
  if (is("trusts_answers")) {
    *call->loss = 0;
    std::fill_n(call->grad_policy, call->answers_count, 0.0);
    std::fill_n(call->rewards, call->answers_count, 0.0);
    return MORTISE_STATUS_OK;
  }
  const mortise_status status = good->evaluate(instance, call, error);
  if (status != MORTISE_STATUS_OK) return status;
  for (uint64_t s = 0; is("wrong_slope") && s < call->answers_count; ++s) {
    call->grad_policy[s] *= 1.1;
  }
  if (is("gives_the_mean") && call->answers_count > 0) {
    *call->loss /= static_cast<double>(call->answers_count);
  }
  return status;
}

}  // namespace

const void* find_interface(std::string_view id) {
  if (id != MORTISE_KIND_LOSS_PREFERENCE) return nullptr;
  if (good == nullptr) {
    good = healthy<mortise_preference_loss>(id);
    bad = *good;
    bad.evaluate = &evaluate;
  }
  return &bad;
}

}  // namespace evil
