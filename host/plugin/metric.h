// A metric instance in C++ terms. Called by evaluate and by `mortise metric score`.
#pragma once

#include <mortise/kind/metric.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "plugin/arrow_rows.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

struct MetricFacts {
  bool is_higher_better = false, has_row_scores = false;
  double value_min = 0, value_max = 0;
};

struct MetricRow {
  std::string name, group;
  double value = 0;                // NaN when no row was seen
  double ci_low = 0, ci_high = 0;  // both NaN where the metric has none
  uint64_t rows_count = 0;
  base::Json json() const;  // {name, group, value, ci_low, ci_high, n}; NaN becomes null
};

class Metric {  // [serial], but for facts and schema
 public:
  // config must already satisfy the plugin's schema (Registry sees to it).
  static base::Result<Metric> create(std::shared_ptr<Plugin> plugin, const base::Json& config);

  const MetricFacts& facts() const { return facts_; }
  const Column& requires_columns() const { return schema_; }  // struct of what update needs

  // Adds rows, each an object with the required columns (others are ignored). With `scores`, one
  // value a row is appended to it if the metric has row scores. Errors: INVALID_ARGUMENT with row.
  base::Status update(std::span<const base::Json> rows, std::vector<double>* scores = nullptr);
  // The same for a struct array of requires_columns(), borrowed.
  base::Status update(const ArrowArray& batch, std::vector<double>* scores = nullptr);
  base::Result<std::string> save() const;
  base::Status merge(std::string_view state);
  base::Result<std::vector<MetricRow>> finalize() const;

  Metric(Metric&&) noexcept;
  Metric& operator=(Metric&&) noexcept;
  ~Metric();

 private:
  Metric() = default;
  void end();

  std::shared_ptr<Plugin> plugin_;  // shared: all instances of a plugin keep its tables alive
  const mortise_metric* table_ = nullptr;
  mortise_metric_instance* instance_ = nullptr;
  MetricFacts facts_;
  Column schema_;
};

}  // namespace mortise::plugin
