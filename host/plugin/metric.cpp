// See metric.h.
#include "plugin/metric.h"

#include <cmath>
#include <cstring>

#include "plugin/error_box.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

struct RowsTaken {
  std::vector<MetricRow> rows;
};

mortise_status take_row(void* user, const mortise_metric_row* row) {
  auto* taken = static_cast<RowsTaken*>(user);
  if (taken->rows.size() >= 100'000) return MORTISE_STATUS_RESOURCE_EXHAUSTED;
  taken->rows.push_back({std::string(view_of(row->name)), std::string(view_of(row->group)),
                         row->value, row->ci_low, row->ci_high, row->rows_count});
  return MORTISE_STATUS_OK;
}

}  // namespace

Json MetricRow::json() const {
  return Json::object({{"name", name},
                       {"group", group},
                       {"value", number(value)},
                       {"ci_low", number(ci_low)},
                       {"ci_high", number(ci_high)},
                       {"n", rows_count}});
}

Result<Metric> Metric::create(std::shared_ptr<Plugin> plugin, const Json& config) {
  Metric metric;
  MORTISE_ASSIGN(metric.table_, plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC));
  metric.plugin_ = std::move(plugin);
  const std::string text = config.is_null() ? "{}" : config.dump();
  ErrorBox error;
  MORTISE_TRY(error.check(metric.table_->create(text_of(text), &metric.instance_, error.get())));
  if (metric.instance_ == nullptr) {
    return Error(Code::kInternal,
                 "The plugin " + metric.plugin_->label() + " made no instance and said OK.",
                 "Report this to its vendor.");
  }
  mortise_metric_facts facts{};
  facts.struct_size = sizeof facts;
  const Status described =
      error.check(metric.table_->describe(metric.instance_, &facts, error.get()));
  if (!described.ok() && described.error().code != Code::kUnimplemented) return described.error();
  metric.facts_ = {(facts.flags & MORTISE_METRIC_HIGHER_IS_BETTER) != 0,
                   (facts.flags & MORTISE_METRIC_HAS_ROW_SCORES) != 0, facts.value_min,
                   facts.value_max};
  OwnedSchema schema;
  MORTISE_TRY(
      error.check(metric.table_->requires_schema(metric.instance_, schema.out(), error.get())));
  MORTISE_ASSIGN(metric.schema_, read_schema(*schema.get()));
  if (metric.schema_.format != "+s") {
    return Error(Code::kInternal,
                 "The metric " + metric.plugin_->label() +
                     " requires no struct of columns, but \"" + metric.schema_.format + "\".",
                 "Report this to its vendor.");
  }
  return metric;
}

Status Metric::update(std::span<const Json> rows, std::vector<double>* scores) {
  MORTISE_ASSIGN(const OwnedArray batch, make_rows(schema_, rows));
  return update(*batch.get(), scores);
}

Status Metric::update(const ArrowArray& batch, std::vector<double>* scores) {
  const bool wants_scores = scores != nullptr && facts_.has_row_scores;
  const InputNote note(std::to_string(batch.length) + " rows");
  SinkBox sink;
  ErrorBox error;
  MORTISE_TRY(error.check(
      table_->update(instance_, &batch, wants_scores ? sink.get() : nullptr, error.get())));
  if (!wants_scores) return {};
  const auto count = static_cast<size_t>(batch.length);
  if (sink.bytes().size() != count * sizeof(double)) {
    return Error(Code::kInternal,
                 "The metric " + plugin_->label() + " wrote " +
                     std::to_string(sink.bytes().size()) + " bytes of scores for " +
                     std::to_string(count) + " rows; 8 a row are due.",
                 "Report this to its vendor.");
  }
  const size_t before = scores->size();
  scores->resize(before + count);
  if (count > 0) std::memcpy(scores->data() + before, sink.bytes().data(), sink.bytes().size());
  return {};
}

Result<std::string> Metric::save() const {
  SinkBox state;
  ErrorBox error;
  MORTISE_TRY(error.check(table_->save(instance_, state.get(), error.get())));
  return state.take();
}

Status Metric::merge(std::string_view state) {
  const mortise_bytes bytes = {reinterpret_cast<const uint8_t*>(state.data()), state.size()};
  const InputNote note("a state of " + std::to_string(state.size()) + " bytes");
  ErrorBox error;
  return error.check(table_->merge(instance_, bytes, error.get()));
}

Result<std::vector<MetricRow>> Metric::finalize() const {
  RowsTaken taken;
  ErrorBox error;
  MORTISE_TRY(error.check(table_->finalize(instance_, &take_row, &taken, error.get())));
  return std::move(taken.rows);
}

Metric::Metric(Metric&& other) noexcept
    : plugin_(std::move(other.plugin_)),
      table_(other.table_),
      instance_(std::exchange(other.instance_, nullptr)),
      facts_(other.facts_),
      schema_(std::move(other.schema_)) {}

Metric& Metric::operator=(Metric&& other) noexcept {
  if (this == &other) return *this;
  end();
  plugin_ = std::move(other.plugin_);
  table_ = other.table_;
  instance_ = std::exchange(other.instance_, nullptr);
  facts_ = other.facts_;
  schema_ = std::move(other.schema_);
  return *this;
}

Metric::~Metric() {
  end();
}

void Metric::end() {
  if (instance_ != nullptr) table_->destroy(std::exchange(instance_, nullptr));
}

}  // namespace mortise::plugin
