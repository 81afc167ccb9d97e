// What file_ops.h promises: modes, refusals, and content that is old or new after any fault.
#include "base/file_ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/faulty_file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using tests::FaultyFileOps;
using tests::TempFolder;

FileOps& disk() {
  return posix_file_ops();
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

mode_t mode_of(const std::string& path) {
  struct stat facts {};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0);
  return facts.st_mode & 0777;
}

TEST(FileOps, ReadsBackWhatWasWrittenAtAnyOffset) {
  const TempFolder folder;
  auto file = disk().open(folder / "a", OpenMode::kCreateNew).value();
  ASSERT_TRUE(file->write(bytes_of("hello ")).ok());
  ASSERT_TRUE(file->write(bytes_of("world")).ok());

  std::string text(5, '\0');
  EXPECT_EQ(file->read_at(6, std::as_writable_bytes(std::span(text))).value(), 5u);
  EXPECT_EQ(text, "world");
  EXPECT_EQ(file->read_at(11, std::as_writable_bytes(std::span(text))).value(), 0u);
  EXPECT_EQ(file->size().value(), 11u);
}

TEST(FileOps, AppendsAtTheEndAndTruncatesAnew) {
  const TempFolder folder;
  ASSERT_TRUE(disk().open(folder / "a", OpenMode::kAppend).value()->write(bytes_of("one")).ok());
  ASSERT_TRUE(disk().open(folder / "a", OpenMode::kAppend).value()->write(bytes_of("two")).ok());
  EXPECT_EQ(read_file(disk(), folder / "a").value(), "onetwo");

  ASSERT_TRUE(disk().open(folder / "a", OpenMode::kTruncate).value()->write(bytes_of("x")).ok());
  EXPECT_EQ(read_file(disk(), folder / "a").value(), "x");
  ASSERT_TRUE(disk().open(folder / "a", OpenMode::kAppend).value()->truncate(0).ok());
  EXPECT_EQ(read_file(disk(), folder / "a").value(), "");
}

TEST(FileOps, GivesNewFilesAndFoldersToTheirOwnerOnly) {
  const TempFolder folder;
  ASSERT_TRUE(disk().open(folder / "file", OpenMode::kCreateNew).ok());
  ASSERT_TRUE(disk().make_folder(folder / "sub").ok());

  EXPECT_EQ(mode_of(folder / "file"), 0600u);
  EXPECT_EQ(mode_of(folder / "sub"), 0700u);
}

TEST(FileOps, RefusesToMakeAFileThatIsThere) {
  const TempFolder folder;
  ASSERT_TRUE(disk().open(folder / "a", OpenMode::kCreateNew).ok());

  const auto again = disk().open(folder / "a", OpenMode::kCreateNew);

  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_EQ(again.error().file, folder / "a");
}

TEST(FileOps, SaysNotFoundForAMissingFile) {
  const TempFolder folder;

  EXPECT_EQ(disk().open(folder / "ghost", OpenMode::kRead).error().code, Code::kNotFound);
  EXPECT_EQ(disk().remove(folder / "ghost").error().code, Code::kNotFound);
  EXPECT_EQ(disk().list(folder / "ghost").error().code, Code::kNotFound);
  EXPECT_FALSE(disk().exists(folder / "ghost").value());
}

TEST(FileOps, NeverFollowsALinkAtTheLastComponent) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_durably(disk(), folder / "secret", "mine").ok());
  ASSERT_EQ(::symlink((folder / "secret").c_str(), (folder / "door").c_str()), 0);

  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kAppend, OpenMode::kTruncate}) {
    EXPECT_EQ(disk().open(folder / "door", mode).error().code, Code::kInvalidArgument);
  }
  EXPECT_EQ(read_file(disk(), folder / "secret").value(), "mine");
}

TEST(FileOps, RefusesToOpenAFolderAsAFile) {
  const TempFolder folder;

  const auto opened = disk().open(folder.path(), OpenMode::kRead);

  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kInvalidArgument);
  EXPECT_THAT(opened.error().message, HasSubstr("folder"));
}

