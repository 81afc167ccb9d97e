// A preference loss instance: ownership over the raw table, and calls in vectors.
#pragma once

#include <mortise/draft/loss_preference.h>

#include <memory>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

// S answers of one pass, as mortise_preference_call has them.
struct PreferenceAnswers {
  std::vector<double> policy, reference;
  std::vector<int32_t> tokens, wanted;
  double kl = 0;
};

struct PreferenceValue {
  double loss = 0;                           // the sum
  std::vector<double> grad_policy, rewards;  // [S]
};

class PreferenceLoss {  // [serial]
 public:
  // Errors: UNIMPLEMENTED when the plugin is no preference loss; what it says of its config.
  static base::Result<PreferenceLoss> create(std::shared_ptr<Plugin> plugin,
                                             const base::Json& config);
  bool is_paired() const;
  bool reads_kl() const;
  // The vectors are of one length. Errors: what the plugin says; INTERNAL when it gives a number
  // that is not finite.
  base::Result<PreferenceValue> evaluate(const PreferenceAnswers& answers) const;

 private:
  struct State;
  explicit PreferenceLoss(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace mortise::plugin
