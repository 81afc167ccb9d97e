// What every plugin does when something goes wrong: memory ends, the host cancels, a sink refuses,
// the configuration is garbage.
#include <atomic>
#include <memory>

#include "base/utf8.h"
#include "plugin/error_box.h"
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/kit/kind_calls.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using base::Result;

Outcome failing_memory_is_told(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  HostServices& services = plugin->services();
  const uint64_t kept = services.memory_use(at.label()).used_bytes;
  MORTISE_ASSIGN(const std::string expected, exercise(at, plugin));
  const uint64_t asked = services.memory_use(at.label()).allocations_count;
  if (asked == 0) return skip("The plugin takes no memory of mortise.memory/1.");
  for (uint64_t n = 1; n <= std::min<uint64_t>(asked, 32); ++n) {
    services.fail_allocation(at.label(), n);
    const Result<std::string> answers = exercise(at, plugin);
    services.fail_allocation(at.label(), 0);
    const std::string which = "allocation " + std::to_string(n) + " of mortise.memory/1 failed";
    if (answers.ok() && *answers != expected) {
      return fail("When " + which + ", the answers were wrong and the code was OK.");
    }
    if (!answers.ok() && answers.error().code != Code::kResourceExhausted) {
      return fail("When " + which +
                  ", the plugin did not answer RESOURCE_EXHAUSTED but: " + answers.error().text());
    }
    if (services.memory_use(at.label()).used_bytes > kept && !answers.ok()) {
      return fail("When " + which + ", what had been taken before was not given back.");
    }
  }
  return {};
}

Outcome judge_cancelled(const Result<std::string>& answers, const std::string& expected) {
  if (!answers.ok() && answers.error().code != Code::kCancelled) {
    return fail("Work that the host cancelled did not answer CANCELLED but: " +
                answers.error().text());
  }
  if (answers.ok() && *answers != expected) {
    return fail("Work that the host cancelled answered OK with half a result.");
  }
  return {};
}

// Cancels at a report of progress.
struct Canceller {
  std::atomic<HostServices*> services{nullptr};
  std::atomic<int> reports_left{0};
};

// From the start, and then at each of the first reports.
Outcome cancel_is_obeyed(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const std::string expected, exercise(at, plugin));
  plugin->services().cancel();
  const Outcome at_once = judge_cancelled(exercise(at, plugin), expected);
  if (at_once.state != State::kPass) return at_once;
  for (int report = 1; report <= 4; ++report) {
    const auto canceller = std::make_shared<Canceller>();
    HostOptions host;
    host.on_progress = [canceller](uint64_t, uint64_t, std::string_view) {
      HostServices* services = canceller->services.load();
      if (services != nullptr && canceller->reports_left.fetch_sub(1) == 1) services->cancel();
    };
    MORTISE_ASSIGN(const auto reporting, at.open(std::move(host)));
    canceller->reports_left = report;
    canceller->services = &reporting->services();
    const Outcome outcome = judge_cancelled(exercise(at, reporting), expected);
    canceller->services = nullptr;
    if (outcome.state != State::kPass) return outcome;
    if (canceller->reports_left > 0) break;  // there are no more reports
  }
  return {};
}

Outcome refusing_sink_is_obeyed(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  const auto status = call_with_refusing_sink(at, plugin);
  if (!status.ok() && status.error().code == Code::kNotFound) return skip(status.error().message);
  if (!status.ok()) return status.error();
  if (*status == MORTISE_STATUS_RESOURCE_EXHAUSTED) return {};
  if (*status == MORTISE_STATUS_UNIMPLEMENTED) return skip("The plugin has no call with a sink.");
  return fail("A sink refused with RESOURCE_EXHAUSTED (8), and the call answered " +
              std::to_string(*status) + ".");
}

Outcome codes_are_canonical(Case& at) {
  LoadOptions bare;  // the guard would answer in the plugin's place
  MORTISE_ASSIGN(const auto plugin, at.open({}, bare));
  ErrorBox error;
  MORTISE_ASSIGN(const mortise_status status, provoke(at, plugin, error.get()));
  if (status == MORTISE_STATUS_OK) {
    return fail("A wrong input (see the kind's header) was answered with OK.");
  }
  if (status < MORTISE_STATUS_OK || status > MORTISE_STATUS_UNAUTHENTICATED) {
    return fail("The code " + std::to_string(status) + " is none of status.h.");
  }
  return {};
}

