#include "ingest/frame_sequence.h"

#include <gtest/gtest.h>

#include "tests/support/media_files.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

using tests::tar_file;

using base::as_bytes;
using base::Code;

TEST(FrameSequence, OnlyChosenPicturesAreReadAndMadeToFit) {
  std::vector<int64_t> asked;
  const auto read = [&](int64_t index) -> base::Result<std::string> {
    asked.push_back(index);
    return grey_png(8, static_cast<int>(10 * index));
  };
  const auto frames = sample_pictures(7, read, 2, {.frames_max = 3, .frame_pixels_max = 16});
  ASSERT_TRUE(frames.ok()) << frames.error().text();
  EXPECT_EQ(asked, (std::vector<int64_t>{0, 3, 6}));
  ASSERT_EQ(frames->size(), 3u);
  EXPECT_EQ((*frames)[1].image.width, 4);
  EXPECT_EQ((*frames)[1].image.pixels, Pixels(48, 30));
  EXPECT_DOUBLE_EQ((*frames)[2].seconds, 3);
}

TEST(FrameSequence, NamesTheFrameThatDoesNotDecode) {
  const auto read = [](int64_t index) -> base::Result<std::string> {
    return index == 1 ? std::string("no picture") : grey_png(2, 9);
  };
  const auto frames = sample_pictures(2, read, 0, {});
  ASSERT_FALSE(frames.ok());
  EXPECT_NE(frames.error().message.find("Frame 1"), std::string::npos);
  EXPECT_EQ(sample_pictures(0, read, 0, {}).error().code, Code::kInvalidArgument);
}

TEST(FrameSequence, NamesAreSortedByTheirNumbers) {
  EXPECT_TRUE(before_by_number("frame_9.jpg", "frame_10.jpg"));
  EXPECT_FALSE(before_by_number("frame_10.jpg", "frame_9.jpg"));
  EXPECT_TRUE(before_by_number("a1", "a01"));
  EXPECT_TRUE(before_by_number("a", "a1"));
  EXPECT_FALSE(before_by_number("a", "a"));
  const tests::TempFolder folder;
  for (const char* name : {"f10.png", "f2.jpg", "f1.JPEG", "notes.txt"}) {
    ASSERT_TRUE(
        base::write_file_durably(base::posix_file_ops(), folder.path() + "/" + name, "x").ok());
  }
  EXPECT_EQ(folder_pictures(base::posix_file_ops(), folder.path()).value(),
            (std::vector<std::string>{"f1.JPEG", "f2.jpg", "f10.png"}));
}

TEST(FrameSequence, ATarGivesItsPicturesInOrder) {
  const std::string one = grey_png(2, 1), two = grey_png(3, 2);
  const std::string tar = tar_file({{"b.png", one}, {"info.txt", "hello"}, {"a.png", two}});
  const auto source = ByteSource::of_bytes(as_bytes(tar));
  const auto pictures = tar_pictures(*source);
  ASSERT_TRUE(pictures.ok()) << pictures.error().text();
  ASSERT_EQ(pictures->size(), 2u);
  EXPECT_EQ((*pictures)[0].name, "b.png");
  EXPECT_EQ(tar.substr((*pictures)[1].offset, (*pictures)[1].size_bytes), two);
}

TEST(FrameSequence, EveryCutOfATarIsAnError) {
  const std::string tar = tar_file({{"a.png", grey_png(9, 1)}, {"b.png", grey_png(9, 2)}});
  for (size_t size = 0; size < tar.size() - 1024; size += 61) {
    const std::string cut = tar.substr(0, size);
    const auto source = ByteSource::of_bytes(as_bytes(cut));
    EXPECT_FALSE(tar_pictures(*source).ok()) << size;
  }
  std::string link = tar;
  link[156] = '2';
  const auto source = ByteSource::of_bytes(as_bytes(link));
  EXPECT_EQ(tar_pictures(*source).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace mortise::ingest
