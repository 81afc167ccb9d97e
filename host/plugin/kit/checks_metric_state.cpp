// Metrics: saved states, and instances made of them.
#include <algorithm>

#include "plugin/kit/check.h"
#include "plugin/kit/metric_bench.h"
#include "plugin/kit/samples.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using base::Json;
using base::Result;

constexpr const char* kNoState = "The metric keeps no state (save answers UNIMPLEMENTED).";

bool has_state(const MetricBench& bench) {
  const auto metric = bench.make();
  if (!metric.ok()) return true;  // then the check says so
  const auto state = metric->save();
  return state.ok() || state.error().code != Code::kUnimplemented;
}

Outcome any_partition_merges_alike(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  if (!has_state(bench)) return skip(kNoState);
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  Dice dice = at.dice(3);
  for (int round = 0; round < 6; ++round) {
    const size_t parts = 1 + dice.below(5);
    std::vector<std::vector<Json>> groups(parts);
    for (const Json& row : bench.rows) groups[dice.below(parts)].push_back(row);
    MORTISE_ASSIGN(Metric whole, bench.make());
    for (const auto& group : groups) {
      MORTISE_ASSIGN(Metric part, bench.make());
      if (!group.empty()) MORTISE_TRY(part.update(group));
      MORTISE_ASSIGN(const std::string state, part.save());
      MORTISE_TRY(whole.merge(state));
    }
    MORTISE_ASSIGN(const auto result, whole.finalize());
    const std::string text = difference(expected, result);
    if (!text.empty()) {
      return fail("The rows in " + std::to_string(parts) +
                  " parts, merged, give another result than in one pass: " + text + ".");
    }
  }
  return {};
}

Outcome empty_state_is_neutral(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  if (!has_state(bench)) return skip(kNoState);
  MORTISE_ASSIGN(const Metric empty, bench.make());
  MORTISE_ASSIGN(const std::string nothing, empty.save());
  MORTISE_ASSIGN(Metric metric, bench.fed(0, bench.rows.size()));
  MORTISE_TRY(metric.merge(nothing));
  MORTISE_ASSIGN(const auto result, metric.finalize());
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("Merging the state of an instance without rows changes the result: " + text + ".");
}

Outcome save_changes_nothing(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  if (!has_state(bench)) return skip(kNoState);
  MORTISE_ASSIGN(Metric metric, bench.fed(0, 10));
  MORTISE_ASSIGN(const std::string first, metric.save());
  MORTISE_ASSIGN(const std::string again, metric.save());
  if (first != again) return fail("A second save gives other bytes.");
  MORTISE_TRY(metric.update(bench.part(10, bench.rows.size())));
  MORTISE_ASSIGN(const auto result, metric.finalize());
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("Rows after a save are not added to those before: " + text + ".");
}

Outcome merged_state_goes_on(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  if (!has_state(bench)) return skip(kNoState);
  MORTISE_ASSIGN(const Metric first, bench.fed(0, 10));
  MORTISE_ASSIGN(const std::string state, first.save());
  MORTISE_ASSIGN(Metric metric, bench.make());
  MORTISE_TRY(metric.merge(state));
  MORTISE_TRY(metric.update(bench.part(10, bench.rows.size())));
  MORTISE_ASSIGN(const std::string whole, metric.save());
  MORTISE_ASSIGN(Metric last, bench.make());
  MORTISE_TRY(last.merge(whole));
  MORTISE_ASSIGN(const auto result, last.finalize());
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("A saved state does not go on where it stopped: " + text + ".");
}

Outcome damaged_state_is_refused(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  if (!has_state(bench)) return skip(kNoState);
  MORTISE_ASSIGN(const Metric full, bench.fed(0, bench.rows.size()));
  MORTISE_ASSIGN(const std::string state, full.save());
  std::vector<std::pair<std::string, std::string>> damaged = {
      {"an empty state", ""}, {"a state with a byte behind it", state + "x"}};
  for (const size_t size : {size_t{1}, state.size() / 2, state.size() - 1}) {
    if (size < state.size()) {
      damaged.emplace_back("the first " + std::to_string(size) + " of " +
                               std::to_string(state.size()) + " bytes of a state",
                           state.substr(0, size));
    }
  }
  MORTISE_ASSIGN(Metric metric, bench.fed(0, bench.rows.size()));
  for (const auto& [name, bytes] : damaged) {
    const auto merged = metric.merge(bytes);
    if (merged.ok()) return fail("merge took " + name + ".");
    if (merged.error().code != Code::kDataLoss) {
      return fail("merge answered " + name + " with " + code_name(merged.error().code) +
                  " instead of DATA_LOSS.");
    }
  }
  MORTISE_ASSIGN(const auto result, metric.finalize());
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("A refused state changed the instance: " + text + ".");
}

