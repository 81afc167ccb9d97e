// Direct preference optimisation (Rafailov et al. 2023, equation 7) over pairs of answers, with
// TRL's names: sigmoid (with label smoothing: conservative DPO), hinge (Zhao et al. 2023), ipo
// (Azar et al. 2023, equation 17).
//
// Called by plugin.cpp and the unit tests. Knows no tokens. With d the margin, how much more the
// model than the reference prefers the better answer: d = (pi_c - pi_r) - (ref_c - ref_r),
//   sigmoid  -(1 - e) log s(beta d) - e log s(-beta d)
//   hinge    max(0, 1 - beta d)
//   ipo      (d - 1 / (2 beta))^2, with log-probabilities a token
#pragma once

#include <mortise/cpp/loss_preference.hpp>

namespace mortise::loss_dpo {

class Dpo : public sdk::PreferenceLoss {
 public:
  // Throws INVALID_ARGUMENT for a label_smoothing beside another loss_type than sigmoid.
  explicit Dpo(sdk::Json config)
      : beta_(config.get("beta", 0.1)),
        smoothing_(config.get("label_smoothing", 0.0)),
        type_(config.get("loss_type", "sigmoid")) {
    if (smoothing_ > 0 && type_ != "sigmoid") {
      throw sdk::invalid_argument("label_smoothing belongs to the loss_type sigmoid, not " + type_ +
                                  ": leave it out.");
    }
  }

  uint32_t facts() const override { return MORTISE_PREFERENCE_PAIRED; }

  double evaluate(const sdk::PreferenceAnswers& a, double* grad_policy,
                  double* rewards) const override {
    double sum = 0;
    for (size_t c = 0; c < a.count; c += 2) {
      const size_t r = c + 1;
      const double better = gain(a, c), worse = gain(a, r);
      const auto [loss, slope] = at(better - worse);
      sum += loss;
      grad_policy[c] = slope / size(a, c);
      grad_policy[r] = -slope / size(a, r);
      rewards[c] = beta_ * better;
      rewards[r] = beta_ * worse;
    }
    return sum;
  }

 private:
  double size(const sdk::PreferenceAnswers& a, size_t s) const {
    return type_ == "ipo" ? static_cast<double>(a.tokens[s]) : 1;
  }
  double gain(const sdk::PreferenceAnswers& a, size_t s) const {
    return (a.policy[s] - a.reference[s]) / size(a, s);
  }
  // {loss, dloss/dd}
  std::pair<double, double> at(double d) const {
    const double x = beta_ * d;
    if (type_ == "hinge") return {std::max(0.0, 1 - x), x < 1 ? -beta_ : 0.0};
    if (type_ == "ipo") {
      const double off = d - 1 / (2 * beta_);
      return {off * off, 2 * off};
    }
    const double e = smoothing_;
    return {-(1 - e) * sdk::log_sigmoid(x) - e * sdk::log_sigmoid(-x),
            beta_ * (e * sdk::sigmoid(x) - (1 - e) * sdk::sigmoid(-x))};
  }

  double beta_, smoothing_;
  std::string type_;
};

}  // namespace mortise::loss_dpo
