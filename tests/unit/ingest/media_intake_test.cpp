// Media that come inside a rows file: names, bytes on the disk, ranges, what happens to bad rows.
#include "ingest/media_intake.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "ingest/ingest.h"
#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

using base::Code;
using plugin::MediaField;
using plugin::MediumCell;

class MediaIntakeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "intake_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/upload/shard");
    request_.task_type = "vqa";
    request_.rows_names = {"rows.bin"};
    request_.rows = &output_;
    request_.media = &output_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void upload(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/upload/" + name;
    ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), path, bytes).ok());
    paths_[name] = path;
  }
  std::string written(const std::string& name) {
    const auto found = output_.media.find(name);
    return found == output_.media.end() ? "(none)" : found->second;
  }
  base::Result<IngestResult> run(RowSource& source) {
    const LocalFiles files(base::posix_file_ops(), paths_);
    request_.upload = &files;
    return run_ingest(source, request_, {});
  }
  // Rows {"query","response"} with one medium each in the column "image".
  base::Result<IngestResult> run(const std::vector<MediumCell>& cells) {
    FakeRows source(std::deque<std::string>(cells.size(), R"({"query":"What?","response":"x"})"));
    for (size_t i = 0; i < cells.size(); ++i) {
      source.add_media(i, {MediaField{"image", false, {cells[i]}}});
    }
    return run(source);
  }

  static MediumCell bytes_cell(std::string name, std::string_view bytes) {
    MediumCell cell;
    cell.name = std::move(name);
    cell.bytes = bytes;
    return cell;
  }
  static MediumCell range_cell(std::string member, int64_t offset, int64_t length) {
    MediumCell cell;
    cell.member = std::move(member);
    cell.offset = offset;
    cell.length = length;
    return cell;
  }

  std::string folder_;
  std::map<std::string, std::string> paths_;
  MemoryOutput output_;
  IngestRequest request_;
};

TEST_F(MediaIntakeTest, TakesASuggestedNameOnceAndThenNumbersTheRows) {
  const std::string one = grey_png(4, 1), two = grey_png(4, 2), three = grey_png(4, 3);
  const auto result = run({bytes_cell("a/cat.png", one), bytes_cell("a/cat.png", two),
                           bytes_cell("../out.png", three), bytes_cell("a", one)});

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_TRUE(result->accepted);
  EXPECT_EQ(result->used_media,
            (std::vector<std::string>{"a/cat.png", "image/000000002.png", "image/000000003.png",
                                      "image/000000004.png"}));  // "a" is a folder by now
  EXPECT_EQ(written("a/cat.png"), one);
  EXPECT_EQ(written("image/000000002.png"), two);
  EXPECT_NE(output_.rows.find("\"image_path\":\"image/000000003.png\""), std::string::npos);
  EXPECT_EQ(result->report.media_size_bytes, 2 * one.size() + two.size() + three.size());
}

TEST_F(MediaIntakeTest, AListOfMediaKeepsItsOrder) {
  const std::string one = grey_png(4, 1), two = grey_png(4, 2);
  request_.task_type = "chat";
  FakeRows source(
      {R"({"messages":[{"role":"user","content":"<image><image>?"},{"role":"assistant","content":"y"}]})"});
  source.add_media(0,
                   {MediaField{"images", true, {bytes_cell("", two), bytes_cell("x.png", one)}}});
  const auto result = run(source);

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_TRUE(result->accepted) << result->report.to_json().dump();
  EXPECT_NE(output_.rows.find("[\"images/000000001-0.png\",\"x.png\"]"), std::string::npos);
}

TEST_F(MediaIntakeTest, CopiesARangeAndUsesAWholeFileInPlace) {
  const std::string png = grey_png(4, 7);
  upload("shard/rows.tar", "head" + png + "tail");
  upload("whole.png", png);
  const auto size = static_cast<int64_t>(png.size());
  const auto result =
      run({range_cell("shard/rows.tar", 4, size), range_cell("whole.png", 0, size)});

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_TRUE(result->accepted);
  EXPECT_EQ(result->used_media, (std::vector<std::string>{"image/000000001.png", "whole.png"}));
  EXPECT_EQ(written("image/000000001.png"), png);
  EXPECT_EQ(written("whole.png"), "(none)");
}

TEST_F(MediaIntakeTest, RefusesARangePastTheEndAndAMemberOutsideTheUpload) {
  upload("a.bin", "0123");
  const auto past = run({range_cell("a.bin", 2, 3)});
  ASSERT_FALSE(past.ok());
  EXPECT_EQ(past.error().code, Code::kDataLoss);
  EXPECT_EQ(past.error().file, "a.bin");
  EXPECT_EQ(past.error().row, 1);
  EXPECT_EQ(past.error().byte_offset, 2);
  const auto outside = run({range_cell("../intake", 0, 1)});
  ASSERT_FALSE(outside.ok());
  EXPECT_EQ(outside.error().code, Code::kInvalidArgument);
  const auto huge = run({range_cell("a.bin", INT64_MAX, INT64_MAX)});
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.error().code, Code::kDataLoss);
}

TEST_F(MediaIntakeTest, ABrokenPictureMakesItsRowBadAndLeavesNoFile) {
  const std::string good = grey_png(64, 1), cut = grey_png(64, 2).substr(0, 900);
  request_.patch = true;
  request_.max_bad_rows = 1;
  const auto result = run({bytes_cell("good.png", good), bytes_cell("cut.png", cut)});

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_TRUE(result->accepted);
  ASSERT_EQ(result->report.findings.size(), 2u);
  EXPECT_EQ(result->report.findings[0].code, "media_broken");
  EXPECT_EQ(result->report.findings[0].row, 2);
  EXPECT_EQ(written("cut.png"), "(none)");
  EXPECT_EQ(written("good.png"), good);
}

TEST_F(MediaIntakeTest, ACheckAloneWritesNothing) {
  request_.rows = nullptr;
  request_.media = nullptr;
  const std::string good = grey_png(4, 1);
  const auto result = run({bytes_cell("good.png", good)});

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_TRUE(result->accepted);
  EXPECT_TRUE(output_.media.empty());
}

TEST(MediaEnding, IsReadFromTheBytes) {
  const auto ending = [](std::string_view bytes) { return media_ending(base::as_bytes(bytes)); };
  EXPECT_EQ(ending("\x89PNG\r\n\x1A\n...."), "png");
  EXPECT_EQ(ending("RIFF....WAVEfmt "), "wav");
  EXPECT_EQ(ending("RIFF....WEBPVP8 "), "webp");
  EXPECT_EQ(ending("....ftypisom"), "mp4");
  EXPECT_EQ(ending(""), "");
  EXPECT_EQ(ending("hello"), "");
}

}  // namespace
}  // namespace mortise::ingest