// No checksum is demanded, so a changed number may be taken; what counts is to live on.
Outcome random_states_are_survived(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  if (!has_state(bench)) return skip(kNoState);
  MORTISE_ASSIGN(const Metric full, bench.fed(0, bench.rows.size()));
  MORTISE_ASSIGN(const std::string state, full.save());
  Dice dice = at.dice(4);
  for (int round = 0; round < 400; ++round) {
    std::string bytes = round % 2 == 0 ? state : std::string(dice.below(200), '\0');
    const size_t changes = round % 2 == 0 ? 1 + dice.below(4) : bytes.size();
    for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
      const size_t place = round % 2 == 0 ? dice.below(bytes.size()) : i;
      bytes[place] = static_cast<char>(dice.below(4) == 0 ? 0xFF : dice.next());
    }
    MORTISE_ASSIGN(Metric metric, bench.make());
    const auto merged = metric.merge(bytes);
    const auto result = metric.finalize();
    if (!merged.ok() && merged.error().code == Code::kInternal) return merged.error();
    if (!result.ok() && result.error().code == Code::kInternal) return result.error();
  }
  return {};
}

// Text that is no UTF-8, zeros in it, and one of a megabyte: taken, or refused with nothing
// changed.
Outcome refused_rows_change_nothing(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(Metric metric, bench.fed(0, 10));
  MORTISE_ASSIGN(const auto before, metric.finalize());
  std::vector<Json> hostile = {bench.rows[0], bench.rows[1], bench.rows[2], bench.rows[3]};
  const std::string texts[] = {"\xff\xfe\xc0", std::string("a\0b", 3), std::string(1u << 20, 'w')};
  for (size_t i = 0; i < std::size(texts); ++i) {
    for (auto& [name, value] : hostile[i + 1].members()) {
      if (value.is_string()) value = texts[i];
    }
  }
  const auto updated = metric.update(hostile);
  MORTISE_ASSIGN(const auto after, metric.finalize());
  if (updated.ok()) return {};
  if (updated.error().code == Code::kInternal) return updated.error();
  const std::string text = difference(before, after);
  if (text.empty()) return {};
  return fail("update refused a batch and yet the result changed: " + text + ".");
}

constexpr const char* kMetricStateKind = "metric";
constexpr Check kMetricStateChecks[] = {
    {"metric.any_partition_merges_alike",
     "States of any partition of the rows merge to the result of one pass.", kMetricStateKind, "",
     Needs::kPlugin, any_partition_merges_alike},
    {"metric.empty_state_is_neutral", "Merging a state without rows changes nothing.",
     kMetricStateKind, "", Needs::kPlugin, empty_state_is_neutral},
    {"metric.save_changes_nothing", "save may come again and changes nothing.", kMetricStateKind,
     "", Needs::kPlugin, save_changes_nothing},
    {"metric.merged_state_goes_on", "A fresh instance with a saved state goes on where it stopped.",
     kMetricStateKind, "", Needs::kPlugin, merged_state_goes_on},
    {"metric.damaged_state_is_refused",
     "A state that is cut or too long is DATA_LOSS and changes nothing.", kMetricStateKind, "",
     Needs::kPlugin, damaged_state_is_refused},
    {"metric.random_states_are_survived", "States of random bytes do no harm.", kMetricStateKind,
     "", Needs::kPlugin, random_states_are_survived},
    {"metric.refused_rows_change_nothing", "After an error of update the instance is as before.",
     kMetricStateKind, "", Needs::kPlugin, refused_rows_change_nothing},
};

}  // namespace

std::span<const Check> metric_state_checks() {
  return kMetricStateChecks;
}

}  // namespace mortise::plugin::kit