TEST(FileOps, SaysResourceExhaustedWhenTheDiskIsFull) {
  auto full = disk().open("/dev/full", OpenMode::kAppend);
  if (!full.ok()) GTEST_SKIP() << "/dev/full cannot be opened here";

  const Status written = (*full)->write(bytes_of("x"));

  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Code::kResourceExhausted);
  EXPECT_EQ(written.error().file, "/dev/full");
}

TEST(FileOps, NeverSyncsAgainAfterAFailedSync) {
  auto device = disk().open("/dev/full", OpenMode::kAppend);  // fsync is not possible on it
  if (!device.ok()) GTEST_SKIP() << "/dev/full cannot be opened here";
  ASSERT_FALSE((*device)->sync().ok());

  const Status again = (*device)->sync();

  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kDataLoss);
  EXPECT_THAT(again.error().message, HasSubstr("earlier sync"));
}

TEST(FileOps, ListsByNameAndTellsFoldersFromFiles) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_durably(disk(), folder / "b", "12345").ok());
  ASSERT_TRUE(disk().make_folder(folder / "a").ok());

  const auto entries = disk().list(folder.path()).value();

  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_TRUE(entries[0].is_folder);
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_EQ(entries[1].size_bytes, 5u);
}

TEST(FileOps, LinksOnceAndSaysWhenTheNameIsTaken) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_durably(disk(), folder / "a", "text").ok());

  EXPECT_TRUE(disk().link(folder / "a", folder / "b").ok());
  EXPECT_EQ(disk().link(folder / "a", folder / "b").error().code, Code::kAlreadyExists);
  EXPECT_EQ(read_file(disk(), folder / "b").value(), "text");
}

TEST(FileOps, RefusesAFolderWhereAFileStands) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_durably(disk(), folder / "a", "").ok());

  EXPECT_TRUE(disk().make_folder(folder / "sub").ok());
  EXPECT_TRUE(disk().make_folder(folder / "sub").ok());
  EXPECT_EQ(disk().make_folder(folder / "a").error().code, Code::kAlreadyExists);
  EXPECT_EQ(disk().remove(folder.path()).error().code, Code::kAlreadyExists);
}

TEST(ReadFile, ReadsFilesWhoseSizeTheSystemDoesNotTell) {
  EXPECT_THAT(read_file(disk(), "/proc/self/status").value(), StartsWith("Name:"));
}

TEST(ReadFile, RefusesMoreThanItsLimit) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_durably(disk(), folder / "a", "12345").ok());

  EXPECT_EQ(read_file(disk(), folder / "a", 5).value(), "12345");
  EXPECT_EQ(read_file(disk(), folder / "a", 4).error().code, Code::kResourceExhausted);
  EXPECT_EQ(read_file(disk(), "/proc/self/status", 4).error().code, Code::kResourceExhausted);
}

TEST(WriteFileDurably, SyncsTheFileBeforeTheRenameAndTheFolderAfterIt) {
  const TempFolder folder;
  FaultyFileOps files(disk());

  ASSERT_TRUE(write_file_durably(files, folder / "a", "text").ok());

  EXPECT_THAT(
      files.calls(),
      ElementsAre(StartsWith("open " + (folder / "a.new.")), StartsWith("write "),
                  StartsWith("sync " + (folder / "a.new.")), StartsWith("close "),
                  StartsWith("rename " + (folder / "a.new.")), "sync_folder " + folder.path()));
}

TEST(WriteFileDurably, LeavesOldOrNewContentWhenAnyCallFails) {
  for (int n = 1;; ++n) {
    const TempFolder folder;
    ASSERT_TRUE(write_file_durably(disk(), folder / "a", "old").ok());
    FaultyFileOps files(disk());
    files.fail_at(n);

    const Status written = write_file_durably(files, folder / "a", "new text");

    const std::string found = read_file(disk(), folder / "a").value();
    EXPECT_EQ(written.ok(), !files.was_hit()) << "failed at call " << n;
    if (written.ok()) {
      EXPECT_EQ(found, "new text");
    }
    EXPECT_TRUE(found == "old" || found == "new text") << "failed at call " << n << ": " << found;
    EXPECT_EQ(disk().list(folder.path()).value().size(), 1u) << "a temporary file was left";
    if (!files.was_hit()) break;
  }
}

