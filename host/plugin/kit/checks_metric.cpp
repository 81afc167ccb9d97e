// Metrics: what goes in and what comes out. States and merging are in checks_metric_state.cpp.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "plugin/error_box.h"
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/kit/guard_page.h"
#include "plugin/kit/metric_bench.h"
#include "plugin/kit/samples.h"

namespace mortise::plugin::kit {

using base::Json;
using base::Result;
using base::Status;

Result<Metric> MetricBench::fed(size_t begin, size_t end) const {
  MORTISE_ASSIGN(Metric metric, make());
  if (begin < end) MORTISE_TRY(metric.update(part(begin, end)));
  return metric;
}

Result<std::vector<MetricRow>> MetricBench::all_rows_result() const {
  MORTISE_ASSIGN(const Metric metric, fed(0, rows.size()));
  return metric.finalize();
}

Result<MetricBench> metric_bench(Case& at, size_t rows_count) {
  MetricBench bench;
  MORTISE_ASSIGN(bench.plugin, at.open());
  bench.config = at.config();
  MORTISE_ASSIGN(const Metric metric, bench.make());
  MORTISE_ASSIGN(bench.rows, sample_rows(metric.requires_columns(), rows_count, at.dice(1)));
  return bench;
}

std::string dump(const std::vector<MetricRow>& rows) {
  std::string text;
  for (const MetricRow& row : rows) text += row.json().dump() + "\n";
  return text;
}

std::string difference(const std::vector<MetricRow>& a, const std::vector<MetricRow>& b) {
  if (a.size() != b.size()) {
    return std::to_string(a.size()) + " rows, then " + std::to_string(b.size());
  }
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].group != b[i].group) {
      return "row \"" + a[i].name + "\", then \"" + b[i].name + "\"";
    }
    const bool both_nan = std::isnan(a[i].value) && std::isnan(b[i].value);
    const double size = std::max(std::fabs(a[i].value), std::fabs(b[i].value));
    if (!both_nan && !(std::fabs(a[i].value - b[i].value) <= 1e-9 * size)) {
      return a[i].name + " is " + std::to_string(a[i].value) + ", then " +
             std::to_string(b[i].value);
    }
    if (a[i].rows_count != b[i].rows_count) {
      return a[i].name + " counts " + std::to_string(a[i].rows_count) + " rows, then " +
             std::to_string(b[i].rows_count);
    }
  }
  return {};
}

Result<std::string> exercise_metric(Case& at, const std::shared_ptr<Plugin>& plugin) {
  MORTISE_ASSIGN(Metric metric, Metric::create(plugin, at.config()));
  MORTISE_ASSIGN(const auto rows, sample_rows(metric.requires_columns(), 12, at.dice(1)));
  std::vector<double> scores;
  for (size_t begin = 0; begin < rows.size(); begin += 4) {
    MORTISE_TRY(metric.update(std::span(rows).subspan(begin, 4), &scores));
  }
  MORTISE_ASSIGN(const std::vector<MetricRow> result, metric.finalize());
  std::string out = dump(result);
  for (const double score : scores) out += " " + std::to_string(score);
  const Result<std::string> state = metric.save();
  if (!state.ok() && state.error().code != base::Code::kUnimplemented) return state.error();
  if (!state.ok()) return out;
  MORTISE_ASSIGN(Metric other, Metric::create(plugin, at.config()));
  MORTISE_TRY(other.merge(*state));
  MORTISE_ASSIGN(const std::vector<MetricRow> merged, other.finalize());
  return out + "\n" + dump(merged);
}

namespace {

Outcome schema_is_known(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(const Metric metric, bench.make());
  if (metric.requires_columns().children.empty()) return fail("update needs no column at all.");
  for (const Column& column : metric.requires_columns().children) {
    if (column.name.empty()) return fail("A column has no name.");
  }
  return {};
}

// The schema must live by itself: read again after its instance has ended.
Outcome schema_outlives_the_instance(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const auto* table, plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC));
  mortise_metric_instance* instance = nullptr;
  ErrorBox error;
  const std::string config = at.config().dump();
  MORTISE_TRY(error.check(table->create(text_of(config), &instance, error.get())));
  OwnedSchema schema;
  const Status given = error.check(table->requires_schema(instance, schema.out(), error.get()));
  if (!given.ok()) return given.error();
  MORTISE_ASSIGN(const Column before, read_schema(*schema.get()));
  table->destroy(instance);
  MORTISE_ASSIGN(const Column after, read_schema(*schema.get()));
  for (size_t i = 0; i < before.children.size(); ++i) {
    if (i >= after.children.size() || after.children[i].name != before.children[i].name ||
        after.children[i].format != before.children[i].format) {
      return fail("The schema changed when its instance ended; it must own its names.");
    }
  }
  return {};
}

