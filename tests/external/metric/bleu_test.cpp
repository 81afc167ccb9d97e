// BLEU against sacrebleu 2.6.0 and coco-caption.
#include "plugins/builtin/metric_bleu/bleu.h"

#include "fixture_files.h"

namespace mortise::metric_bleu {
namespace {

using sdk::Json;

class BleuGoldens : public MetricFixtures {
 protected:
  static BleuConfig config_of(Json golden) {
    BleuConfig config;
    config.tokenizer = tokenizer_of(golden["tokenize"].as_text());
    const std::string_view method = golden["smooth_method"].as_text();
    config.smoothing = method == "exp"     ? Smoothing::kExp
                       : method == "floor" ? Smoothing::kFloor
                       : method == "add-k" ? Smoothing::kAddK
                                           : Smoothing::kNone;
    config.smooth_value = golden.get("smooth_value", config.smooth_value);
    config.lowercase = golden.get("lowercase", false);
    config.effective_order = golden.get("effective_order", false);
    config.ngram_order_max = static_cast<uint32_t>(golden.get("max_ngram_order", 4));
    return config;
  }

  void check_language(const std::string& language) const {
    const std::vector<Pair> rows = pairs(language);
    const sdk::JsonDocument goldens = read("goldens/metrics/sacrebleu." + language + ".json");
    size_t checked = 0;
    goldens.root()["corpus_bleu"].for_each_item([&](Json golden) {
      const BleuConfig config = config_of(golden);
      BleuCounts sum;
      for (const Pair& row : rows) {
        const auto count = static_cast<size_t>(golden["refs"].as_integer());
        sum.add(count_row(config, row.prediction, row.first(count)));
      }
      const double score = bleu_score(sum, config, config.ngram_order_max, config.effective_order);
      EXPECT_NEAR(score, golden["score"].as_double(), 1e-9) << golden["signature"].as_text();
      EXPECT_EQ(sum.prediction_tokens, static_cast<uint64_t>(golden["sys_len"].as_integer()));
      EXPECT_EQ(sum.reference_tokens, static_cast<uint64_t>(golden["ref_len"].as_integer()));
      ++checked;
    });
    EXPECT_EQ(checked, 63u);
  }

  void check_sentences(const std::string& language) const {
    const std::vector<Pair> rows = pairs(language);
    const sdk::JsonDocument goldens = read("goldens/metrics/sacrebleu." + language + ".json");
    size_t checked = 0;
    goldens.root()["sentence_bleu"].for_each_item([&](Json golden) {
      const BleuConfig config = config_of(golden);
      const std::vector<Json> scores = golden["scores"].items();
      ASSERT_EQ(scores.size(), rows.size());
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto count = static_cast<size_t>(golden["refs"].as_integer());
        const BleuCounts counts = count_row(config, rows[i].prediction, rows[i].first(count));
        const double score = bleu_score(counts, config, 4, config.effective_order);
        EXPECT_NEAR(score, scores[i].as_double(), 1e-9) << language << " row " << i;
        ++checked;
      }
    });
    EXPECT_GE(checked, 100u);
  }
};

TEST_F(BleuGoldens, EnglishCorpusScoresAreThoseOfSacrebleu) {
  check_language("en");
}
TEST_F(BleuGoldens, ChineseCorpusScoresAreThoseOfSacrebleu) {
  check_language("zh");
}
TEST_F(BleuGoldens, EnglishSentenceScoresAreThoseOfSacrebleu) {
  check_sentences("en");
}
TEST_F(BleuGoldens, ChineseSentenceScoresAreThoseOfSacrebleu) {
  check_sentences("zh");
}

TEST_F(BleuGoldens, CaptionScoresAreThoseOfCocoCaption) {
  BleuConfig config;
  config.tokenizer = Tokenizer::kNone;
  config.smoothing = Smoothing::kNone;
  const sdk::JsonDocument expected = read("metrics/coco-fakecap/expected.json");

  BleuCounts sum;
  for (const Pair& row : captions()) {
    sum.add(count_row(config, row.prediction, row.first(row.references.size())));
  }

  for (uint32_t order = 1; order <= 4; ++order) {
    const std::string name = "Bleu_" + std::to_string(order);
    EXPECT_NEAR(bleu_score(sum, config, order, false) / 100, expected.root()[name].as_double(),
                1e-6)
        << name;
  }
}

// The published cases give references by reference, then by row.
TEST_F(BleuGoldens, PublishedCorpusCasesOfSacrebleuHold) {
  const sdk::JsonDocument cases = read("metrics/sacrebleu/cases.json");
  size_t checked = 0;
  cases.root()["corpus_bleu"].for_each_item([&](Json item) {
    const std::vector<Json> parts = item.items();
    const std::vector<std::string> predictions = texts(parts[0]);
    std::vector<std::vector<std::string>> references;
    parts[1].for_each_item([&](Json list) { references.push_back(texts(list)); });
    BleuConfig config;
    config.tokenizer = tokenizer_of(parts[2].get("tokenize", "13a"));
    if (parts[2].get("smooth_method", "exp") == "none") config.smoothing = Smoothing::kNone;
    BleuCounts sum;
    for (size_t i = 0; i < predictions.size(); ++i) {
      std::vector<std::string_view> row;
      for (const std::vector<std::string>& list : references) row.push_back(list.at(i));
      sum.add(count_row(config, predictions[i], row));
    }
    EXPECT_NEAR(bleu_score(sum, config, 4, false), parts[3].as_double(), 1e-4) << checked;
    ++checked;
  });
  EXPECT_EQ(checked, 6u);
}

TEST_F(BleuGoldens, PublishedSentenceCasesOfSacrebleuHold) {
  const sdk::JsonDocument cases = read("metrics/sacrebleu/cases.json");
  const Json group = cases.root()["sentence_bleu"];
  size_t checked = 0;
  group["cases"].for_each_item([&](Json item) {
    const std::vector<Json> parts = item.items();
    BleuConfig config;
    const std::string_view method = parts[0].as_text();
    config.smoothing = method == "exp"     ? Smoothing::kExp
                       : method == "floor" ? Smoothing::kFloor
                       : method == "add-k" ? Smoothing::kAddK
                                           : Smoothing::kNone;
    if (parts[1].is_number()) config.smooth_value = parts[1].as_double();
    config.lowercase = parts[2].as_bool();
    config.tokenizer = tokenizer_of(parts[3].as_text());
    const BleuCounts counts = count_row(config, group["sys"].as_text(), {group["ref"].as_text()});
    EXPECT_NEAR(bleu_score(counts, config, 4, false), parts[4].as_double(), 1e-3) << checked;
    ++checked;
  });
  EXPECT_EQ(checked, 12u);
}

}  // namespace
}  // namespace mortise::metric_bleu