TEST(WriteFileDurably, LeavesOldOrNewContentWhenThePowerFailsAtAnyCall) {
  for (int n = 1;; ++n) {
    const TempFolder folder;
    ASSERT_TRUE(write_file_durably(disk(), folder / "a", "old").ok());
    FaultyFileOps files(disk());
    files.lose_power_at(n);

    const bool acknowledged = write_file_durably(files, folder / "a", "new text").ok();
    files.lose_unsynced();

    const std::string found = read_file(disk(), folder / "a").value();
    if (acknowledged) {
      EXPECT_EQ(found, "new text");
    }
    EXPECT_TRUE(found == "old" || found == "new text") << "cut at call " << n << ": " << found;
    if (!files.was_hit()) break;
  }
}

TEST(FaultyFileOps, CutsAWriteInTheMiddleAndForgetsWhatWasNotSynced) {
  const TempFolder folder;
  FaultyFileOps files(disk());
  {
    auto file = files.open(folder / "a", OpenMode::kCreateNew).value();
    ASSERT_TRUE(file->write(bytes_of("kept")).ok());
    ASSERT_TRUE(file->sync().ok());
    files.lose_power_at(4);
    EXPECT_FALSE(file->write(bytes_of("12345678")).ok());
  }
  EXPECT_EQ(read_file(disk(), folder / "a").value(), "kept1234");

  files.lose_unsynced();

  EXPECT_EQ(read_file(disk(), folder / "a").value(), "kept");
}

TEST(MakeFolders, SyncsEachParentOfWhatItMakes) {
  const TempFolder folder;
  FaultyFileOps files(disk());

  ASSERT_TRUE(make_folders(files, folder / "x/y").ok());

  std::vector<std::string> changes;
  for (const std::string& call : files.calls()) {
    if (!call.starts_with("exists ")) changes.push_back(call);
  }
  EXPECT_THAT(changes,
              ElementsAre("make_folder " + folder.path(),  // is there: nothing happens
                          "make_folder " + (folder / "x"), "sync_folder " + folder.path(),
                          "make_folder " + (folder / "x/y"), "sync_folder " + (folder / "x")));
  EXPECT_TRUE(make_folders(disk(), folder / "x/y").ok());
}

TEST(RemoveTree, RemovesAllBelowButNothingBehindALink) {
  const TempFolder folder;
  ASSERT_TRUE(make_folders(disk(), folder / "tree/deep").ok());
  ASSERT_TRUE(write_file_durably(disk(), folder / "tree/deep/a", "").ok());
  ASSERT_TRUE(make_folders(disk(), folder / "other").ok());
  ASSERT_TRUE(write_file_durably(disk(), folder / "other/kept", "").ok());
  ASSERT_EQ(::symlink((folder / "other").c_str(), (folder / "tree/link").c_str()), 0);

  ASSERT_TRUE(remove_tree(disk(), folder / "tree").ok());

  EXPECT_FALSE(disk().exists(folder / "tree").value());
  EXPECT_TRUE(disk().exists(folder / "other/kept").value());
  EXPECT_TRUE(remove_tree(disk(), folder / "tree").ok());
}

TEST(CheckRelativePath, AcceptsPathsThatStayInside) {
  for (const char* path : {"a", "images/0001.png", "a..b/..c", "图/片.png", ".hidden"}) {
    EXPECT_TRUE(check_relative_path(path).ok()) << path;
  }
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
}

TEST(CheckRelativePath, RefusesPathsThatLeaveOrAreNotPlain) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view path : {""sv, "/a"sv, "../a"sv, "a/../b"sv, "a/.."sv, "."sv,
                                      "a/./b"sv, "a//b"sv, "a/"sv, "a\\b"sv, "a\0b"sv}) {
    const Status checked = check_relative_path(path);
    ASSERT_FALSE(checked.ok()) << path;
    EXPECT_EQ(checked.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(check_relative_path(std::string(5000, 'a')).ok());
}

}  // namespace
}  // namespace mortise::base
