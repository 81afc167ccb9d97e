// mortise/cpp/metric.hpp: write a metric as a class; metric_table<T>() makes the C table.
//
// T derives from Metric and is made as T(Json config) (valid during the constructor only). See
// kind/metric.h for what each call means and plugins/examples/metric_cpp for a whole one.
#ifndef MORTISE_CPP_METRIC_HPP
#define MORTISE_CPP_METRIC_HPP

#include <mortise/kind/metric.h>
#include <mortise/cpp/arrow_read.hpp>
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/view.hpp>

#include <cmath>

namespace mortise::sdk {

struct MetricFacts {
  bool higher_is_better = true;
  bool has_row_scores = false;
  double value_min = -INFINITY;
  double value_max = INFINITY;
};

// One line of a result; the interval is NaN where there is none.
struct MetricRow {
  std::string_view name;
  double value = NAN;
  uint64_t rows_count = 0;
  std::string_view group = {};
  double ci_low = NAN;
  double ci_high = NAN;
};

// Takes the rows of a result.
class MetricRows {
 public:
  MetricRows(mortise_status (*sink)(void*, const mortise_metric_row*), void* user)
      : sink_(sink), user_(user) {}
  // Throws the host's code when it takes no more.
  void add(const MetricRow& row) const {
    mortise_metric_row raw{};
    raw.struct_size = sizeof(raw);
    raw.name = text(row.name);
    raw.group = text(row.group);
    raw.value = row.value;
    raw.ci_low = row.ci_low;
    raw.ci_high = row.ci_high;
    raw.rows_count = row.rows_count;
    const mortise_status status = sink_(user_, &raw);
    if (status != MORTISE_STATUS_OK) throw Failure(status, "The host took no more result rows.");
  }

 private:
  mortise_status (*sink_)(void*, const mortise_metric_row*);
  void* user_;
};

class Metric {
 public:
  virtual ~Metric() = default;
  virtual MetricFacts describe() const = 0;
  virtual Schema requires_schema() const = 0;
  // Adds rows. scores: NULL, or append one value a row. When it throws, the instance must be as
  // before: check everything first, then add. [serial]
  virtual void update(const StructView& batch, std::vector<double>* scores) = 0;
  virtual std::string save() const = 0;
  // Adds a state; throws data_loss() when it is damaged. [serial]
  virtual void merge(std::string_view state) = 0;
  virtual void finalize(const MetricRows& rows) const = 0;
};

namespace detail {

inline Metric* self(mortise_metric_instance* instance) {
  return reinterpret_cast<Metric*>(instance);
}
inline const Metric* self(const mortise_metric_instance* instance) {
  return reinterpret_cast<const Metric*>(instance);
}

inline void update_metric(Metric* metric, const ArrowArray* batch, mortise_sink* sink) {
  const Schema schema = metric->requires_schema();
  const StructView rows(batch, schema.get()->n_children);
  std::vector<double> scores;
  const bool wants_scores = sink != nullptr && metric->describe().has_row_scores;
  metric->update(rows, wants_scores ? &scores : nullptr);
  write_sink(sink, scores.data(), scores.size() * sizeof(double));
}

inline mortise_metric_facts raw_facts(const MetricFacts& facts) {
  mortise_metric_facts raw{};
  raw.flags = (facts.higher_is_better ? MORTISE_METRIC_HIGHER_IS_BETTER : 0) |
              (facts.has_row_scores ? MORTISE_METRIC_HAS_ROW_SCORES : 0);
  raw.value_min = facts.value_min;
  raw.value_max = facts.value_max;
  return raw;
}

}  // namespace detail

// The table of MORTISE_KIND_METRIC over class T; lives as long as the process.
template <class T>
const mortise_metric* metric_table() {
  using Instance = mortise_metric_instance;
  static const mortise_metric table = [] {
    mortise_metric t{};
    t.struct_size = sizeof(t);
    t.create = [](mortise_text config, Instance** out, mortise_error* error) {
      return guarded(error, [&] {
        const JsonDocument document = parse_config(view(config));
        Metric* made = new T(document.root());
        *out = reinterpret_cast<Instance*>(made);
      });
    };
    t.destroy = [](Instance* instance) { delete detail::self(instance); };
    t.describe = [](const Instance* instance, mortise_metric_facts* out, mortise_error* error) {
      return guarded(
          error, [&] { write_struct(out, detail::raw_facts(detail::self(instance)->describe())); });
    };
    t.requires_schema = [](const Instance* instance, ArrowSchema* out, mortise_error* error) {
      return guarded(error, [&] { detail::self(instance)->requires_schema().move_to(out); });
    };
    t.update = [](Instance* instance, const ArrowArray* batch, mortise_sink* scores,
                  mortise_error* error) {
      return guarded(error, [&] { detail::update_metric(detail::self(instance), batch, scores); });
    };
    t.save = [](const Instance* instance, mortise_sink* state, mortise_error* error) {
      return guarded(error, [&] { write_sink(state, detail::self(instance)->save()); });
    };
    t.merge = [](Instance* instance, mortise_bytes state, mortise_error* error) {
      return guarded(error, [&] { detail::self(instance)->merge(view(state)); });
    };
    t.finalize = [](const Instance* instance,
                    mortise_status (*sink)(void*, const mortise_metric_row*), void* user,
                    mortise_error* error) {
      return guarded(error, [&] { detail::self(instance)->finalize(MetricRows(sink, user)); });
    };
    return t;
  }();
  return &table;
}

}  // namespace mortise::sdk

#endif
