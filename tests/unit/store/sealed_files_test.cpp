#include "store/sealed_files.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "store/sealing.h"
#include "tests/support/faulty_file_ops.h"
#include "tests/support/fixed_random.h"
#include "tests/support/temp_folder.h"

namespace mortise::store {
namespace {

using base::Code;
using base::OpenMode;
using base::posix_file_ops;
using base::Result;
using base::Status;

constexpr uint64_t kSeed = 11;

class SealedFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"made", "other", "plain"}) {
      ASSERT_TRUE(posix_file_ops().make_folder(folder_ / name).ok());
    }
    files_.add(folder_ / "made", key_);
    files_.add(folder_ / "other", other_key_);
  }

  Status write(base::FileOps& files, const std::string& path, const std::string& text) {
    MORTISE_ASSIGN(auto file, files.open(path, OpenMode::kTruncate));
    MORTISE_TRY(file->write(base::as_bytes(text)));
    MORTISE_TRY(file->sync());
    return file->close();
  }
  // The file whose stored bytes are `stored`, read as one of the sealed folder.
  Result<std::string> read_stored(const std::string& stored) {
    MORTISE_TRY(write(posix_file_ops(), path_, stored));
    return base::read_file(files_, path_);
  }
  std::string stored() { return base::read_file(posix_file_ops(), path_).value(); }

  tests::TempFolder folder_;
  tests::FixedRandom random_{kSeed};
  const DomainKey key_ = DomainKey::make("job-a", random_);
  const DomainKey other_key_ = DomainKey::make("job-b", random_);
  SealedFiles files_{posix_file_ops(), random_};
  const std::string path_ = folder_ / "made/adapter.safetensors";
};

TEST_F(SealedFilesTest, GiveBackWhatWasWrittenAndKeepNoneOfItReadable) {
  for (const size_t size : {0u, 1u, 16383u, 16384u, 16385u, 32768u, 3'000'000u}) {
    const std::string text = random_.text(size);
    ASSERT_TRUE(write(files_, path_, text).ok()) << size;
    EXPECT_EQ(base::read_file(files_, path_).value(), text) << size;
    const std::string bytes = stored();
    EXPECT_EQ(bytes.size(), sealed_file_size(size));
    EXPECT_EQ(plain_file_size(bytes.size()), size);
    EXPECT_TRUE(bytes.starts_with("mrtfil01job-a"));
    if (size > 32) {
      EXPECT_EQ(bytes.find(text.substr(0, 32)), std::string::npos) << size;
    }
    const auto file = files_.open(path_, OpenMode::kRead);
    EXPECT_EQ((*file)->size().value(), size);
    EXPECT_EQ((*file)->descriptor(), -1);
    EXPECT_EQ(files_.list(folder_ / "made").value().at(0).size_bytes, size);
  }
}

