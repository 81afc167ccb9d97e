// The ROUGE pack through its C table. The goldens of rouge-score are in tests/external/metric.
#include "tests/unit/packs_support/metric_under_test.h"

namespace mortise {
namespace {

using packs_test::MetricInput;

const std::vector<MetricInput> kRows = {{"testing one", {"testing one two"}},
                                        {"testing two", {"testing one two", "nothing here"}},
                                        {"w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", {"w1 w2 w3 w4 w5"}}};

class Rouge : public packs_test::MetricUnderTest {};

TEST_F(Rouge, GivesPrecisionRecallAndFOfTheLongestCommonSubsequence) {
  mortise_metric_instance* rouge = make(R"({"rouge_types":["rougeL"]})");
  ASSERT_EQ(update(rouge, {kRows[0]}).code, 0);

  const Values values = finalize(rouge);

  EXPECT_DOUBLE_EQ(values.at("rougeL_precision").value, 1.0);
  EXPECT_DOUBLE_EQ(values.at("rougeL_recall").value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(values.at("rougeL_f").value, 0.8);
  EXPECT_EQ(values.size(), 3u);
}

TEST_F(Rouge, IsTheMeanOverTheRows) {
  mortise_metric_instance* rouge = make(R"({"rouge_types":["rouge1"]})");
  ASSERT_EQ(update(rouge, {{"a b", {"a b"}}, {"a", {"b"}}}).code, 0);

  EXPECT_DOUBLE_EQ(finalize(rouge).at("rouge1_f").value, 0.5);
  EXPECT_EQ(finalize(rouge).at("rouge1_f").rows_count, 2u);
}

TEST_F(Rouge, UnitesSubsequencesOfLinesForRougeLsum) {
  mortise_metric_instance* rouge = make(R"({"rouge_types":["rougeLsum"]})");
  ASSERT_EQ(update(rouge, {kRows[2]}).code, 0);

  EXPECT_DOUBLE_EQ(finalize(rouge).at("rougeLsum_recall").value, 0.8);
  EXPECT_DOUBLE_EQ(finalize(rouge).at("rougeLsum_precision").value, 0.4);
}

TEST_F(Rouge, BetaWeighsRecall) {
  mortise_metric_instance* rouge = make(R"({"rouge_types":["rougeL"],"beta":1.2})");
  ASSERT_EQ(update(rouge, {kRows[0]}).code, 0);

  const double squared = 1.2 * 1.2;
  EXPECT_DOUBLE_EQ(finalize(rouge).at("rougeL_f").value,
                   (1 + squared) * (2.0 / 3) / (2.0 / 3 + squared));
}

TEST_F(Rouge, StemsAsNltkDoes) {
  mortise_metric_instance* rouge = make(R"({"rouge_types":["rouge1"],"use_stemmer":true})");
  ASSERT_EQ(update(rouge, {{"dying ponies were relational and controlling skies",
                            {"die poni were relate and control sky"}}})
                .code,
            0);

  // "relate" and "relational" both stem to "relat".
  EXPECT_DOUBLE_EQ(finalize(rouge).at("rouge1_f").value, 1.0);
}

TEST_F(Rouge, CutsIntoCharactersWhenAsked) {
  mortise_metric_instance* rouge = make(R"({"rouge_types":["rouge1"],"tokenizer":"characters"})");
  ASSERT_EQ(update(rouge, {{"\xE4\xB8\x80\xE5\x8F\xAA", {"\xE4\xB8\x80 \xE7\x8B\x97"}}}).code, 0);

  EXPECT_DOUBLE_EQ(finalize(rouge).at("rouge1_f").value, 0.5);
}

TEST_F(Rouge, BestEachTakesPrecisionAndRecallOfAnyReference) {
  const std::vector<MetricInput> rows = {{"a b", {"a", "a b c d"}}};
  mortise_metric_instance* each =
      make(R"({"rouge_types":["rougeL"],"references":"best_each","tokenizer":"none"})");
  mortise_metric_instance* best = make(R"({"rouge_types":["rougeL"],"tokenizer":"none"})");
  ASSERT_EQ(update(each, rows).code, 0);
  ASSERT_EQ(update(best, rows).code, 0);

  EXPECT_DOUBLE_EQ(finalize(each).at("rougeL_f").value, 1.0);
  EXPECT_DOUBLE_EQ(finalize(best).at("rougeL_f").value, 2.0 / 3);
}

TEST_F(Rouge, RowScoresAreTheFOfRougeL) {
  std::vector<double> scores;
  ASSERT_EQ(update(make(), kRows, &scores).code, 0);

  ASSERT_EQ(scores.size(), 3u);
  EXPECT_DOUBLE_EQ(scores[0], 0.8);
}

TEST_F(Rouge, TextsWithoutTokensScoreZero) {
  mortise_metric_instance* rouge = make();
  ASSERT_EQ(update(rouge, {{"", {"a"}}, {"a", {""}}, {"/", {"!"}}}).code, 0);

  for (const auto& [name, value] : finalize(rouge)) EXPECT_EQ(value.value, 0.0) << name;
}

TEST_F(Rouge, HasNoValueWithoutRows) {
  EXPECT_TRUE(std::isnan(finalize(make()).at("rougeL_f").value));
}

TEST_F(Rouge, IsTheSameForAnyPartitionToTheBit) {
  std::vector<MetricInput> rows = kRows;
  for (int i = 1; i < 8; ++i) {
    rows.push_back(
        {"a b c d e f g " + std::string(static_cast<size_t>(i), 'x'), {"a c e g h i j"}});
  }
  expect_same_for_any_partition("{}", rows);
}

TEST_F(Rouge, RefusesADamagedState) {
  expect_damage_is_refused(kRows);
}

TEST_F(Rouge, RefusesAStateOfAnotherSetting) {
  EXPECT_EQ(merge(make(R"({"use_stemmer":true})"), save(make())).code,
            MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(Rouge, NamesARowWithoutReference) {
  const sdk::Failure failure = update(make(), {kRows[0], {"x", {}}});

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure.row, 2);
}

TEST_F(Rouge, RefusesAConfigurationThatContradictsItself) {
  mortise_metric_instance* out = nullptr;
  EXPECT_EQ(create(R"({"use_stemmer":true,"tokenizer":"characters"})", &out).field, "/use_stemmer");
  EXPECT_EQ(create(R"({"rouge_types":["rougeX"]})", &out).field, "/rouge_types");
  EXPECT_EQ(create(R"({"rouge_types":["rougeL","rougeL"]})", &out).field, "/rouge_types");
  EXPECT_EQ(create(R"({"rouge_types":[]})", &out).field, "/rouge_types");
  EXPECT_EQ(create(R"({"beta":0})", &out).field, "/beta");
}

TEST_F(Rouge, RefusesSentencesThatAreTooLongForTheTable) {
  std::string text;
  for (int i = 0; i < 12000; ++i) text += "w ";

  const sdk::Failure failure = update(make(R"({"rouge_types":["rougeLsum"]})"), {{text, {text}}});

  EXPECT_EQ(failure.code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace mortise
