// The face of the pack: mortise.metric/1 over rouge.h. Columns: prediction, utf8; references, list
// of utf8, at least one. A row's score is the F of rougeL, or of the first type without rougeL.
#include <mortise/cpp/metric.hpp>
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/services.hpp>

#include <algorithm>

#include "rouge.h"

namespace mortise::metric_rouge {
namespace {

using namespace mortise::sdk;

// A sum of values of 0 .. 1 as a fixed-point number of 2^-80: sums of it do not depend on their
// order, so any partition of the rows gives the same mean to the bit.
class ExactSum {
 public:
  void add(double value) { units_ += static_cast<Units>(value * kOne64) << 16; }
  void add(const ExactSum& other) { units_ += other.units_; }
  double value() const { return static_cast<double>(units_) / (kOne64 * 65536.0); }
  uint64_t high() const { return static_cast<uint64_t>(units_ >> 64); }
  uint64_t low() const { return static_cast<uint64_t>(units_); }
  static ExactSum of(uint64_t high, uint64_t low) {
    ExactSum sum;
    sum.units_ = static_cast<Units>(high) << 64 | low;
    return sum;
  }

 private:
  __extension__ using Units = unsigned __int128;
  static constexpr double kOne64 = 18446744073709551616.0;  // 2^64: a double holds 53 bits of it
  Units units_ = 0;
};

Tokenizer tokenizer_of(std::string_view name) {
  if (name == "default") return Tokenizer::kDefault;
  if (name == "characters") return Tokenizer::kCharacters;
  if (name == "words") return Tokenizer::kWords;
  if (name == "none") return Tokenizer::kNone;
  throw invalid_argument("tokenizer \"" + std::string(name) +
                         "\" is unknown; there are default, characters, words and none.")
      .at("", -1, -1, "/tokenizer");
}

References references_of(std::string_view name) {
  if (name == "best_f") return References::kBestF;
  if (name == "best_each") return References::kBestEach;
  throw invalid_argument("references \"" + std::string(name) +
                         "\" is unknown; there are best_f and best_each.")
      .at("", -1, -1, "/references");
}

RougeConfig read_config(Json json) {
  RougeConfig config;
  const Json types = json["rouge_types"];
  if (types.exists() && !types.is_null()) {
    types.for_each_item([&](Json name) {
      RougeType type = rouge_type_of(name.as_text());
      for (const RougeType& other : config.types) {
        if (other.name != type.name) continue;
        throw invalid_argument("rouge_types names " + type.name + " twice.")
            .at("", -1, -1, "/rouge_types");
      }
      config.types.push_back(std::move(type));
    });
  } else {
    for (const char* name : {"rouge1", "rouge2", "rougeL", "rougeLsum"}) {
      config.types.push_back(rouge_type_of(name));
    }
  }
  if (config.types.empty()) {
    throw invalid_argument("rouge_types names no score.").at("", -1, -1, "/rouge_types");
  }
  config.tokenizer = tokenizer_of(json.get("tokenizer", "default"));
  config.use_stemmer = json.get("use_stemmer", false);
  config.references = references_of(json.get("references", "best_f"));
  config.beta = json.get("beta", 1.0);
  if (config.use_stemmer && config.tokenizer != Tokenizer::kDefault) {
    throw invalid_argument("use_stemmer works on the tokens of tokenizer \"default\" only.")
        .at("", -1, -1, "/use_stemmer");
  }
  if (!(config.beta > 0.0 && config.beta <= 1e6)) {
    throw invalid_argument("beta must be above 0 and at most 1e6.").at("", -1, -1, "/beta");
  }
  return config;
}

constexpr uint64_t kStateWord = 0x313047554F524D;  // "MROUG01"

class Rouge : public Metric {
 public:
  explicit Rouge(Json config) : config_(read_config(config)), sums_(config_.types.size() * 3) {}

  MetricFacts describe() const override { return {true, true, 0.0, 1.0}; }

  Schema requires_schema() const override {
    return struct_schema(make_vector(make_schema("u", "prediction"),
                                     list_schema("references", make_schema("u", "item"))));
  }

