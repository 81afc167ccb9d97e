// @ID@: the share of predictions that equal their reference, 0 to 1.
//
// The host calls it through mortise.metric/1. Replace what is marked; keep sums and counts, not rows.
#include <mortise/cpp/metric.hpp>
#include <mortise/cpp/plugin.hpp>

namespace {

using namespace mortise::sdk;

class @CLASS@ : public Metric {
 public:
  explicit @CLASS@(Json /*config*/) {}

  MetricFacts describe() const override {
    return {/*higher_is_better=*/true, /*has_row_scores=*/true, /*value_min=*/0, /*value_max=*/1};
  }

  Schema requires_schema() const override {
    return struct_schema(
        make_vector(make_schema("u", "prediction"), make_schema("u", "reference")));
  }

  // Check everything first, then add: when this throws, nothing may have changed.
  void update(const StructView& batch, std::vector<double>* scores) override {
    const auto predictions = batch.column<TextView>(0, "prediction");
    const auto references = batch.column<TextView>(1, "reference");
    for (int64_t row = 0; row < batch.size(); ++row) {
      const double score = score_row(predictions[row], references[row]);
      sums_.score += score;
      if (scores != nullptr) scores->push_back(score);
    }
    sums_.rows += static_cast<uint64_t>(batch.size());
  }

  std::string save() const override {
    return std::string(reinterpret_cast<const char*>(&sums_), sizeof(sums_));
  }

  // A state may be damaged or hostile.
  void merge(std::string_view state) override {
    Sums other;
    if (state.size() != sizeof(other)) throw data_loss("The state has a wrong size.");
    std::memcpy(&other, state.data(), sizeof(other));
    const bool is_sound = other.version == 1 && other.score >= 0 &&
                          other.score <= static_cast<double>(other.rows);
    if (!is_sound) throw data_loss("The state is damaged or of an unknown version.");
    sums_.rows += other.rows;
    sums_.score += other.score;
  }

  void finalize(const MetricRows& rows) const override {
    const double mean = sums_.score / static_cast<double>(sums_.rows);
    rows.add({"@NAME@", sums_.rows == 0 ? NAN : mean, sums_.rows});
  }

 private:
  struct Sums {
    uint64_t version = 1;
    uint64_t rows = 0;
    double score = 0;
  };

  // Replace: the score of one row.
  static double score_row(std::string_view prediction, std::string_view reference) {
    return prediction == reference ? 1.0 : 0.0;
  }

  Sums sums_;
};

}  // namespace

MORTISE_PLUGIN("@ID@", {MORTISE_KIND_METRIC, metric_table<@CLASS@>()});
