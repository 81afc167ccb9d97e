// What the checks of metrics share: an instance with the sample configuration, rows, and results
// that can be compared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/kit/case.h"
#include "plugin/metric.h"

namespace mortise::plugin::kit {

struct MetricBench {
  std::shared_ptr<Plugin> plugin;
  base::Json config;
  std::vector<base::Json> rows;  // for the columns it requires

  base::Result<Metric> make() const { return Metric::create(plugin, config); }
  // A fresh instance that has seen rows[begin .. end).
  base::Result<Metric> fed(size_t begin, size_t end) const;
  base::Result<std::vector<MetricRow>> all_rows_result() const;
  std::span<const base::Json> part(size_t begin, size_t end) const {
    return std::span(rows).subspan(begin, end - begin);
  }
};

base::Result<MetricBench> metric_bench(Case& at, size_t rows_count = 24);

// Why two results are not the same, or empty. Values within 1e-9 of each other, relative; names,
// groups and counts exactly. Intervals are not compared: they come from resampling.
std::string difference(const std::vector<MetricRow>& a, const std::vector<MetricRow>& b);
std::string dump(const std::vector<MetricRow>& rows);

}  // namespace mortise::plugin::kit
