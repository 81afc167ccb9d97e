#include "engine/train/groups.h"

#include "base/pattern.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;

constexpr size_t kShownMax = 4;  // names that an error gives as examples

Error at_group(Error error, size_t index) {
  return std::move(error.at_field("/train/parameter_groups/" + std::to_string(index) + "/pattern"));
}

Error matches_nothing(const ParameterGroup& group, const std::vector<Parameter>& parameters) {
  std::string names;
  for (size_t i = 0; i < std::min(kShownMax, parameters.size()); ++i) {
    names += (i == 0 ? "" : ", ") + parameters[i].name;
  }
  return Error(Code::kInvalidArgument,
               "The group \"" + group.pattern + "\" decides on no parameter that could train.",
               "Parameters that could are " + names +
                   ", ...; earlier groups come first, and \"freeze\" and target_modules before "
                   "all groups.");
}

}  // namespace

base::Result<std::vector<ParameterRate>> take_groups(const TrainSettings& settings,
                                                     std::vector<Parameter>& parameters) {
  std::vector<base::Pattern> patterns;
  for (const ParameterGroup& group : settings.groups) {
    auto pattern = base::Pattern::compile(group.pattern);
    if (!pattern.ok()) return at_group(std::move(pattern).error(), patterns.size());
    patterns.push_back(std::move(pattern).value());
  }
  std::vector<Parameter> kept;
  std::vector<ParameterRate> rates;
  std::vector<bool> used(patterns.size(), false);
  for (const Parameter& parameter : parameters) {
    ParameterRate rate{settings.learning_rate, settings.weight_decay};
    bool frozen = false;
    for (size_t i = 0; i < patterns.size(); ++i) {
      MORTISE_ASSIGN(const bool found, patterns[i].search(parameter.name));
      if (!found) continue;
      const ParameterGroup& group = settings.groups[i];
      used[i] = true;
      frozen = group.frozen;
      rate.learning_rate = group.learning_rate.value_or(rate.learning_rate);
      rate.weight_decay = group.weight_decay.value_or(rate.weight_decay);
      break;
    }
    if (frozen) continue;
    kept.push_back(parameter);
    rates.push_back(rate);
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) return at_group(matches_nothing(settings.groups[i], parameters), i);
  }
  if (kept.empty()) {
    return Error(Code::kInvalidArgument, "\"parameter_groups\" leaves nothing to train.",
                 "Take \"frozen\" from one of them.")
        .at_field("/train/parameter_groups");
  }
  parameters = std::move(kept);
  return rates;
}

}  // namespace mortise::engine
