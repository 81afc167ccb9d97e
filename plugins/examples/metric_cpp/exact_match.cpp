// Exact match: the share of predictions that equal their reference, 0 to 100.
//
// The example of a metric in C++: facts, columns, row scores, a configuration, a state that is
// checked when it comes back. The host calls it through mortise.metric/1.
#include <mortise/cpp/metric.hpp>
#include <mortise/cpp/plugin.hpp>

#include <algorithm>

namespace {

using namespace mortise::sdk;

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

class ExactMatch : public Metric {
 public:
  explicit ExactMatch(Json config) : ignore_case_(config.get("ignore_case", false)) {}

  MetricFacts describe() const override {
    return {/*higher_is_better=*/true, /*has_row_scores=*/true, 0.0, 100.0};
  }

  Schema requires_schema() const override {
    return struct_schema(
        make_vector(make_schema("u", "prediction"), make_schema("u", "reference")));
  }

  void update(const StructView& batch, std::vector<double>* scores) override {
    const auto predictions = batch.column<TextView>(0, "prediction");
    const auto references = batch.column<TextView>(1, "reference");
    for (int64_t row = 0; row < batch.size(); ++row) {
      const bool is_hit = equal(predictions[row], references[row]);
      counts_.hits += is_hit ? 1 : 0;
      if (scores != nullptr) scores->push_back(is_hit ? 100.0 : 0.0);
    }
    counts_.rows += static_cast<uint64_t>(batch.size());
  }

  std::string save() const override {
    return std::string(reinterpret_cast<const char*>(&counts_), sizeof(counts_));
  }

  void merge(std::string_view state) override {
    Counts other;
    if (state.size() != sizeof(other)) {
      throw data_loss("The state has " + std::to_string(state.size()) + " bytes, expected " +
                      std::to_string(sizeof(other)) + ".");
    }
    std::memcpy(&other, state.data(), sizeof(other));
    const bool is_sound =
        other.version == 1 && other.hits <= other.rows && other.rows <= UINT64_MAX - counts_.rows;
    if (!is_sound) throw data_loss("The state is damaged or of an unknown version.");
    counts_.rows += other.rows;
    counts_.hits += other.hits;
  }

  void finalize(const MetricRows& rows) const override {
    const double share = static_cast<double>(counts_.hits) / static_cast<double>(counts_.rows);
    rows.add({"exact_match", counts_.rows == 0 ? NAN : 100.0 * share, counts_.rows});
  }

 private:
  struct Counts {
    uint64_t version = 1;
    uint64_t rows = 0;
    uint64_t hits = 0;
  };

  bool equal(std::string_view a, std::string_view b) const {
    if (!ignore_case_) return a == b;
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return to_lower(x) == to_lower(y); });
  }

  bool ignore_case_;
  Counts counts_;
};

}  // namespace

MORTISE_PLUGIN("com.example.exact_match", {MORTISE_KIND_METRIC, metric_table<ExactMatch>()});
