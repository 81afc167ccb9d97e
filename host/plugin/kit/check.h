// One check of the conformance kit: a name, one sentence, and a function that looks at one plugin
// of one pack. The table is all there is to the kit; kit.h runs it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortise::plugin::kit {

enum class State { kPass, kWarn, kFail, kSkip, kCrash, kTimeout };
const char* state_name(State state);  // "pass", "time-out", ...
State state_of(std::string_view name);

// What a check found. An Error or a failed Status is a fail with its words, so MORTISE_TRY and
// MORTISE_ASSIGN work inside checks.
struct Outcome {
  State state = State::kPass;
  std::string message;

  Outcome() = default;
  Outcome(State state_in, std::string message_in)
      : state(state_in), message(std::move(message_in)) {}
  Outcome(const base::Error& error) : state(State::kFail), message(error.text()) {}
};
inline Outcome fail(std::string message) {
  return {State::kFail, std::move(message)};
}
inline Outcome warn(std::string message) {
  return {State::kWarn, std::move(message)};
}
inline Outcome skip(std::string message) {
  return {State::kSkip, std::move(message)};
}

class Case;

// What must be there before a check can say anything.
enum class Needs { kManifest, kLibrary, kPlugin };

struct Check {
  const char* name;       // "metric.merge_of_any_partition"
  const char* sentence;   // what holds for a pack that passes
  const char* kind;       // kind of pack.json, or "" for every plugin
  const char* interface;  // "" or an id that the plugin must declare, else the check is left out
  Needs needs;
  Outcome (*run)(Case& at);
};

// Every check, in the order of the report.
const std::vector<Check>& all_checks();

// The parts of the table, one a file.
std::span<const Check> load_checks();
std::span<const Check> entry_checks();
std::span<const Check> use_checks();
std::span<const Check> error_checks();
std::span<const Check> metric_checks();
std::span<const Check> metric_state_checks();
std::span<const Check> tokenizer_checks();
std::span<const Check> format_checks();
std::span<const Check> writer_checks();
std::span<const Check> loss_checks();
std::span<const Check> preference_checks();
std::span<const Check> device_checks();
std::span<const Check> device_op_checks();

}  // namespace mortise::plugin::kit
