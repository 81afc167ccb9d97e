#include "ingest/ingest.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

using base::Code;

class IngestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    write("good.png", grey_png(4, 9));
    write("cut.png", grey_png(64, 9).substr(0, 900));
    request_.task_type = "vqa";
    request_.rows_names = {"rows.jsonl"};
    request_.upload = &files_;
    request_.rows = &output_;
    request_.media = &output_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), folder_ + "/" + name, bytes).ok());
  }
  base::Result<IngestResult> run(std::deque<std::string> rows) {
    FakeRows source(std::move(rows));
    return run_ingest(source, request_, {});
  }
  std::string rows_written() { return output_.rows; }

  std::string folder_ = ::testing::TempDir() + "ingest_" +
                        ::testing::UnitTest::GetInstance()->current_test_info()->name();
  LocalFiles files_{base::posix_file_ops(),
                    {{"good.png", folder_ + "/good.png"}, {"cut.png", folder_ + "/cut.png"}}};
  MemoryOutput output_;
  IngestRequest request_;
};

constexpr const char* kGood = R"({"image":"good.png","query":"What?","response":"This."})";

TEST_F(IngestTest, WritesCanonicalRowsAndNamesTheMapping) {
  const auto result = run({kGood, kGood});
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_TRUE(result->accepted);
  EXPECT_EQ(result->report.rows_count, 2);
  EXPECT_EQ(result->report.mapping["question"], base::Json("query"));
  EXPECT_EQ(result->used_media, std::vector<std::string>{"good.png"});
  EXPECT_EQ(result->report.unused_media, std::vector<std::string>{"cut.png"});
  const std::string row =
      "{\"image_path\":\"good.png\",\"output\":\"This.\",\"question\":\"What?\"}\n";
  EXPECT_EQ(rows_written(), row + row);
}

// The first 100 rows propose the mapping; behind them rows wait in batches of 64 while their media
// are looked at. None is lost or passes another, wherever the rows end.
TEST_F(IngestTest, KeepsEveryRowInItsOrderWhereverABatchEnds) {
  request_.patch = true;
  request_.max_bad_rows = 1'000;
  for (const int count : {99, 100, 101, 163, 164, 165, 228, 229, 300}) {
    output_.rows.clear();
    std::deque<std::string> rows;
    std::string kept;
    std::vector<int64_t> missing;
    for (int i = 0; i < count; ++i) {
      const bool is_missing = i % 50 == 13;
      const std::string name = is_missing ? "none" + std::to_string(i) + ".png" : "good.png";
      const std::string text = "Which " + std::to_string(i) + "?";
      rows.push_back(R"({"image":")" + name + R"(","query":")" + text + R"(","response":"This."})");
      if (is_missing) missing.push_back(i + 1);
      if (!is_missing) {
        kept += R"({"image_path":"good.png","output":"This.","question":")" + text + "\"}\n";
      }
    }
    const auto result = run(rows);
    ASSERT_TRUE(result.ok()) << result.error().text();
    EXPECT_EQ(result->report.rows_count, count);
    EXPECT_EQ(rows_written(), kept) << count;
    std::vector<int64_t> told;
    for (const Finding& finding : result->report.findings) {
      if (finding.code == "media_missing") told.push_back(finding.row);
    }
    EXPECT_EQ(told, missing) << count;
  }
}

TEST_F(IngestTest, ListsEachMissingFileOnce) {
  const auto result = run({R"({"image":"none.png","query":"What?","response":"This."})",
                           R"({"image":"none.png","query":"Why?","response":"So."})", kGood});
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_FALSE(result->accepted);
  EXPECT_EQ(result->report.missing_media, std::vector<std::string>{"none.png"});
}

TEST_F(IngestTest, AMissingImageNamesRowByteFieldAndRemedy) {
  const auto result = run({kGood, R"({"image":"gone.png","query":"What?","response":"This."})"});
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_FALSE(result->accepted);
  ASSERT_EQ(result->report.findings.size(), 2u);
  EXPECT_EQ(result->report.findings[1].code, "license_absent");  // of the set, so it stands last
  EXPECT_EQ(result->report.findings[1].row, -1);
  const Finding& found = result->report.findings[0];
  EXPECT_EQ(found.code, "media_missing");
  EXPECT_EQ(found.row, 2);
  EXPECT_EQ(found.byte_offset, static_cast<int64_t>(std::string(kGood).size()) + 1);
  EXPECT_EQ(found.field, "/image_path");
  EXPECT_NE(found.message.find("gone.png"), std::string::npos);
  EXPECT_NE(found.hint.find("--media"), std::string::npos);
}

TEST_F(IngestTest, ATruncatedImageIsFoundAlthoughItsHeaderIsWhole) {
  const auto result = run({R"({"image":"cut.png","query":"What?","response":"This."})"});
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->accepted);
  ASSERT_EQ(result->report.findings.size(), 1u);
  EXPECT_EQ(result->report.findings[0].code, "media_broken");
}

TEST_F(IngestTest, ARowWithoutOutputIsRefusedWithTheFieldAndHowToMendIt) {
  const auto result = run({R"({"image":"good.png","query":"What?"})"});
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->accepted);
  ASSERT_FALSE(result->report.findings.empty());
  EXPECT_EQ(result->report.findings[0].code, "schema_required");
  EXPECT_NE(result->report.findings[0].message.find("output"), std::string::npos);
  EXPECT_NE(result->report.findings[0].hint.find("--map"), std::string::npos);
}