// A mortise_error that keeps the plugin's bytes as they are.
struct RawError {
  mortise_error error{};
  std::string message;
  bool is_set = false;
  mortise_status code = MORTISE_STATUS_OK;

  RawError() {
    error.struct_size = sizeof error;
    error.host = this;
    error.set = [](mortise_error* self, mortise_status status, mortise_text text) {
      auto& raw = *static_cast<RawError*>(self->host);
      raw.message.assign(view_of(text));
      raw.is_set = true;
      raw.code = status;
    };
    error.locate = [](mortise_error*, mortise_text, int64_t, int64_t, mortise_text) {};
    error.detail = [](mortise_error*, mortise_text, mortise_text) {};
  }
};

Outcome words_are_good(Case& at) {
  LoadOptions bare;
  MORTISE_ASSIGN(const auto plugin, at.open({}, bare));
  RawError raw;
  MORTISE_ASSIGN(const mortise_status status, provoke(at, plugin, &raw.error));
  if (status == MORTISE_STATUS_OK) return skip("No error could be provoked.");
  if (!raw.is_set || raw.message.empty()) {
    return warn("The plugin gives no words for its errors; people see \"no message\".");
  }
  if (base::utf8_error_offset(raw.message) != SIZE_MAX) {
    return fail("The words of an error are not UTF-8.");
  }
  if (raw.code != status) {
    return fail("The call answered " + std::to_string(status) + " and set the code " +
                std::to_string(raw.code) + " with its words.");
  }
  return {};
}

std::vector<std::string> hostile_configs() {
  return {"",
          "{",
          "nul",
          "[]",
          "\"\"",
          "{\"a\":}",
          "{\"a\":1e999999}",
          "{\"a\":-99999999999999999999999999}",
          "{\"a\":\"\\ud800\"}",
          "{\"\xff\xfe\":\"\xc0\x80\"}",
          "{\"a\":1,\"a\":2}",
          "{\"a\":" + std::string(20'000, '[') + std::string(20'000, ']') + "}",
          "{\"" + std::string(1u << 18, 'k') + "\":\"" + std::string(1u << 18, 'v') + "\"}",
          std::string("{\"a\0b\":0}", 9)};
}

Outcome hostile_configs_are_survived(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  for (const std::string& config : hostile_configs()) {
    ErrorBox error;
    const auto status = create_with(at, *plugin, config, error.get());
    // What is wrong with the sample is told by other checks.
    if (!status.ok()) return skip(status.error().text());
    if (*status == MORTISE_STATUS_INTERNAL) {
      return fail("The configuration " + config.substr(0, 40) +
                  " is answered with INTERNAL: " + error.described(*status).message);
    }
  }
  return {};
}

constexpr Check kErrorsChecks[] = {
    {"errors.failing_memory_is_told",
     "When an allocation fails, the call answers RESOURCE_EXHAUSTED and keeps nothing.", "", "",
     Needs::kPlugin, failing_memory_is_told},
    {"errors.cancel_is_obeyed", "Cancelled work answers CANCELLED, or OK with the whole result.",
     "", "", Needs::kPlugin, cancel_is_obeyed},
    {"errors.refusing_sink_is_obeyed", "A call whose sink refuses returns the sink's code.", "", "",
     Needs::kPlugin, refusing_sink_is_obeyed},
    {"errors.codes_are_canonical", "A wrong input is answered with a code of status.h.", "", "",
     Needs::kPlugin, codes_are_canonical},
    {"errors.words_are_good", "Errors come with words in UTF-8 and one code.", "", "",
     Needs::kPlugin, words_are_good},
    {"errors.hostile_configs_are_survived",
     "Configurations that are no JSON, huge or deep are refused or ignored, not died of.", "", "",
     Needs::kPlugin, hostile_configs_are_survived},
};

}  // namespace

std::span<const Check> error_checks() {
  return kErrorsChecks;
}

}  // namespace mortise::plugin::kit