// Through the plugin's own table: the guard would put its own release in between.
Outcome release_marks_what_it_released(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open({}, LoadOptions{}));
  MORTISE_ASSIGN(const auto* table, plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC));
  mortise_metric_instance* instance = nullptr;
  ErrorBox error;
  const std::string config = at.config().dump();
  MORTISE_TRY(error.check(table->create(text_of(config), &instance, error.get())));
  ArrowSchema schema{};
  const Status given = error.check(table->requires_schema(instance, &schema, error.get()));
  table->destroy(instance);
  if (!given.ok()) return given.error();
  if (schema.release == nullptr) return fail("requires_schema gave a schema without a release.");
  schema.release(&schema);
  if (schema.release == nullptr) return {};
  return fail("release did not set the schema's release to NULL; a host would release it twice.");
}

Outcome batches_do_not_matter(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  for (const size_t size : {size_t{1}, size_t{5}, size_t{23}}) {
    MORTISE_ASSIGN(Metric metric, bench.make());
    for (size_t begin = 0; begin < bench.rows.size(); begin += size) {
      MORTISE_TRY(metric.update(bench.part(begin, std::min(begin + size, bench.rows.size()))));
    }
    MORTISE_ASSIGN(const auto result, metric.finalize());
    const std::string text = difference(expected, result);
    if (!text.empty()) {
      return fail("All rows in one batch and in batches of " + std::to_string(size) +
                  " give other results: " + text + ".");
    }
  }
  return {};
}

