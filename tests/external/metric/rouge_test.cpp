// ROUGE against rouge-score 0.1.2, the published cases of google-research and coco-caption.
#include "plugins/builtin/metric_rouge/rouge.h"

#include "fixture_files.h"

namespace mortise::metric_rouge {
namespace {

using sdk::Json;

class RougeGoldens : public MetricFixtures {
 protected:
  static RougeConfig config_of(std::string_view tokenizer, bool use_stemmer,
                               const std::vector<std::string>& types) {
    RougeConfig config;
    config.tokenizer = tokenizer == "characters" ? Tokenizer::kCharacters : Tokenizer::kDefault;
    config.use_stemmer = use_stemmer;
    for (const std::string& type : types) config.types.push_back(rouge_type_of(type));
    return config;
  }

  static void expect_score(const RougeScore& score, Json golden, const std::string& where) {
    const std::vector<Json> parts = golden.items();
    EXPECT_NEAR(score.precision, parts.at(0).as_double(), 1e-9) << where;
    EXPECT_NEAR(score.recall, parts.at(1).as_double(), 1e-9) << where;
    EXPECT_NEAR(score.f, parts.at(2).as_double(), 1e-9) << where;
  }

  void check_language(const std::string& language) const {
    const std::vector<Pair> rows = pairs(language);
    const sdk::JsonDocument goldens = read("goldens/metrics/rouge." + language + ".json");
    size_t checked = 0;
    goldens.root().for_each_item([&](Json golden) {
      const std::vector<Json> expected = golden["rows"].items();
      ASSERT_EQ(expected.size(), rows.size());
      for (size_t i = 0; i < rows.size(); ++i) {
        std::vector<std::string> types;
        expected[i].for_each_member([&](std::string_view name, Json) { types.emplace_back(name); });
        const RougeConfig config =
            config_of(golden["tokenizer"].as_text(), golden["use_stemmer"].as_bool(), types);
        const auto count = static_cast<size_t>(golden["refs"].as_integer());
        const std::vector<RougeScore> scores =
            score_row(config, rows[i].prediction, rows[i].first(count));
        for (size_t t = 0; t < types.size(); ++t) {
          expect_score(scores[t], expected[i][types[t]],
                       language + " row " + std::to_string(i) + " " + types[t]);
          ++checked;
        }
      }
    });
    EXPECT_GE(checked, 500u);
  }
};

TEST_F(RougeGoldens, EnglishScoresAreThoseOfRougeScore) {
  check_language("en");
}
TEST_F(RougeGoldens, ChineseScoresAreThoseOfRougeScore) {
  check_language("zh");
}

TEST_F(RougeGoldens, PublishedCasesOfGoogleResearchHold) {
  const sdk::JsonDocument cases = read("metrics/google-rouge/cases.json");
  size_t checked = 0;
  cases.root()["cases"].for_each_item([&](Json item) {
    const RougeConfig config =
        config_of("default", item["stemmer"].as_bool(), {std::string(item["metric"].as_text())});
    const RougeScore score =
        score_row(config, item["prediction"].as_text(), {item["target"].as_text()}).at(0);
    const double tolerance = item["tol"].as_double();
    EXPECT_NEAR(score.precision, item["precision"].as_double(), tolerance) << checked;
    EXPECT_NEAR(score.recall, item["recall"].as_double(), tolerance) << checked;
    EXPECT_NEAR(score.f, item["fmeasure"].as_double(), tolerance) << checked;
    ++checked;
  });
  EXPECT_EQ(checked, 16u);
}

TEST_F(RougeGoldens, CaptionScoresAreThoseOfCocoCaption) {
  RougeConfig config;
  config.types = {rouge_type_of("rougeL")};
  config.tokenizer = Tokenizer::kNone;
  config.beta = 1.2;
  config.references = References::kBestEach;
  const sdk::JsonDocument expected = read("metrics/coco-fakecap/expected.json");

  double sum = 0;
  const std::vector<Pair> rows = captions();
  for (const Pair& row : rows) {
    sum += score_row(config, row.prediction, row.first(row.references.size())).at(0).f;
  }

  EXPECT_NEAR(sum / static_cast<double>(rows.size()), expected.root()["ROUGE_L"].as_double(), 1e-6);
}

}  // namespace
}  // namespace mortise::metric_rouge
