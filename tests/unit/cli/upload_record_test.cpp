// The record of an upload on its way: what it holds and what it never holds, who may have it, when
// it is dropped. And the words of the progress line.
#include "cli/upload_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <set>

#include <filesystem>
#include <fstream>

#include "cli/progress.h"
#include "cli/upload_send.h"
#include "tests/support/temp_folder.h"

namespace mortise::cli {
namespace {

using base::Code;
using base::Json;
using ::testing::HasSubstr;

std::shared_ptr<const UploadSource> at(const char* path) {
  return std::make_shared<UploadSource>(path);
}

const UploadRecord kRecord = {
    .server = "http://127.0.0.1:1",
    .upload = "abc",
    .files = digest_of({{"a/深.png", at("/data/a/深.png"), 7, 1'700'000'000'123'456'789}}),
    .transfers = {{"/api/v1/uploads/01", true}, {"", false}}};

std::string only_record(const std::string& folder) {
  for (const auto& found : std::filesystem::directory_iterator(folder)) {
    if (found.path().extension() == ".json") return found.path();
  }
  return "";
}

TEST(UploadRecord, ComesBackAsItWas) {
  tests::TempFolder folder;
  const auto place = RecordPlace::open(folder.path(), Json("x"));
  ASSERT_TRUE(place.ok()) << place.error().text();
  EXPECT_EQ(place->load().error().code, Code::kNotFound);
  ASSERT_TRUE(place->save(kRecord).ok());
  const auto loaded = place->load();
  ASSERT_TRUE(loaded.ok()) << loaded.error().text();
  EXPECT_EQ(loaded->to_json(), kRecord.to_json());
  EXPECT_EQ(loaded->files, kRecord.files);
  EXPECT_TRUE(loaded->transfers[0].is_done);
  EXPECT_EQ(loaded->transfers[0].path, "/api/v1/uploads/01");
  struct stat facts {};
  ASSERT_EQ(::stat(only_record(folder.path()).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  place->drop();
  EXPECT_EQ(place->load().error().code, Code::kNotFound);
}

TEST(UploadRecord, TellsWhetherFilesAreTheSameAndNamesNone) {
  const std::vector<UploadFile> files = {{"a.png", at("/x/a.png"), 7, 5}, {"b", at("/x/b"), 1, 5}};
  EXPECT_EQ(digest_of(files), digest_of(std::vector<UploadFile>(files)));
  std::vector<std::string> seen = {digest_of(files)};
  for (const UploadFile& other :
       {UploadFile{"c", at("/x/b"), 1, 5}, UploadFile{"b", at("/y/b"), 1, 5},
        UploadFile{"b", at("/x/b"), 2, 5}, UploadFile{"b", at("/x/b"), 1, 6}}) {
    seen.push_back(digest_of({files[0], other}));
  }
  seen.push_back(digest_of({files[0]}));
  seen.push_back(digest_of({files[1], files[0]}));
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
  EXPECT_EQ(kRecord.to_json().dump().find("png"), std::string::npos);
}

TEST(UploadRecord, IsTheCommandsOwn) {
  tests::TempFolder folder;
  const auto first = RecordPlace::open(folder.path(), Json::object({{"a", 1}, {"b", 2}}));
  ASSERT_TRUE(first.ok() && first->save(kRecord).ok());
  const auto other = RecordPlace::open(folder.path(), Json::object({{"a", 1}, {"b", 3}}));
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other->load().error().code, Code::kNotFound);
  const auto same = RecordPlace::open(folder.path(), Json::object({{"b", 2}, {"a", 1}}));
  ASSERT_FALSE(same.ok()) << "the first still has it";
  EXPECT_EQ(same.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(same.error().message, HasSubstr("another process"));
}

TEST(UploadRecord, IsFreeAgainAfterwards) {
  tests::TempFolder folder;
  for (int i = 0; i < 3; ++i) {
    const auto place = RecordPlace::open(folder.path(), Json("x"));
    ASSERT_TRUE(place.ok());
    const auto scratch = SealedScratch::create(place->scratch_path());
    ASSERT_TRUE(scratch.ok());
    EXPECT_FALSE(std::filesystem::exists(place->scratch_path())) << "it has no name";
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "no lock stays";
}

TEST(UploadRecord, WhatCannotBeReadIsDropped) {
  for (const char* text : {"", "{", "[]", "{\"version\":1,\"upload\":\"a\"}", "{\"version\":2}"}) {
    tests::TempFolder folder;
    const auto place = RecordPlace::open(folder.path(), Json("x"));
    ASSERT_TRUE(place.ok() && place->save(kRecord).ok());
    std::ofstream(only_record(folder.path()), std::ios::trunc) << text;
    EXPECT_FALSE(place->load().ok()) << text;
    EXPECT_EQ(only_record(folder.path()), "") << text;
  }
}

TEST(SendTransfers, ChangedFilesEndItAtOnceAndNobodyEndsItWhenPatienceEnds) {
  tests::TempFolder folder;
  std::ofstream(folder / "a") << "12345";
  const auto files = *files_below(folder.path());
  const auto plan = plan_transfers(files);
  std::vector<TransferState> states(plan.size());
  int asked = 0;
  SendWork work{.upload = "u", .plan = &plan, .states = &states};
  work.reach = [&asked]() -> base::Result<Server> {
    ++asked;
    return base::Error(Code::kUnavailable, "Nobody is there.");
  };
  const auto status = send_transfers(work, {.patience_ms = 300, .pause_ms = 20});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kUnavailable);
  EXPECT_GE(asked, 4) << "20, 40, 80 and 160 ms";
  EXPECT_LE(asked, 8);
  work.reach = [&asked]() -> base::Result<Server> {
    ++asked;
    return base::Error(Code::kInvalidArgument, "MORTISE_URL is wrong.");
  };
  asked = 0;
  EXPECT_EQ(send_transfers(work).error().code, Code::kInvalidArgument);
  EXPECT_EQ(asked, 1) << "trying again cannot help";
}

TEST(Rate, IsThatOfTheLastFiveSeconds) {
  constexpr int64_t kSecond = 1'000'000'000;
  Rate rate;
  EXPECT_EQ(rate.per_second(), 0);
  rate.add(0, 0);
  EXPECT_EQ(rate.per_second(), 0);
  for (int i = 1; i <= 10; ++i) rate.add(i * kSecond, static_cast<uint64_t>(i) * 1'000'000);
  EXPECT_DOUBLE_EQ(rate.per_second(), 1e6);
  for (int i = 11; i <= 16; ++i) rate.add(i * kSecond, 10'000'000);
  EXPECT_EQ(rate.per_second(), 0) << "it stands still";
  rate.add(17 * kSecond, 9'000'000);
  EXPECT_EQ(rate.per_second(), 0) << "what went lost is no rate";
}

TEST(BytesText, SaysPartRateAndTime) {
  EXPECT_EQ(bytes_text(0, 0, 0), "100 %");
  EXPECT_EQ(bytes_text(0, 100, 0), "0 %");
  EXPECT_EQ(bytes_text(43'000'000, 100'000'000, 2'500'000), "43 %  2.5 MB/s  0:23 left");
  EXPECT_EQ(bytes_text(999, 1000, 1), "99 %  0.0 MB/s  0:01 left");
  EXPECT_EQ(bytes_text(1000, 1000, 1e6), "100 %  1.0 MB/s");
}

}  // namespace
}  // namespace mortise::cli
