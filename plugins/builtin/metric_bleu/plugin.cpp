// The face of the pack: mortise.metric/1 over bleu.h. Columns: prediction, utf8; references, list
// of utf8, at least one that is not empty. A row's score is its sentence BLEU with effective order.
#include <mortise/cpp/metric.hpp>
#include <mortise/cpp/plugin.hpp>

#include <algorithm>

#include "bleu.h"

namespace mortise::metric_bleu {
namespace {

using namespace mortise::sdk;

Smoothing smoothing_of(std::string_view name) {
  if (name == "exp") return Smoothing::kExp;
  if (name == "floor") return Smoothing::kFloor;
  if (name == "add-k") return Smoothing::kAddK;
  if (name == "none") return Smoothing::kNone;
  throw invalid_argument("smooth_method \"" + std::string(name) +
                         "\" is unknown; there are exp, floor, add-k and none.")
      .at("", -1, -1, "/smooth_method");
}

BleuConfig read_config(Json json) {
  BleuConfig config;
  config.tokenizer = tokenizer_of(json.get("tokenize", "13a"));
  config.smoothing = smoothing_of(json.get("smooth_method", "exp"));
  config.smooth_value = json.get("smooth_value", config.smooth_value);
  config.lowercase = json.get("lowercase", false);
  config.effective_order = json.get("effective_order", false);
  const int64_t order = json.get("max_ngram_order", 4);
  if (order < 1 || order > static_cast<int64_t>(kOrderMax)) {
    throw invalid_argument("max_ngram_order is " + std::to_string(order) + "; it must be 1 .. " +
                           std::to_string(kOrderMax) + ".")
        .at("", -1, -1, "/max_ngram_order");
  }
  const bool takes_value =
      config.smoothing == Smoothing::kFloor || config.smoothing == Smoothing::kAddK;
  if (!std::isnan(config.smooth_value) && (!takes_value || config.smooth_value < 0.0)) {
    throw invalid_argument(
        "smooth_value belongs to smooth_method floor and add-k and is not "
        "negative.")
        .at("", -1, -1, "/smooth_value");
  }
  config.ngram_order_max = static_cast<uint32_t>(order);
  return config;
}

// The state: these words, then rows, prediction_tokens, reference_tokens, correct[16], total[16]
// and a check, all uint64.
constexpr uint64_t kStateWord = 0x3130554C424D;  // "MBLU01"
constexpr size_t kSums = 3 + 2 * kOrderMax;
constexpr size_t kStateWords = 2 + kSums + 1;
using State = std::array<uint64_t, kStateWords>;

uint64_t check_of(const State& state) {  // FNV-1a over words
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i + 1 < kStateWords; ++i) hash = (hash ^ state[i]) * 0x100000001B3u;
  return hash;
}

// What decides the counts: states of another setting must not be added.
uint64_t setting_of(const BleuConfig& config) {
  return static_cast<uint64_t>(config.tokenizer) | (config.lowercase ? 256u : 0u) |
         uint64_t{std::max(config.ngram_order_max, 4u)} << 16;
}

class Bleu : public Metric {
 public:
  explicit Bleu(Json config) : config_(read_config(config)) {}

  MetricFacts describe() const override { return {true, true, 0.0, 100.0}; }

  Schema requires_schema() const override {
    return struct_schema(make_vector(make_schema("u", "prediction"),
                                     list_schema("references", make_schema("u", "item"))));
  }

  void update(const StructView& batch, std::vector<double>* scores) override {
    const auto predictions = batch.column<TextView>(0, "prediction");
    const auto lists = batch.column<ListView<TextView>>(1, "references");
    BleuCounts sum;
    for (int64_t row = 0; row < batch.size(); ++row) {
      if (row % 256 == 0) check_cancelled();
      std::vector<std::string_view> references;
      for (int64_t i = lists.begin(row); i < lists.end(row); ++i) {
        if (!lists.items()[i].empty()) references.push_back(lists.items()[i]);
      }
      if (references.empty()) {
        throw invalid_argument("Row " + std::to_string(row + 1) +
                               " has no reference, or only empty ones.")
            .at("", row + 1, -1, "references");
      }
      const BleuCounts counts = count_row(config_, predictions[row], references);
      if (scores != nullptr) {
        scores->push_back(bleu_score(counts, config_, config_.ngram_order_max, true));
      }
      sum.add(counts);
    }
    sum_.add(sum);
  }

  std::string save() const override {
    State state{kStateWord, setting_of(config_), sum_.rows, sum_.prediction_tokens,
                sum_.reference_tokens};
    std::copy(sum_.correct.begin(), sum_.correct.end(), state.begin() + 5);
    std::copy(sum_.total.begin(), sum_.total.end(), state.begin() + 5 + kOrderMax);
    state.back() = check_of(state);
    return std::string(reinterpret_cast<const char*>(state.data()), sizeof(state));
  }

  void merge(std::string_view bytes) override {
    State state;
    if (bytes.size() != sizeof(state)) {
      throw data_loss("The state has " + std::to_string(bytes.size()) + " bytes, expected " +
                      std::to_string(sizeof(state)) + ".");
    }
    std::memcpy(state.data(), bytes.data(), sizeof(state));
    if (state[0] != kStateWord) throw data_loss("The state is of an unknown version.");
    if (state.back() != check_of(state)) throw data_loss("The state is damaged.");
    if (state[1] != setting_of(config_)) {
      throw invalid_argument(
          "The state was made with another tokenize, lowercase or "
          "max_ngram_order.");
    }
    const bool is_small = std::all_of(state.begin() + 2, state.end() - 1,
                                      [](uint64_t sum) { return sum <= UINT64_MAX / 4; });
    BleuCounts other;
    other.rows = state[2];
    other.prediction_tokens = state[3];
    other.reference_tokens = state[4];
    bool is_sound = is_small && sum_.prediction_tokens <= UINT64_MAX / 2;
    for (size_t i = 0; i < kOrderMax; ++i) {
      other.correct[i] = state[5 + i];
      other.total[i] = state[5 + kOrderMax + i];
      is_sound = is_sound && other.correct[i] <= other.total[i] &&
                 other.total[i] <= other.prediction_tokens;
    }
    if (!is_sound) throw data_loss("The state holds counts that cannot be.");
    sum_.add(other);
  }

  void finalize(const MetricRows& rows) const override {
    const auto add = [&](const char* name, uint32_t order) {
      const double value = bleu_score(sum_, config_, order, config_.effective_order);
      rows.add({name, sum_.rows == 0 ? NAN : value, sum_.rows});
    };
    add("bleu", config_.ngram_order_max);
    add("bleu1", 1);
    add("bleu2", 2);
    add("bleu3", 3);
    add("bleu4", 4);
  }

 private:
  BleuConfig config_;
  BleuCounts sum_;
};

}  // namespace
}  // namespace mortise::metric_bleu

MORTISE_PLUGIN("mortise.metric_bleu",
               {MORTISE_KIND_METRIC, mortise::sdk::metric_table<mortise::metric_bleu::Bleu>()});