TEST_F(SealedFilesTest, AreReadAtAnyPlaceAndWrittenInPiecesOfAnySize) {
  const std::string text = random_.text(2'500'000);
  auto file = files_.open(path_, OpenMode::kCreateNew);
  ASSERT_TRUE(file.ok());
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::min<size_t>(random_.below(60'000), text.size() - at);
    ASSERT_TRUE((*file)->write(base::as_bytes(text).subspan(at, size)).ok());
    at += size;
  }
  EXPECT_EQ((*file)->size().value(), text.size());
  ASSERT_TRUE((*file)->close().ok());

  const auto opened = files_.open(path_, OpenMode::kRead);
  ASSERT_TRUE(opened.ok());
  for (int i = 0; i < 300; ++i) {
    const uint64_t at = random_.below(text.size() + 10);
    std::string buffer(random_.below(i % 10 == 0 ? 2'000'000 : 40'000), '\0');
    const auto got = (*opened)->read_at(at, std::as_writable_bytes(std::span(buffer)));
    ASSERT_TRUE(got.ok());
    const std::string wanted = at < text.size() ? text.substr(at, buffer.size()) : "";
    ASSERT_EQ(buffer.substr(0, *got), wanted) << "seed " << kSeed << ", byte " << at;
  }
}

TEST_F(SealedFilesTest, LeaveOtherFoldersAlone) {
  for (const std::string& path : {folder_ / "plain/a", folder_ / "made-up"}) {
    ASSERT_TRUE(write(files_, path, "readable").ok());
    EXPECT_EQ(base::read_file(posix_file_ops(), path).value(), "readable");
    EXPECT_GE((*files_.open(path, OpenMode::kRead))->descriptor(), 0);
  }
}

TEST_F(SealedFilesTest, NoticeEveryCut) {
  ASSERT_TRUE(write(files_, path_, random_.text(2 * 16384 + 100)).ok());
  const std::string whole = stored();
  for (size_t size = 0; size < whole.size(); size += size % 16400 < 300 ? 1 : 97) {
    const auto read = read_stored(whole.substr(0, size));
    ASSERT_FALSE(read.ok()) << size;
    EXPECT_EQ(read.error().code, Code::kDataLoss) << size;
    EXPECT_EQ(read.error().file, path_);
  }
  for (const size_t frames : {0u, 1u, 2u}) {  // at the borders, where each frame is whole
    EXPECT_EQ(read_stored(whole.substr(0, 128 + frames * 16400)).error().code, Code::kDataLoss);
  }
  EXPECT_EQ(read_stored(whole + "x").error().code, Code::kDataLoss);
  EXPECT_EQ(read_stored(whole + std::string(16400, 'x')).error().code, Code::kDataLoss);
  EXPECT_TRUE(read_stored(whole).ok());
}

TEST_F(SealedFilesTest, NoticeAChangedByteAnywhereAndFramesInAnotherOrder) {
  ASSERT_TRUE(write(files_, path_, random_.text(2 * 16384 + 100)).ok());
  const std::string whole = stored();
  for (size_t at = 0; at < whole.size(); at += at < 160 ? 1 : 211) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    EXPECT_EQ(read_stored(changed).error().code, Code::kDataLoss) << "byte " << at;
  }
  std::string swapped = whole;
  std::swap_ranges(swapped.begin() + 128, swapped.begin() + 128 + 16400,
                   swapped.begin() + 128 + 16400);
  EXPECT_EQ(read_stored(swapped).error().code, Code::kDataLoss);
  std::string of_another = whole;  // the same frame of a file with another salt
  ASSERT_TRUE(write(files_, path_, random_.text(2 * 16384 + 100)).ok());
  of_another.replace(128, 16400, stored(), 128, 16400);
  EXPECT_EQ(read_stored(of_another).error().code, Code::kDataLoss);
}

TEST_F(SealedFilesTest, AreNotReadWithAnotherKeyNorInThePlaceOfAnotherNorReadable) {
  ASSERT_TRUE(write(files_, path_, "weights").ok());
  SealedFiles others(posix_file_ops(), random_);
  others.add(folder_ / "made", other_key_);
  EXPECT_EQ(base::read_file(others, path_).error().code, Code::kDataLoss);
  SealedFiles same_name(posix_file_ops(), random_);
  same_name.add(folder_ / "made", DomainKey::make("job-a", random_));
  EXPECT_EQ(base::read_file(same_name, path_).error().code, Code::kDataLoss);
  EXPECT_EQ(read_stored(std::string(1000, '{')).error().code, Code::kDataLoss);
  EXPECT_EQ(base::read_file(files_, folder_ / "made/ghost").error().code, Code::kNotFound);
}

TEST_F(SealedFilesTest, EndWithTheirFirstSyncAndHaveNoEndWithoutIt) {
  auto file = files_.open(path_, OpenMode::kCreateNew);
  ASSERT_TRUE((*file)->write(base::as_bytes("weights")).ok());
  EXPECT_EQ(base::read_file(files_, path_).error().code, Code::kDataLoss);
  std::byte buffer{};
  EXPECT_EQ((*file)->read_at(0, std::span(&buffer, 1)).error().code, Code::kFailedPrecondition);
  EXPECT_EQ((*file)->truncate(0).error().code, Code::kUnimplemented);
  ASSERT_TRUE((*file)->sync().ok());
  EXPECT_EQ(base::read_file(files_, path_).value(), "weights");  // before close
  EXPECT_EQ((*file)->write(base::as_bytes("more")).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE((*file)->close().ok());
  EXPECT_EQ(base::read_file(files_, path_).value(), "weights");
  for (const OpenMode mode : {OpenMode::kAppend, OpenMode::kOverwrite}) {
    EXPECT_EQ(files_.open(path_, mode).error().code, Code::kUnimplemented);
  }
  EXPECT_EQ(files_.open(path_, OpenMode::kCreateNew).error().code, Code::kAlreadyExists);
  const auto read = files_.open(path_, OpenMode::kRead);
  EXPECT_EQ((*read)->write(base::as_bytes("x")).error().code, Code::kPermissionDenied);
}

TEST_F(SealedFilesTest, MoveAndAreLinkedUnderOneKeyAndAreCopiedToAnother) {
  ASSERT_TRUE(write(files_, path_, "weights").ok());
  ASSERT_TRUE(files_.rename(path_, folder_ / "made/b").ok());
  ASSERT_TRUE(files_.link(folder_ / "made/b", folder_ / "made/c").ok());
  EXPECT_EQ(base::read_file(files_, folder_ / "made/c").value(), "weights");
  ASSERT_TRUE(files_.link(folder_ / "made/c", folder_ / "other/d").ok());
  EXPECT_EQ(base::read_file(files_, folder_ / "other/d").value(), "weights");
  EXPECT_TRUE(base::read_file(posix_file_ops(), folder_ / "other/d")->starts_with("mrtfil01job-b"));
  ASSERT_TRUE(write(files_, folder_ / "plain/e", "old").ok());
  ASSERT_TRUE(files_.link(folder_ / "plain/e", folder_ / "made/e").ok());
  EXPECT_TRUE(base::read_file(posix_file_ops(), folder_ / "made/e")->starts_with("mrtfil01"));

  EXPECT_EQ(files_.link(folder_ / "plain/e", folder_ / "made/e").error().code,
            Code::kAlreadyExists);
  EXPECT_EQ(base::read_file(files_, folder_ / "made/e").value(), "old");
  for (const char* place : {"other/x", "plain/x"}) {
    EXPECT_EQ(files_.rename(folder_ / "made/b", folder_ / place).error().code,
              Code::kFailedPrecondition);
  }
}

TEST_F(SealedFilesTest, AreOldOrNewAfterAnyCallThatFailsWhenTheyAreWrittenDurably) {
  const std::string before = random_.text(20'000), after = random_.text(1'200'000);
  for (int n = 1;; ++n) {
    for (const bool is_short : {false, true}) {
      ASSERT_TRUE(write(files_, path_, before).ok());
      tests::FaultyFileOps faulty(posix_file_ops());
      SealedFiles files(faulty, random_);
      files.add(folder_ / "made", key_);
      const base::Error full(Code::kResourceExhausted, "The disk is full.");
      if (is_short) faulty.fail_short_at(n, full);
      if (!is_short) faulty.fail_at(n, full);
      const Status written = base::write_file_durably(files, path_, after);
      const auto read = base::read_file(files_, path_);
      ASSERT_TRUE(read.ok()) << "call " << n;
      EXPECT_TRUE(*read == after || (!written.ok() && *read == before)) << "call " << n;
      if (!faulty.was_hit()) {
        EXPECT_TRUE(written.ok());
        return;
      }
    }
  }
}

TEST_F(SealedFilesTest, RefuseToGoOnAfterAWriteThatFailed) {
  tests::FaultyFileOps faulty(posix_file_ops());
  SealedFiles files(faulty, random_);
  files.add(folder_ / "made", key_);
  auto file = files.open(path_, OpenMode::kCreateNew);
  faulty.fail_short_at(faulty.count() + 1, {Code::kResourceExhausted, "The disk is full."});
  EXPECT_EQ((*file)->write(base::as_bytes(random_.text(2'000'000))).error().code,
            Code::kResourceExhausted);
  EXPECT_EQ((*file)->write(base::as_bytes("x")).error().code, Code::kDataLoss);
  EXPECT_EQ((*file)->sync().error().code, Code::kDataLoss);
  EXPECT_EQ((*file)->close().error().code, Code::kDataLoss);
  EXPECT_EQ(base::read_file(files_, path_).error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace mortise::store