  void update(const StructView& batch, std::vector<double>* scores) override {
    const auto predictions = batch.column<TextView>(0, "prediction");
    const auto lists = batch.column<ListView<TextView>>(1, "references");
    std::vector<ExactSum> sums = sums_;
    for (int64_t row = 0; row < batch.size(); ++row) {
      if (row % 64 == 0) check_cancelled();
      std::vector<std::string_view> references;
      for (int64_t i = lists.begin(row); i < lists.end(row); ++i) {
        references.push_back(lists.items()[i]);
      }
      if (references.empty()) {
        throw invalid_argument("Row " + std::to_string(row + 1) + " has no reference.")
            .at("", row + 1, -1, "references");
      }
      const std::vector<RougeScore> row_scores = score_row(config_, predictions[row], references);
      for (size_t i = 0; i < row_scores.size(); ++i) {
        sums[3 * i].add(row_scores[i].precision);
        sums[3 * i + 1].add(row_scores[i].recall);
        sums[3 * i + 2].add(row_scores[i].f);
      }
      if (scores != nullptr) scores->push_back(row_scores[main_type()].f);
    }
    sums_ = std::move(sums);
    rows_ += static_cast<uint64_t>(batch.size());
  }

  // Words of 8 bytes: a mark, the setting, rows, two a sum, a check.
  std::string save() const override {
    std::vector<uint64_t> words = {kStateWord, setting(), rows_};
    for (const ExactSum& sum : sums_) {
      words.push_back(sum.high());
      words.push_back(sum.low());
    }
    words.push_back(check_of(words));
    return std::string(reinterpret_cast<const char*>(words.data()),
                       words.size() * sizeof(uint64_t));
  }

  void merge(std::string_view bytes) override {
    const size_t count = 3 + 2 * sums_.size() + 1;
    if (bytes.size() != count * sizeof(uint64_t)) {
      throw data_loss("The state has " + std::to_string(bytes.size()) + " bytes, expected " +
                      std::to_string(count * sizeof(uint64_t)) + ".");
    }
    std::vector<uint64_t> words(count);
    std::memcpy(words.data(), bytes.data(), bytes.size());
    const uint64_t check = words.back();
    words.pop_back();
    if (words[0] != kStateWord) throw data_loss("The state is of an unknown version.");
    if (check != check_of(words)) throw data_loss("The state is damaged.");
    if (words[1] != setting()) {
      throw invalid_argument("The state was made with another configuration.");
    }
    constexpr uint64_t kRowsMax = uint64_t{1} << 40;
    std::vector<ExactSum> sums = sums_;
    bool is_sound = words[2] <= kRowsMax && rows_ <= kRowsMax;
    for (size_t i = 0; i < sums.size(); ++i) {
      const ExactSum other = ExactSum::of(words[3 + 2 * i], words[4 + 2 * i]);
      is_sound = is_sound && other.value() <= static_cast<double>(words[2]);
      sums[i].add(other);
    }
    if (!is_sound) throw data_loss("The state holds sums that cannot be.");
    sums_ = std::move(sums);
    rows_ += words[2];
  }

  void finalize(const MetricRows& rows) const override {
    constexpr const char* kParts[] = {"_precision", "_recall", "_f"};
    for (size_t i = 0; i < config_.types.size(); ++i) {
      for (size_t part = 0; part < 3; ++part) {
        const double mean = sums_[3 * i + part].value() / static_cast<double>(rows_);
        rows.add({config_.types[i].name + kParts[part], rows_ == 0 ? NAN : mean, rows_});
      }
    }
  }

 private:
  size_t main_type() const {
    for (size_t i = 0; i < config_.types.size(); ++i) {
      if (config_.types[i].kind == RougeType::Kind::kLcs) return i;
    }
    return 0;
  }

  // A hash of all that decides the sums: states of another setting must not be added.
  uint64_t setting() const {
    std::vector<uint64_t> words = {static_cast<uint64_t>(config_.tokenizer),
                                   config_.use_stemmer ? 1u : 0u,
                                   static_cast<uint64_t>(config_.references)};
    uint64_t beta = 0;
    std::memcpy(&beta, &config_.beta, sizeof(beta));
    words.push_back(beta);
    for (const RougeType& type : config_.types) {
      words.push_back(static_cast<uint64_t>(type.kind) * 16 + type.n);
    }
    return check_of(words);
  }

  static uint64_t check_of(const std::vector<uint64_t>& words) {  // FNV-1a over words
    uint64_t hash = 0xCBF29CE484222325u;
    for (const uint64_t word : words) hash = (hash ^ word) * 0x100000001B3u;
    return hash;
  }

  RougeConfig config_;
  std::vector<ExactSum> sums_;  // precision, recall, F of each type
  uint64_t rows_ = 0;
};

}  // namespace
}  // namespace mortise::metric_rouge

MORTISE_PLUGIN("mortise.metric_rouge",
               {MORTISE_KIND_METRIC, mortise::sdk::metric_table<mortise::metric_rouge::Rouge>()});
