// Preference losses: slope, sums over answers, and answers that are none.
#include <cmath>
#include <cstring>
#include <functional>

#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/preference_loss.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Result;

namespace {

// Eight answers, four pairs when the loss takes pairs; margins on both sides of every bend.
PreferenceAnswers sample_answers(const PreferenceLoss& loss, Dice dice) {
  PreferenceAnswers a;
  for (int32_t s = 0; s < 8; ++s) {
    a.policy.push_back(-10 + 8 * dice.uniform());
    a.reference.push_back(-10 + 8 * dice.uniform());
    a.tokens.push_back(1 + static_cast<int32_t>(dice.below(9)));
    a.wanted.push_back(s % 2 == 0 ? 1 : 0);
  }
  a.kl = loss.reads_kl() ? 0.75 : 0;
  return a;
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

Result<PreferenceLoss> open_preference(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  return PreferenceLoss::create(plugin, at.config());
}

Outcome slope_is_that_of_the_loss(Case& at) {
  constexpr double kStep = 1e-5;
  MORTISE_ASSIGN(const PreferenceLoss loss, open_preference(at));
  PreferenceAnswers a = sample_answers(loss, at.dice(21));
  MORTISE_ASSIGN(const PreferenceValue value, loss.evaluate(a));
  for (size_t s = 0; s < a.policy.size(); ++s) {
    const double before = a.policy[s];
    a.policy[s] = before + kStep;
    MORTISE_ASSIGN(const PreferenceValue above, loss.evaluate(a));
    a.policy[s] = before - kStep;
    MORTISE_ASSIGN(const PreferenceValue below, loss.evaluate(a));
    a.policy[s] = before;
    const double expected = (above.loss - below.loss) / (2 * kStep);
    if (std::fabs(value.grad_policy[s] - expected) <= 1e-5 * std::max(std::fabs(expected), 1.0)) {
      continue;
    }
    return fail("grad_policy[" + std::to_string(s) + "] is " + number_text(value.grad_policy[s]) +
                ", finite differences give " + number_text(expected) + ".");
  }
  return {};
}

PreferenceAnswers part_of(const PreferenceAnswers& all, size_t begin, size_t end) {
  const auto cut = [&](const auto& values) {
    return std::decay_t<decltype(values)>(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                          values.begin() + static_cast<std::ptrdiff_t>(end));
  };
  return {cut(all.policy), cut(all.reference), cut(all.tokens), cut(all.wanted), all.kl};
}

Outcome parts_add_up(Case& at) {
  MORTISE_ASSIGN(const PreferenceLoss loss, open_preference(at));
  const PreferenceAnswers all = sample_answers(loss, at.dice(22));
  MORTISE_ASSIGN(const PreferenceValue whole, loss.evaluate(all));
  MORTISE_ASSIGN(const PreferenceValue none, loss.evaluate(part_of(all, 0, 0)));
  if (none.loss != 0) return fail("Without answers the loss is " + number_text(none.loss) + ".");
  for (const size_t cut : {size_t{2}, size_t{6}}) {
    MORTISE_ASSIGN(const PreferenceValue first, loss.evaluate(part_of(all, 0, cut)));
    MORTISE_ASSIGN(const PreferenceValue second, loss.evaluate(part_of(all, cut, 8)));
    const double sum = first.loss + second.loss;
    if (std::fabs(sum - whole.loss) > 1e-12 * std::max(1.0, std::fabs(whole.loss))) {
      return fail("Two parts give " + number_text(sum) + ", all answers at once " +
                  number_text(whole.loss) + ": the loss is no sum.");
    }
    if (first.grad_policy[0] == whole.grad_policy[0] && first.rewards[0] == whole.rewards[0]) {
      continue;
    }
    return fail("The slope or the reward of an answer depends on the others of the call.");
  }
  return {};
}

Outcome wrong_answers_are_refused(Case& at) {
  MORTISE_ASSIGN(const PreferenceLoss loss, open_preference(at));
  const PreferenceAnswers good = sample_answers(loss, at.dice(23));
  const std::pair<const char*, std::function<void(PreferenceAnswers&)>> changes[] = {
      {"a policy of NaN", [](PreferenceAnswers& a) { a.policy[3] = NAN; }},
      {"a reference of infinity", [](PreferenceAnswers& a) { a.reference[2] = -INFINITY; }},
      {"an answer of 0 tokens", [](PreferenceAnswers& a) { a.tokens[1] = 0; }},
      {"wanted = 2", [](PreferenceAnswers& a) { a.wanted[1] = 2; }},
      {"a kl of NaN", [](PreferenceAnswers& a) { a.kl = NAN; }},
      {"a kl below 0", [](PreferenceAnswers& a) { a.kl = -1; }}};
  const auto refuses = [&](const PreferenceAnswers& wrong) {
    const auto value = loss.evaluate(wrong);
    return !value.ok() && value.error().code == Code::kInvalidArgument;
  };
  for (const auto& [what, change] : changes) {
    PreferenceAnswers wrong = good;
    change(wrong);
    if (!refuses(wrong)) return fail(std::string("Not refused as INVALID_ARGUMENT: ") + what + ".");
  }
  if (!loss.is_paired()) return {};
  if (!refuses(part_of(good, 0, 3))) return fail("Three answers are taken for pairs.");
  if (!refuses(part_of(good, 1, 3))) return fail("A pair that begins with the worse is taken.");
  return {};
}

constexpr const char* kPreferenceKind = "loss";
constexpr Check kPreferenceChecks[] = {
    {"preference.slope_is_that_of_the_loss", "grad_policy agrees with finite differences.",
     kPreferenceKind, MORTISE_KIND_LOSS_PREFERENCE, Needs::kPlugin, slope_is_that_of_the_loss},
    {"preference.parts_add_up", "The loss is a sum over answers or pairs; none give 0.",
     kPreferenceKind, MORTISE_KIND_LOSS_PREFERENCE, Needs::kPlugin, parts_add_up},
    {"preference.wrong_answers_are_refused",
     "Numbers that are not finite and pairs that are none are INVALID_ARGUMENT.", kPreferenceKind,
     MORTISE_KIND_LOSS_PREFERENCE, Needs::kPlugin, wrong_answers_are_refused},
};

}  // namespace

Result<std::string> exercise_preference(Case& at, const std::shared_ptr<Plugin>& plugin) {
  MORTISE_ASSIGN(const PreferenceLoss loss, PreferenceLoss::create(plugin, at.config()));
  MORTISE_ASSIGN(const PreferenceValue value, loss.evaluate(sample_answers(loss, at.dice(24))));
  std::string out;
  const auto add = [&](double number) {
    uint64_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    out += std::to_string(bits) + " ";
  };
  add(value.loss);
  for (const double number : value.grad_policy) add(number);
  for (const double number : value.rewards) add(number);
  return out;
}

std::span<const Check> preference_checks() {
  return kPreferenceChecks;
}

}  // namespace mortise::plugin::kit
