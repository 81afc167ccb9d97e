// Sampler, packing, the data set's file, image sizes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "engine/data/dataset.h"
#include "engine/data/image_prepare.h"
#include "engine/data/packing.h"
#include "engine/data/sampler.h"

namespace mortise::engine {
namespace {

using base::Code;

TEST(Sampler, VisitsEachRowOnceAnEpochInAnOrderOfItsSeed) {
  Sampler a(50, 7, true), b(50, 7, true), c(50, 8, true);
  std::vector<uint64_t> first, second, other;
  for (int i = 0; i < 50; ++i) first.push_back(a.next());
  for (int i = 0; i < 50; ++i) second.push_back(a.next());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(b.next(), first[static_cast<size_t>(i)]);
  for (int i = 0; i < 50; ++i) other.push_back(c.next());
  EXPECT_EQ(std::set<uint64_t>(first.begin(), first.end()).size(), 50u);
  EXPECT_EQ(std::set<uint64_t>(second.begin(), second.end()).size(), 50u);
  EXPECT_NE(first, second);
  EXPECT_NE(first, other);
}

TEST(Sampler, GoesOnFromAnyCursor) {
  Sampler whole(11, 3, true);
  for (int done = 0; done < 40; ++done) {
    Sampler resumed(11, 3, true);
    ASSERT_TRUE(resumed.seek(whole.cursor()).ok());
    Sampler copy = whole;
    for (int i = 0; i < 15; ++i) ASSERT_EQ(resumed.next(), copy.next()) << "after " << done;
    whole.next();
  }
}

TEST(Sampler, RefusesACursorBeyondTheRows) {
  Sampler sampler(5, 0, false);
  EXPECT_EQ(sampler.seek({.epoch = 0, .position = 6}).error().code, Code::kInvalidArgument);
}

TEST(PackBestFit, KeepsEveryRowAndTheBound) {
  const std::vector<int64_t> lengths = {60, 50, 40, 30, 20, 10, 200, 5};
  const auto bins = pack_best_fit(lengths, 100);
  std::vector<size_t> seen;
  for (const auto& bin : bins) {
    int64_t sum = 0;
    for (const size_t row : bin) {
      sum += lengths[row];
      seen.push_back(row);
    }
    EXPECT_TRUE(sum <= 100 || bin.size() == 1);
  }
  std::sort(seen.begin(), seen.end());
  std::vector<size_t> all(lengths.size());
  std::iota(all.begin(), all.end(), size_t{0});
  EXPECT_EQ(seen, all);
  EXPECT_EQ(bins.size(), 4u);  // 60+40, 50+30+20, 10+5, 200
}

class DatasetFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("mortise_data_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  base::Result<Dataset> open(const char* rows, const char* info) {
    std::ofstream(folder_ / "rows.jsonl") << rows;
    std::ofstream(folder_ / "dataset.json") << info;
    return Dataset::open(base::posix_file_ops(), (folder_ / "dataset.json").string());
  }
  std::filesystem::path folder_;
};

constexpr const char* kInfo =
    R"({"rows_file": "rows.jsonl", "task_type": "pretrain", "media": {"a.png": "blob1"}})";

TEST_F(DatasetFolder, ReadsRowsOneByOne) {
  const auto dataset = open("{\"text\":\"a\"}\n{\"text\":\"b\"}", kInfo);
  ASSERT_TRUE(dataset.ok()) << dataset.error().text();
  EXPECT_EQ(dataset->count(), 2u);
  EXPECT_EQ(*dataset->line(0), "{\"text\":\"a\"}");
  EXPECT_EQ((*dataset->row(1))["text"].as_string(), "b");
  EXPECT_EQ(*dataset->media_path("a.png"), (folder_ / "blob1").string());
}

TEST_F(DatasetFolder, NamesTheRowThatIsNotJson) {
  const auto dataset = open("{\"text\":\"a\"}\n{\"text\":\n", kInfo);
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ(dataset->row(1).error().row, 2);
  EXPECT_EQ(dataset->media_path("b.png").error().code, Code::kNotFound);
}

TEST_F(DatasetFolder, RefusesEmptyAndMalformedSets) {
  EXPECT_EQ(open("", kInfo).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(open("{}", R"({"rows_file": "rows.jsonl"})").error().field, "/task_type");
  EXPECT_EQ(open("{}", R"({"rows_file": "none.jsonl", "task_type": "sft"})").error().code,
            Code::kNotFound);
}

TEST(ImageOptions, RefusesWhatItDoesNotKnowByName) {
  const auto parse = [](const char* text) { return parse_image_options(*base::parse_json(text)); };
  EXPECT_EQ(parse(R"({"image_processor_type": "BlipImageProcessor"})").error().code,
            Code::kUnimplemented);
  EXPECT_EQ(parse(R"({"resample": 1})").error().field, "/resample");
  EXPECT_EQ(parse(R"({"size": {"shortest_edge": 0}})").error().field, "/size");
  EXPECT_EQ(parse(R"({"image_std": [1, 0, 1]})").error().field, "/image_std");
  EXPECT_EQ(parse(R"({"image_mean": [1]})").error().field, "/image_mean");
  EXPECT_TRUE(parse(R"({"size": 30, "crop_size": 30})").ok());
}

TEST(PrepareImage, RefusesAnImageThatWouldGrowWithoutBound) {
  const Image line{.width = 1, .height = 60000, .pixels = ingest::Pixels(180000)};
  ImageOptions options;
  options.shortest_edge = 2000;
  EXPECT_EQ(prepare_image(line, options).error().code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace mortise::engine