TEST_F(IngestTest, AMissingFieldNamesTheColumnsThatThereAre) {
  const auto result = run({R"({"image":"good.png","Frage":"What?"})", R"({"Antwort":"This."})"});
  ASSERT_TRUE(result.ok());
  ASSERT_FALSE(result->report.findings.empty());
  EXPECT_TRUE(result->report.findings[0].hint.ends_with(
      R"( The rows have the columns "image", "Frage", "Antwort".)"))
      << result->report.findings[0].hint;
}

TEST_F(IngestTest, AColumnThatIsNotThereIsAnErrorWithThoseThatAre) {
  request_.overrides = {{"output", "answr"}};
  const auto result = run({kGood});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  EXPECT_EQ(result.error().field, "answr");
  EXPECT_EQ(result.error().hint, R"(The rows have the columns "image", "query", "response".)");
}

TEST_F(IngestTest, OfAFolderThatIsReadAsItIsOnlyMediaCanBeUnused) {
  files_.add("CT.dcm", folder_ + "/good.png");
  request_.rows_names = {""};
  const auto result = run({kGood});
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->report.unused_media, std::vector<std::string>{"cut.png"});
}

TEST_F(IngestTest, LeavesBadRowsOutOnlyWhenAskedTo) {
  request_.patch = true;
  request_.max_bad_rows = 1;
  const auto result = run({kGood, R"({"image":"gone.png","query":"Q","response":"R"})"});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->accepted);
  EXPECT_EQ(result->report.bad_rows_count, 1);
  EXPECT_EQ(rows_written().find("gone.png"), std::string::npos);
}

TEST_F(IngestTest, RefusesOneBadRowMoreThanAllowed) {
  request_.patch = true;
  request_.max_bad_rows = 1;
  const std::string bad = R"({"image":"gone.png","query":"Q","response":"R"})";
  const auto result = run({kGood, bad, bad});
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->accepted);
}

TEST_F(IngestTest, APathOutsideTheUploadIsRefused) {
  const auto result = run({R"({"image":"../../etc/passwd","query":"Q","response":"R"})"});
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->accepted);
  EXPECT_EQ(result->report.findings.at(0).code, "media_name");
}

TEST_F(IngestTest, BrokenJsonNamesFileRowAndByte) {
  const auto result = run({kGood, R"({"image":"good.png",})"});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().file, "rows.jsonl");
  EXPECT_EQ(result.error().row, 2);
}

// "This machine cannot" would send the user to a larger one; the row is what must change.
TEST_F(IngestTest, ARowOverTheFormatsLimitIsAFaultOfTheData) {
  FakeRows source({kGood});
  source.fail_at_end(
      base::Error(Code::kResourceExhausted, "The line is longer than 67108864 bytes.")
          .at_file("rows.jsonl")
          .at_byte(76));
  const auto result = run_ingest(source, request_, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  EXPECT_EQ(result.error().file, "rows.jsonl");
  EXPECT_EQ(result.error().byte_offset, 76);
}

TEST_F(IngestTest, WantOfMemoryStaysAFaultOfTheMachine) {
  FakeRows source({kGood});
  source.fail_at_end(base::Error(Code::kResourceExhausted, "No memory for a batch."));
  const auto result = run_ingest(source, request_, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kResourceExhausted);
}

TEST_F(IngestTest, AnUploadWithoutRowsIsRefused) {
  const auto result = run({});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
}

TEST_F(IngestTest, CancelsBetweenRows) {
  FakeRows source({kGood, kGood});
  const auto result =
      run_ingest(source, request_, {.progress = {}, .is_cancelled = [] { return true; }});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kCancelled);
}

TEST_F(IngestTest, TagsMustMatchImages) {
  request_.task_type = "sft";
  const auto result = run({R"({"messages":[{"role":"user","content":"<image><image> differ?"},
      {"role":"assistant","content":"Yes."}],"images":["good.png"]})"});
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_FALSE(result->accepted);
  EXPECT_EQ(result->report.findings.at(0).code, "media_count");
}

// Two files of one set: the rows of the second are counted from 1 again.
class TwoFiles final : public RowSource {
 public:
  explicit TwoFiles(std::vector<std::string> rows) : rows_(std::move(rows)) {}
  base::Result<bool> next(Row& row) override {
    if (at_ == rows_.size()) return false;
    row.text = rows_[at_];
    row.byte_offset = 7;
    row.file = at_ < 2 ? 0 : 1;
    ++at_;
    return true;
  }

 private:
  std::vector<std::string> rows_;
  size_t at_ = 0;
};

TEST_F(IngestTest, InSeveralFilesAFindingNamesItsFileAndTheRowThere) {
  request_.rows_names = {"a.jsonl", "b.jsonl"};
  const auto good = [](const std::string& answer) {
    return R"({"image":"good.png","license":"CC0","query":"What?","response":")" + answer + "\"}";
  };
  TwoFiles source({good("a"), good("b"), good("c"), R"({"image":"good.png","query":"q"})"});
  const auto result = run_ingest(source, request_, {});
  ASSERT_TRUE(result.ok()) << result.error().text();
  ASSERT_EQ(result->report.findings.size(), 1u);
  EXPECT_EQ(result->report.findings[0].file, "b.jsonl");
  EXPECT_EQ(result->report.findings[0].row, 2);
  EXPECT_EQ(result->report.rows_count, 4);
  EXPECT_EQ(result->report.rows_file, "a.jsonl, b.jsonl");
}

TEST_F(IngestTest, TheReportTellsTheLayoutWhereItIsKnown) {
  request_.task_type = "sft";
  const auto result = run({R"({"query":"q","response":"r"})"});
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->report.layout["name"], base::Json("ms-swift query and response"));
  EXPECT_EQ(result->report.layout["confidence"], base::Json(95));
}

}  // namespace
}  // namespace mortise::ingest
