// Every example pack, and the pack built from the headers of 1.0, found by its manifest, checked by
// its hash, loaded by host/plugin and used through its typed wrappers, with the guard watching.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "plugin/registry.h"

namespace mortise::plugin {
namespace {

using base::Json;

// One pack's folder as the only place, so that unfinished packs beside it do not matter.
class Hosted : public ::testing::Test {
 protected:
  Registry& open(const std::string& folder) {
    pack::Search search;
    search.places.push_back({pack::Tier::kSystem, folder});
    LoadOptions options;
    options.is_guarded = true;
    registry_ = std::make_unique<Registry>(search, services_, options);
    return *registry_;
  }
  Registry& example(const std::string& name) {
    return open(std::string(MORTISE_PACKS) + "/" + name);
  }
  void expect_no_violations(const char* id) {
    for (const Violation& one : registry_->load(id).value()->violations()) {
      ADD_FAILURE() << id << " broke a rule: " << one.text;
    }
  }
  static std::vector<Json> rows(std::initializer_list<std::pair<const char*, const char*>> list) {
    std::vector<Json> rows;
    for (const auto& [prediction, reference] : list) {
      rows.push_back(Json::object({{"prediction", prediction}, {"reference", reference}}));
    }
    return rows;
  }

  HostServices services_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(Hosted, ExactMatchScores) {
  Registry& registry = example("metric_cpp");
  auto metric = registry.open_metric("com.example.exact_match").value();
  std::vector<double> scores;

  ASSERT_TRUE(metric.update(rows({{"a", "a"}, {"b", "c"}}), &scores).ok());

  EXPECT_EQ(scores, (std::vector<double>{100, 0}));
  EXPECT_EQ(metric.finalize().value()[0].value, 50.0);
  expect_no_violations("com.example.exact_match");
}

TEST_F(Hosted, ConfigurationIsCheckedAgainstTheManifestBeforeThePluginSeesIt) {
  Registry& registry = example("metric_cpp");

  const auto metric =
      registry.open_metric("com.example.exact_match", Json::object({{"ignore_cas", true}}));

  ASSERT_FALSE(metric.ok());
  EXPECT_NE(metric.error().text().find("ignore_cas"), std::string::npos) << metric.error().text();
}

TEST_F(Hosted, SmallestAndFrozenMetricsScore) {
  const std::pair<std::string, const char*> kPacks[] = {
      {std::string(MORTISE_PACKS) + "/metric_c_smallest", "com.example.length"},
      {std::string(MORTISE_TEST_PACKS) + "/frozen_metric", "com.example.frozen"}};

  for (const auto& [folder, id] : kPacks) {
    auto metric = open(folder).open_metric(id);
    ASSERT_TRUE(metric.ok()) << metric.error().text();
    ASSERT_TRUE(metric->update(rows({{"abc", ""}, {"a", ""}})).ok());
    EXPECT_EQ(metric->finalize().value()[0].value, 2.0) << id;
    expect_no_violations(id);
  }
}

#ifdef MORTISE_HAS_RUST
TEST_F(Hosted, RustMetricScores) {
  auto metric = example("metric_rust").open_metric("com.example.distinct");
  ASSERT_TRUE(metric.ok()) << metric.error().text();

  ASSERT_TRUE(metric->update(rows({{"a b a b", ""}})).ok());

  EXPECT_EQ(metric->finalize().value()[0].value, 0.5);
  expect_no_violations("com.example.distinct");
}
#endif

TEST_F(Hosted, TokenizerRoundTrips) {
  auto tokenizer = example("tokenizer_cpp").open_tokenizer("com.example.tokenizer_bytes", "");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  const std::vector<std::string> texts = {"a\xC3\xA9", "", "<s>b"};

  const auto ids = tokenizer->encode_batch(texts).value();

  EXPECT_EQ(ids[2], (std::vector<int32_t>{0, 'b' + 2}));
  EXPECT_EQ(tokenizer->decode_batch(ids).value(), texts);
  EXPECT_EQ(tokenizer->vocab().value().size(), tokenizer->facts().vocab_count);
  expect_no_violations("com.example.tokenizer_bytes");
}

class HostedFormat : public Hosted {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("mortise_hosted_" + std::to_string(getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(services_.grant("data", folder_.string(), Access::kReadWrite).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(HostedFormat, ReadsResumesAndNamesABadRow) {
  std::ofstream(folder_ / "t.dsv") << "q|a\n1|x\n2|y\nbad\n";
  auto format = example("format_cpp").open_format("com.example.format_delimited", {"data/t.dsv"});
  ASSERT_TRUE(format.ok()) << format.error().text();
  ScanOptions options;
  options.batch_rows_max = 1;
  auto first = format->scan(options).value();
  ASSERT_TRUE(first.next_rows().ok());
  options.cursor = first.cursor().value();

  auto second = format->scan(options).value();
  const auto row = second.next_rows().value();
  const auto bad = second.next_rows();

  ASSERT_TRUE(row.has_value());
  EXPECT_EQ((*row)[0].json, R"({"q":"2","a":"y"})");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().row, 3);
  EXPECT_EQ(bad.error().byte_offset, 12);
  expect_no_violations("com.example.format_delimited");
}

TEST_F(HostedFormat, MissingFileIsNotFound) {
  const auto format =
      example("format_cpp").open_format("com.example.format_delimited", {"data/none.dsv"});

  ASSERT_FALSE(format.ok());
  EXPECT_EQ(format.error().code, base::Code::kNotFound) << format.error().text();
}

TEST_F(Hosted, LossGivesAPlan) {
  auto loss = example("loss_cpp").open_loss("com.example.smoothed_cross_entropy");
  ASSERT_TRUE(loss.ok()) << loss.error().text();
  mortise_loss_shapes shapes{};
  shapes.struct_size = sizeof(shapes);
  shapes.rows_max = shapes.labelled_max = 4;
  shapes.classes = 3;
  shapes.dtype = {kDLFloat, 32, 1};
  shapes.device = {kDLCPU, 0};

  const auto plan = loss->prepare(shapes, nullptr);
  shapes.dtype = {kDLInt, 32, 1};
  const auto refused = loss->prepare(shapes, nullptr);

  ASSERT_TRUE(plan.ok()) << plan.error().text();
  EXPECT_EQ(plan->needs().saved_bytes, 4 * sizeof(double));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, base::Code::kUnimplemented);
}

}  // namespace
}  // namespace mortise::plugin