Outcome order_does_not_matter(Case& at) {
  MORTISE_ASSIGN(MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  std::reverse(bench.rows.begin(), bench.rows.end());
  MORTISE_ASSIGN(const auto reversed, bench.all_rows_result());
  const std::string text = difference(expected, reversed);
  if (text.empty()) return {};
  return fail("The rows in reverse give another result: " + text + ".");
}

void release_nothing(ArrowArray*) {}

// A view of rows [begin, end) of a batch: once through the struct's offset, once through those of
// its children.
class Slice {
 public:
  Slice(const ArrowArray& batch, int64_t begin, int64_t end, bool in_children) : array_(batch) {
    array_.release = &release_nothing;
    array_.length = end - begin;
    if (!in_children) {
      array_.offset = batch.offset + begin;
      return;
    }
    for (int64_t i = 0; i < batch.n_children; ++i) children_.push_back(*batch.children[i]);
    for (ArrowArray& child : children_) {
      child.offset += begin;
      child.length = end - begin;
      child.null_count = -1;
      pointers_.push_back(&child);
    }
    array_.children = pointers_.data();
  }
  const ArrowArray& get() const { return array_; }

 private:
  ArrowArray array_;
  std::vector<ArrowArray> children_;
  std::vector<ArrowArray*> pointers_;
};

Outcome sliced_batches_are_read(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(const Metric asked, bench.make());
  MORTISE_ASSIGN(const OwnedArray whole, make_rows(asked.requires_columns(), bench.rows));
  const auto rows = static_cast<int64_t>(bench.rows.size());
  MORTISE_ASSIGN(const Metric plain, bench.fed(7, bench.rows.size() - 2));
  MORTISE_ASSIGN(const auto expected, plain.finalize());
  for (const bool in_children : {false, true}) {
    const Slice slice(*whole.get(), 7, rows - 2, in_children);
    MORTISE_ASSIGN(Metric metric, bench.make());
    MORTISE_TRY(metric.update(slice.get()));
    MORTISE_ASSIGN(const auto result, metric.finalize());
    const std::string text = difference(expected, result);
    if (text.empty()) continue;
    return fail(std::string("A batch with an offset in ") +
                (in_children ? "its columns" : "the struct") + " is read wrongly: " + text + ".");
  }
  return {};
}

// Every buffer at the end of a page behind which nothing may be read, in pages that may not be
// written.
Outcome reads_stay_inside(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(Metric metric, bench.make());
  MORTISE_ASSIGN(const OwnedArray batch, make_rows(metric.requires_columns(), bench.rows));
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  const GuardedArray guarded(metric.requires_columns(), *batch.get());
  if (!guarded.is_ready()) return skip("No memory could be mapped.");
  MORTISE_TRY(metric.update(*guarded.get()));
  MORTISE_ASSIGN(const auto result, metric.finalize());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("The same rows at another place give another result: " + text + ".");
}

Outcome nulls_are_taken(Case& at) {
  MORTISE_ASSIGN(MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(Metric metric, bench.make());
  const auto& columns = metric.requires_columns().children;
  const bool has_nullable = std::any_of(columns.begin(), columns.end(),
                                        [](const Column& column) { return column.is_nullable; });
  if (!has_nullable) return skip("No column allows nulls.");
  MORTISE_ASSIGN(bench.rows, sample_rows(metric.requires_columns(), 24, at.dice(2), true));
  MORTISE_TRY(metric.update(bench.rows));
  MORTISE_ASSIGN(const auto result, metric.finalize());
  return {};
}

Outcome empty_batch_changes_nothing(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  MORTISE_ASSIGN(Metric metric, bench.make());
  MORTISE_TRY(metric.update(bench.part(0, 0)));
  MORTISE_TRY(metric.update(bench.rows));
  MORTISE_TRY(metric.update(bench.part(0, 0)));
  MORTISE_ASSIGN(const auto result, metric.finalize());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("A batch of no rows changes the result: " + text + ".");
}

Outcome no_rows_give_nan(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(const Metric metric, bench.make());
  MORTISE_ASSIGN(const auto result, metric.finalize());
  for (const MetricRow& row : result) {
    if (!std::isnan(row.value)) {
      return fail("No row was seen, and " + row.name + " is " + std::to_string(row.value) +
                  " instead of NaN.");
    }
    if (row.rows_count != 0) return fail("No row was seen, and " + row.name + " counts some.");
  }
  return {};
}

Outcome row_scores_fit(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(Metric metric, bench.make());
  if (!metric.facts().has_row_scores) return skip("The metric has no row scores.");
  std::vector<double> scores;
  MORTISE_TRY(metric.update(bench.rows, &scores));  // says when the count is wrong
  for (size_t i = 0; i < scores.size(); ++i) {
    MORTISE_ASSIGN(Metric one, bench.make());
    std::vector<double> own;
    MORTISE_TRY(one.update(bench.part(i, i + 1), &own));
    if (own == std::vector<double>{scores[i]} || std::isnan(scores[i])) continue;
    return fail("The score of row " + std::to_string(i + 1) + " is " + std::to_string(scores[i]) +
                " among others and " + std::to_string(own.at(0)) + " alone.");
  }
  MORTISE_ASSIGN(const auto with, metric.finalize());
  MORTISE_ASSIGN(const auto without, bench.all_rows_result());
  const std::string text = difference(without, with);
  if (text.empty()) return {};
  return fail("Asking for row scores changes the result: " + text + ".");
}

Outcome values_are_in_range(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(Metric metric, bench.fed(0, bench.rows.size()));
  MORTISE_ASSIGN(const auto result, metric.finalize());
  const MetricFacts& facts = metric.facts();
  if (result.empty()) return fail("finalize gave no row.");
  for (const MetricRow& row : result) {
    if (row.name.empty()) return fail("A row of the result has no name.");
    const bool is_inside = row.value >= facts.value_min && row.value <= facts.value_max;
    if (facts.value_min < facts.value_max && !is_inside && !std::isnan(row.value)) {
      return fail(row.name + " is " + std::to_string(row.value) + ", outside of " +
                  std::to_string(facts.value_min) + " .. " + std::to_string(facts.value_max) + ".");
    }
    if (!std::isnan(row.ci_low) && !(row.ci_low <= row.value && row.value <= row.ci_high)) {
      return fail(row.name + " lies outside of its own interval.");
    }
    if (row.rows_count > bench.rows.size()) {
      return fail(row.name + " counts " + std::to_string(row.rows_count) + " rows of " +
                  std::to_string(bench.rows.size()) + ".");
    }
  }
  return {};
}

Outcome finalize_is_repeatable(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  MORTISE_ASSIGN(Metric metric, bench.fed(0, 12));
  MORTISE_ASSIGN(const auto first, metric.finalize());
  MORTISE_ASSIGN(const auto again, metric.finalize());
  if (dump(first) != dump(again)) return fail("A second finalize gives another result.");
  MORTISE_TRY(metric.update(bench.part(12, bench.rows.size())));
  MORTISE_ASSIGN(const auto result, metric.finalize());
  MORTISE_ASSIGN(const auto expected, bench.all_rows_result());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("Rows after a finalize are not added to those before: " + text + ".");
}

struct Stopper {
  int calls = 0;
};

Outcome refusing_row_sink_is_obeyed(Case& at) {
  MORTISE_ASSIGN(const auto plugin, at.open());
  MORTISE_ASSIGN(const auto* table, plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC));
  mortise_metric_instance* instance = nullptr;
  ErrorBox error;
  const std::string config = at.config().dump();
  MORTISE_TRY(error.check(table->create(text_of(config), &instance, error.get())));
  Stopper stopper;
  const mortise_status status = table->finalize(
      instance,
      [](void* user, const mortise_metric_row*) -> mortise_status {
        ++static_cast<Stopper*>(user)->calls;
        return MORTISE_STATUS_CANCELLED;
      },
      &stopper, error.get());
  table->destroy(instance);
  if (stopper.calls == 0) return skip("finalize gives no row before rows were seen.");
  if (stopper.calls > 1) return fail("finalize went on after its sink said CANCELLED.");
  if (status == MORTISE_STATUS_CANCELLED) return {};
  return fail("The sink of finalize said CANCELLED (1), and finalize answered " +
              std::to_string(status) + ".");
}

// Instances fed in turns; each must know its own rows only.
Outcome instances_are_independent(Case& at) {
  MORTISE_ASSIGN(const MetricBench bench, metric_bench(at));
  const size_t half = bench.rows.size() / 2;
  MORTISE_ASSIGN(const Metric plain, bench.fed(0, half));
  MORTISE_ASSIGN(const auto expected, plain.finalize());
  MORTISE_ASSIGN(Metric one, bench.make());
  MORTISE_ASSIGN(Metric other, bench.make());
  for (size_t i = 0; i < half; ++i) {
    MORTISE_TRY(one.update(bench.part(i, i + 1)));
    MORTISE_TRY(other.update(bench.part(half + i, half + i + 1)));
  }
  MORTISE_ASSIGN(const auto result, one.finalize());
  const std::string text = difference(expected, result);
  if (text.empty()) return {};
  return fail("Two instances fed in turns see each other's rows: " + text + ".");
}

constexpr const char* kMetricKind = "metric";
constexpr Check kMetricChecks[] = {
    {"metric.schema_is_known", "update needs named columns of formats that the host knows.",
     kMetricKind, "", Needs::kPlugin, schema_is_known},
    {"metric.schema_outlives_the_instance", "The schema can be read after its instance has ended.",
     kMetricKind, "", Needs::kPlugin, schema_outlives_the_instance},
    {"metric.release_marks_what_it_released", "release sets release to NULL.", kMetricKind, "",
     Needs::kPlugin, release_marks_what_it_released},
    {"metric.batches_do_not_matter", "The result does not depend on how rows are cut into batches.",
     kMetricKind, "", Needs::kPlugin, batches_do_not_matter},
    {"metric.order_does_not_matter", "The result does not depend on the order of rows.",
     kMetricKind, "", Needs::kPlugin, order_does_not_matter},
    {"metric.sliced_batches_are_read", "Offsets of the batch and of its columns are added.",
     kMetricKind, "", Needs::kPlugin, sliced_batches_are_read},
    {"metric.reads_stay_inside_its_input",
     "Nothing is read behind a buffer or written into borrowed rows.", kMetricKind, "",
     Needs::kPlugin, reads_stay_inside},
    {"metric.nulls_are_taken", "Nulls are taken where the schema allows them.", kMetricKind, "",
     Needs::kPlugin, nulls_are_taken},
    {"metric.empty_batch_changes_nothing", "A batch of no rows changes nothing.", kMetricKind, "",
     Needs::kPlugin, empty_batch_changes_nothing},
    {"metric.no_rows_give_nan", "Without rows every value is NaN and counts 0 rows.", kMetricKind,
     "", Needs::kPlugin, no_rows_give_nan},
    {"metric.row_scores_fit", "There is one score a row, and it depends on its row alone.",
     kMetricKind, "", Needs::kPlugin, row_scores_fit},
    {"metric.values_are_in_range", "Values lie inside the range that describe tells.", kMetricKind,
     "", Needs::kPlugin, values_are_in_range},
    {"metric.finalize_is_repeatable", "finalize changes nothing and may come again.", kMetricKind,
     "", Needs::kPlugin, finalize_is_repeatable},
    {"metric.refusing_row_sink_is_obeyed", "finalize stops when its sink does not say OK.",
     kMetricKind, "", Needs::kPlugin, refusing_row_sink_is_obeyed},
    {"metric.instances_are_independent", "Two instances know nothing of each other.", kMetricKind,
     "", Needs::kPlugin, instances_are_independent},
};

}  // namespace

std::span<const Check> metric_checks() {
  return kMetricChecks;
}

}  // namespace mortise::plugin::kit
