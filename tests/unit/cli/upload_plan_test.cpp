// What is sent: every byte of every file once, bundles that tar reads, links refused, a file that
// changes found out.
#include "cli/upload_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "tests/support/temp_folder.h"

namespace mortise::cli {
namespace {

using base::Code;
using ::testing::HasSubstr;
using Kind = Transfer::Kind;

class Plan : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    texts_[name] = text;
  }
  std::vector<Transfer> plan_of_folder(const PlanLimits& limits = {}) {
    files_ = *files_below(folder_.path());
    return plan_transfers(std::as_const(files_), limits);
  }
  static std::string bytes(const Transfer& transfer, size_t piece = SIZE_MAX) {
    std::string out(transfer.size_bytes, '?');
    for (size_t at = 0; at < out.size(); at += std::min(piece, out.size() - at)) {
      const size_t now = std::min(piece, out.size() - at);
      const auto status =
          transfer.read_at(at, std::as_writable_bytes(std::span(out)).subspan(at, now));
      EXPECT_TRUE(status.ok()) << status.error().text();
    }
    return out;
  }
  tests::TempFolder folder_;
  std::map<std::string, std::string> texts_;
  std::vector<UploadFile> files_;  // that the plan points to
};

TEST_F(Plan, FilesComeSortedWithTheirFacts) {
  write("b", "22");
  write("a/深", "333");
  write("a/empty", "");
  const auto files = files_below(folder_.path());
  ASSERT_TRUE(files.ok()) << files.error().text();
  ASSERT_EQ(files->size(), 3u);
  EXPECT_EQ((*files)[0].name, "a/empty");
  EXPECT_EQ((*files)[1].name, "a/深");
  EXPECT_EQ((*files)[2].name, "b");
  EXPECT_EQ((*files)[2].size_bytes, 2u);
  EXPECT_GT((*files)[2].modified_ns, 0);
}

TEST_F(Plan, LinksAndPipesAreRefusedByName) {
  write("a", "1");
  std::filesystem::create_symlink("/etc/passwd", folder_ / "link");
  auto files = files_below(folder_.path());
  ASSERT_FALSE(files.ok());
  EXPECT_EQ(files.error().file, folder_ / "link");
  EXPECT_THAT(files.error().message, HasSubstr("symbolic link"));
  std::filesystem::remove(folder_ / "link");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  files = files_below(folder_.path());
  ASSERT_FALSE(files.ok());
  EXPECT_THAT(files.error().message, HasSubstr("pipe"));
  EXPECT_EQ(file_at(folder_ / "none", "none").error().code, Code::kNotFound);
}

TEST_F(Plan, SmallFilesBundleLargeOnesSplitOthersGoAlone) {
  for (int i = 0; i < 20; ++i)
    write("small/" + std::to_string(i), std::string(i * 100, static_cast<char>('a' + i)));
  write("middle", std::string(5'000, 'm'));
  write("large", std::string(20u << 20, 'l'));
  const auto files = files_below(folder_.path());
  ASSERT_TRUE(files.ok());
  const PlanLimits limits = {.small_bytes = 2'000, .bundle_files = 8, .large_bytes = 1 << 20};
  const auto plan = plan_transfers(*files, limits);
  std::string kinds;
  for (const Transfer& one : plan) kinds += "fbpw"[static_cast<int>(one.kind)];
  EXPECT_EQ(kinds, "pppwbbbf");
  EXPECT_EQ(bytes(plan[0]) + bytes(plan[1]) + bytes(plan[2]), texts_["large"]);
  EXPECT_EQ(plan[3].part_count, 3u);
  EXPECT_EQ(plan[3].name, "large");
  EXPECT_EQ(bytes(plan[7]), texts_["middle"]);
}

TEST_F(Plan, FewSmallFilesAreNotWorthABundle) {
  for (int i = 0; i < 15; ++i) write(std::to_string(i), "x");
  EXPECT_EQ(plan_of_folder().size(), 15u);
  write("15", "x");
  EXPECT_EQ(plan_of_folder().size(), 1u);
  EXPECT_TRUE(plan_transfers(std::as_const(files_ = {})).empty());
}

TEST_F(Plan, TarReadsABundleHoweverItIsCut) {
  const std::string long_name = "d/" + std::string(93, 'x') + "/" + std::string(150, 'y');
  write("empty", "");
  write(long_name, "long");
  write("d/" + std::string(98, 'z'), "hundred");
  write("深/a.png", std::string(512, 'p'));
  write("b", std::string(1'000, 'b'));
  const auto plan = plan_of_folder({.bundle_from = 1});
  ASSERT_EQ(plan.size(), 1u);
  ASSERT_EQ(plan[0].kind, Kind::kBundle);
  const std::string whole = bytes(plan[0]);
  EXPECT_EQ(whole.size() % 512, 0u);
  for (const size_t piece : {1u, 7u, 511u, 512u, 513u, 3'000u}) {
    EXPECT_EQ(bytes(plan[0], piece), whole) << piece;
  }
  tests::TempFolder out;
  std::ofstream(out / "b.tar", std::ios::binary) << whole;
  ASSERT_EQ(std::system(("cd " + out.path() + " && tar xf b.tar && rm b.tar").c_str()), 0);
  const auto found = files_below(out.path());
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->size(), texts_.size());
  for (const UploadFile& file : *found) {
    std::ifstream stream(file.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    EXPECT_EQ(text, texts_[file.name]) << file.name;
  }
}

// Files of an archive lie in a scratch: each at its place there, alone, in parts and in bundles.
TEST_F(Plan, FilesOfAScratchAreReadFromIt) {
  const auto scratch = SealedScratch::create(folder_ / "scratch");
  ASSERT_TRUE(scratch.ok());
  const auto archive = std::make_shared<UploadSource>("a.zip", false, *scratch);
  std::string all;
  for (size_t i = 0; i < 20; ++i) {
    const std::string text(i * 1'500, static_cast<char>('a' + i));
    files_.push_back({"f" + std::to_string(i), archive, text.size(), 1, all.size()});
    all += text;
  }
  ASSERT_TRUE((*scratch)->append(std::as_bytes(std::span(all))).ok());
  ASSERT_TRUE((*scratch)->finish().ok());
  const PlanLimits limits = {.small_bytes = 9'000, .bundle_from = 2, .large_bytes = 20'000};
  const auto plan = plan_transfers(std::as_const(files_), limits);
  size_t found = 0;
  for (const Transfer& transfer : plan) {
    const std::string sent = bytes(transfer, 700);
    if (transfer.kind != Kind::kBundle) {
      found += transfer.kind == Kind::kWhole ? 1 : 0;
      if (transfer.kind == Kind::kWhole) continue;
    }
    for (const Stretch& stretch : transfer.stretches) {
      const std::string part =
          all.substr(stretch.file->begin_bytes + stretch.begin_bytes, stretch.size_bytes);
      EXPECT_NE(sent.find(part), std::string::npos) << stretch.file->name;
      found += transfer.kind == Kind::kPart ? 0 : 1;
    }
  }
  EXPECT_EQ(found, files_.size());
}

TEST_F(Plan, AFileThatChangesIsFoundOut) {
  write("a", "12345");
  const auto plan = plan_of_folder();
  write("a", "123");
  std::vector<std::byte> buffer(5);
  const auto status = plan[0].read_at(0, buffer);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kDataLoss);
  EXPECT_EQ(status.error().file, folder_ / "a");
  EXPECT_EQ(plan[0].read_at(1, buffer).error().code, Code::kOutOfRange);
}

}  // namespace
}  // namespace mortise::cli
