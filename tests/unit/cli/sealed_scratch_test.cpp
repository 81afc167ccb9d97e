// What is put aside comes back whole and in part, is not readable on the disk, and never comes back
// changed.
#include "cli/sealed_scratch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace mortise::cli {
namespace {

using base::Code;

constexpr size_t kSizes[] = {0, 1, 16383, 16384, 16385, 100'000};

std::string text_of(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * i % 23);
  return text;
}

std::shared_ptr<SealedScratch> scratch_of(const std::string& path, const std::string& text,
                                          size_t piece) {
  const auto scratch = SealedScratch::create(path);
  EXPECT_TRUE(scratch.ok());
  for (size_t at = 0; at < text.size(); at += piece) {
    const std::string_view now = std::string_view(text).substr(at, piece);
    EXPECT_TRUE((*scratch)->append(std::as_bytes(std::span(now))).ok());
  }
  EXPECT_TRUE((*scratch)->finish().ok());
  return *scratch;
}

base::Result<std::string> read(const SealedScratch& scratch, uint64_t offset, size_t size) {
  std::string text(size, '?');
  MORTISE_TRY(scratch.read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

// The file has no name; its bytes are reached through what the process holds open.
std::vector<std::string> nameless_files(const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const std::string target = std::filesystem::read_symlink(entry.path(), ignored);
    if (target.starts_with(folder) && target.ends_with(" (deleted)")) found.push_back(entry.path());
  }
  return found;
}

TEST(SealedScratch, GivesBackWhatWasPutThere) {
  tests::TempFolder folder;
  for (const size_t size : kSizes) {
    for (const size_t piece : {1'000u, 16'384u, 70'000u}) {
      const std::string text = text_of(size);
      const auto scratch = scratch_of(folder / "s", text, piece);
      ASSERT_EQ(scratch->size_bytes(), size);
      EXPECT_EQ(*read(*scratch, 0, size), text);
      for (size_t at = 0; at < size; at += 7'919) {
        const size_t now = std::min<size_t>(20'000, size - at);
        EXPECT_EQ(*read(*scratch, at, now), text.substr(at, now)) << at;
      }
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SealedScratch, RefusesToReadBehindItsEnd) {
  tests::TempFolder folder;
  const auto scratch = scratch_of(folder / "s", "12345", 5);
  EXPECT_TRUE(read(*scratch, 5, 0).ok());
  EXPECT_EQ(read(*scratch, 4, 2).error().code, Code::kOutOfRange);
  EXPECT_EQ(read(*scratch, UINT64_MAX, 1).error().code, Code::kOutOfRange);
}

TEST(SealedScratch, RestsUnreadableAndNeverComesBackChanged) {
  tests::TempFolder folder;
  const std::string text = text_of(40'000);
  const auto scratch = scratch_of(folder / "s", text, 40'000);
  const auto files = nameless_files(folder.path());
  ASSERT_EQ(files.size(), 1u);
  std::ifstream stream(files[0], std::ios::binary);
  const std::string stored((std::istreambuf_iterator<char>(stream)), {});
  ASSERT_EQ(stored.size(), text.size() + 3 * 16);
  EXPECT_EQ(stored.find(text.substr(0, 32)), std::string::npos);
  const int raw = ::open(files[0].c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(raw, 0);
  const char changed = static_cast<char>(stored[20'000] ^ 1);
  ASSERT_EQ(::pwrite(raw, &changed, 1, 20'000), 1);
  EXPECT_EQ(*read(*scratch, 0, 16'384), text.substr(0, 16'384));
  const auto damaged = read(*scratch, 30'000, 1);
  ASSERT_FALSE(damaged.ok());
  EXPECT_EQ(damaged.error().code, Code::kDataLoss);
  ASSERT_EQ(::ftruncate(raw, 10'000), 0);
  EXPECT_EQ(read(*scratch, 0, 1).error().code, Code::kDataLoss) << "cut";
  ::close(raw);
}

}  // namespace
}  // namespace mortise::cli
