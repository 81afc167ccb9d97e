// Kahneman-Tversky optimisation (Ethayarajh et al. 2024, equation 8) over single answers that are
// wanted or not, with TRL's names.
//
// Called by plugin.cpp and the unit tests. Knows no tokens. With g = pi - ref of an answer and kl,
// how far the model has moved from the reference on answers to other questions,
//   wanted    desirable_weight   (1 - s(beta (g - kl)))
//   unwanted  undesirable_weight (1 - s(beta (kl - g)))
// kl is a constant in the backward pass.
#pragma once

#include <mortise/cpp/loss_preference.hpp>

namespace mortise::loss_kto {

class Kto : public sdk::PreferenceLoss {
 public:
  explicit Kto(sdk::Json config)
      : beta_(config.get("beta", 0.1)),
        wanted_(config.get("desirable_weight", 1.0)),
        unwanted_(config.get("undesirable_weight", 1.0)) {}

  uint32_t facts() const override { return MORTISE_PREFERENCE_READS_KL; }

  double evaluate(const sdk::PreferenceAnswers& a, double* grad_policy,
                  double* rewards) const override {
    double sum = 0;
    for (size_t s = 0; s < a.count; ++s) {
      const bool is_wanted = a.wanted[s] == 1;
      const double weight = is_wanted ? wanted_ : unwanted_, sign = is_wanted ? 1 : -1;
      const double g = a.policy[s] - a.reference[s];
      const double value = sdk::sigmoid(sign * beta_ * (g - a.kl));
      sum += weight * (1 - value);
      grad_policy[s] = -weight * sign * beta_ * value * (1 - value);
      rewards[s] = beta_ * g;
    }
    return sum;
  }

 private:
  double beta_, wanted_, unwanted_;
};

}  // namespace mortise::loss_kto
