// The BLEU pack through its C table. The goldens of sacrebleu are in tests/external/metric.
#include "tests/unit/packs_support/metric_under_test.h"

namespace mortise {
namespace {

using packs_test::MetricInput;

const std::vector<MetricInput> kRows = {
    {"The dog bit the man.", {"The dog bit the man.", "The dog had bit the man."}},
    {"It wasn't surprising.", {"It was not unexpected.", "No one was surprised."}},
    {"The man had just bitten him.", {"The man bit him first.", "The man had bitten the dog."}}};

class Bleu : public packs_test::MetricUnderTest {};

// Papineni's clipping by hand: "the" stands seven times in the prediction, twice in a reference.
TEST_F(Bleu, ClipsTheCountOfAWord) {
  mortise_metric_instance* bleu = make(R"({"tokenize":"none","max_ngram_order":1})");
  ASSERT_EQ(update(bleu, {{"the the the the the the the", {"the cat is on the mat x"}}}).code, 0);

  EXPECT_DOUBLE_EQ(finalize(bleu).at("bleu").value, 100.0 * 2 / 7);
}

TEST_F(Bleu, GivesTheCorpusScoreOfThePaperOfSacrebleu) {
  mortise_metric_instance* bleu = make();
  ASSERT_EQ(update(bleu, kRows).code, 0);

  const Values values = finalize(bleu);

  EXPECT_NEAR(values.at("bleu").value, 48.530827, 1e-6);
  EXPECT_EQ(values.at("bleu").value, values.at("bleu4").value);
  EXPECT_EQ(values.at("bleu").rows_count, 3u);
  EXPECT_GT(values.at("bleu1").value, values.at("bleu2").value);
  EXPECT_EQ(values.size(), 5u);
}

TEST_F(Bleu, CutsChineseIntoCharactersWithZh) {
  mortise_metric_instance* bleu = make(R"({"tokenize":"zh"})");
  const std::string text = "\xE4\xB8\x80\xE5\x8F\xAA\xE5\xB0\x8F\xE7\x8B\x97\xE3\x80\x82";
  ASSERT_EQ(update(bleu, {{text, {text}}}).code, 0);

  EXPECT_NEAR(finalize(bleu).at("bleu4").value, 100.0, 1e-9);
}

TEST_F(Bleu, GivesOneScoreARowInTheirOrder) {
  std::vector<double> scores;
  ASSERT_EQ(update(make(), kRows, &scores).code, 0);

  ASSERT_EQ(scores.size(), 3u);
  EXPECT_NEAR(scores[0], 100.0, 1e-9);
  EXPECT_LT(scores[1], 50.0);
}

TEST_F(Bleu, ReadsASlicedBatch) {
  sdk::Array batch = batch_of(kRows);
  ArrowArray slice = *batch.get();
  slice.offset = 1;
  slice.length = 2;
  mortise_metric_instance* sliced = make();
  mortise_metric_instance* plain = make();

  ASSERT_EQ(table().update(sliced, &slice, nullptr, nullptr), MORTISE_STATUS_OK);
  ASSERT_EQ(update(plain, {kRows[1], kRows[2]}).code, 0);

  EXPECT_EQ(finalize(sliced), finalize(plain));
}

TEST_F(Bleu, HasNoValueWithoutRows) {
  const Values values = finalize(make());

  EXPECT_TRUE(std::isnan(values.at("bleu").value));
  EXPECT_EQ(values.at("bleu").rows_count, 0u);
}

TEST_F(Bleu, AnEmptyPredictionScoresZero) {
  mortise_metric_instance* bleu = make();
  ASSERT_EQ(update(bleu, {{"", {"a reference"}}}).code, 0);

  EXPECT_EQ(finalize(bleu).at("bleu").value, 0.0);
}

TEST_F(Bleu, IsTheSameForAnyPartition) {
  expect_same_for_any_partition("{}", kRows);
}

TEST_F(Bleu, RefusesADamagedState) {
  expect_damage_is_refused(kRows);
}

TEST_F(Bleu, RefusesAStateOfAnotherTokenizer) {
  EXPECT_EQ(merge(make(R"({"tokenize":"zh"})"), save(make())).code,
            MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(Bleu, NamesARowWithoutReferenceAndStaysAsItWas) {
  mortise_metric_instance* bleu = make();
  ASSERT_EQ(update(bleu, kRows).code, 0);
  const std::string before = save(bleu);

  const sdk::Failure none = update(bleu, {kRows[0], {"x", {}}});
  const sdk::Failure empty = update(bleu, {kRows[0], {"x", {"", ""}}});

  EXPECT_EQ(none.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(none.row, 2);
  EXPECT_EQ(empty.row, 2);
  EXPECT_EQ(save(bleu), before);
}

TEST_F(Bleu, RefusesAConfigurationThatContradictsItself) {
  mortise_metric_instance* out = nullptr;
  EXPECT_EQ(create(R"({"tokenize":"flores200"})", &out).code, MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(create(R"({"smooth_method":"exp","smooth_value":0.5})", &out).field, "/smooth_value");
  EXPECT_EQ(create(R"({"max_ngram_order":0})", &out).field, "/max_ngram_order");
  EXPECT_EQ(create(R"({"smooth_method":"median"})", &out).code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(Bleu, BadUtf8IsReadAsReplacementCharacters) {
  mortise_metric_instance* bleu = make(R"({"tokenize":"char"})");

  EXPECT_EQ(update(bleu, {{"\xFF\xFE ok", {"ok"}}}).code, MORTISE_STATUS_OK);
}

}  // namespace
}  // namespace mortise
