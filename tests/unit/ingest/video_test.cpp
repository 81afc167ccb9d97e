#include "ingest/video.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/media_files.h"

namespace mortise::ingest {
namespace {

using tests::film_file;

using base::as_bytes;
using base::Code;

base::Result<Video> open(const std::string& file, const VideoLimits& limits = {}) {
  return Video::open(ByteSource::of_bytes(as_bytes(file)), limits);
}

std::vector<int> ramp(int count) {
  std::vector<int> greys;
  for (int i = 0; i < count; ++i) greys.push_back(40 + 10 * i);
  return greys;
}

struct Kind {
  const char *muxer, *encoder;
};
constexpr Kind kKinds[] = {{"mp4", "mpeg4"}, {"mov", "mjpeg"}, {"matroska", "mpeg4"},
                           {"avi", "mjpeg"}, {"avi", "mpeg4"}, {"mpegts", "mpeg2video"}};

// What a grey of 16 .. 235 becomes in RGB.
double full_range(int grey) {
  return (grey - 16) * 255.0 / 219;
}

TEST(Video, EvenIndicesHaveBothEnds) {
  EXPECT_EQ(even_indices(10, 4), (std::vector<int64_t>{0, 3, 6, 9}));
  EXPECT_EQ(even_indices(11, 3), (std::vector<int64_t>{0, 5, 10}));
  EXPECT_EQ(even_indices(3, 8), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(even_indices(5, 1), (std::vector<int64_t>{0}));
  EXPECT_TRUE(even_indices(0, 4).empty());
}

TEST(Video, EveryContainerGivesFactsAndTheRightFrames) {
  for (const Kind& kind : kKinds) {
    const std::string name = std::string(kind.muxer) + " " + kind.encoder;
    const std::string file = film_file(kind.muxer, kind.encoder, ramp(13), 64, 48, 25);
    auto film = open(file);
    ASSERT_TRUE(film.ok()) << name << " " << film.error().text();
    EXPECT_EQ(film->facts().frames, 13) << name;
    EXPECT_EQ(film->facts().width, 64) << name;
    EXPECT_EQ(film->facts().height, 48) << name;
    EXPECT_NEAR(film->facts().fps, 25, 1) << name;
    EXPECT_NEAR(film->facts().seconds, 0.52, 0.05) << name;
    const auto frames = film->sample({.frames_max = 4});
    ASSERT_TRUE(frames.ok()) << name << " " << frames.error().text();
    ASSERT_EQ(frames->size(), 4u) << name;
    for (size_t i = 0; i < 4; ++i) {
      const VideoFrame& frame = (*frames)[i];
      EXPECT_EQ(frame.index, static_cast<int64_t>(4 * i)) << name;
      EXPECT_NEAR(frame.seconds - (*frames)[0].seconds, 0.16 * static_cast<double>(i), 0.01);
      ASSERT_EQ(frame.image.pixels.size(), 64u * 48 * 3) << name;
      const int grey = 40 + 40 * static_cast<int>(i);
      const double wanted = std::string_view(kind.encoder) == "mjpeg" ? grey : full_range(grey);
      for (const size_t at : {0u, 4000u, 9215u}) {
        EXPECT_NEAR(frame.image.pixels[at], wanted, 4) << name << " frame " << i;
      }
    }
  }
}

TEST(Video, LargeFramesFitTheBudget) {
  const std::string file = film_file("mp4", "mpeg4", ramp(2), 128, 64, 10);
  auto film = open(file);
  ASSERT_TRUE(film.ok()) << film.error().text();
  const auto frames = film->sample({.frames_max = 9, .frame_pixels_max = 2048});
  ASSERT_TRUE(frames.ok()) << frames.error().text();
  ASSERT_EQ(frames->size(), 2u);
  EXPECT_EQ((*frames)[1].image.width, 64);
  EXPECT_EQ((*frames)[1].image.height, 32);
  EXPECT_NEAR((*frames)[1].image.pixels[100], full_range(50), 4);
  EXPECT_EQ(film->sample({.frames_max = 0}).error().code, Code::kInvalidArgument);
}

TEST(Video, FramesAreTakenByTheSecondWithinTheirBounds) {
  const FrameBudget budget{.frames_max = 32, .fps = 2, .frames_min = 4};
  EXPECT_EQ(frames_wanted(budget, 250, 25), 20) << "ten seconds";
  EXPECT_EQ(frames_wanted(budget, 25, 25), 4) << "one second: the least";
  EXPECT_EQ(frames_wanted(budget, 3, 25), 3) << "no more than there are";
  EXPECT_EQ(frames_wanted(budget, 90'000, 25), 32) << "an hour: the most";
  EXPECT_EQ(frames_wanted(budget, 250, 0), 32) << "its time is not known";
  EXPECT_EQ(frames_wanted({.frames_max = 8}, 250, 25), 8) << "nobody asks for a rate";
  const std::string file = film_file("mp4", "mpeg4", ramp(40), 64, 48, 4);
  auto film = open(file);
  ASSERT_TRUE(film.ok()) << film.error().text();
  const auto frames = film->sample(budget);
  ASSERT_TRUE(frames.ok()) << frames.error().text();
  EXPECT_EQ(frames->size(), 20u);
  EXPECT_EQ(frames->back().index, 39);
}

TEST(Video, RefusesWhatIsNoFilm) {
  for (const std::string& bytes :
       {std::string(), std::string("#EXTM3U\nfile:///etc/passwd\n"), std::string(4096, 'x'),
        std::string("ffconcat version 1.0\nfile /etc/passwd\n")}) {
    const auto film = open(bytes);
    ASSERT_FALSE(film.ok());
    EXPECT_EQ(film.error().code, Code::kInvalidArgument);
    EXPECT_FALSE(film.error().hint.empty());
  }
}

TEST(Video, EachLimitIsNamed) {
  const std::string file = film_file("mp4", "mpeg4", ramp(5), 64, 48, 1);
  const auto pixels = open(file, {.pixels_max = 3000});
  ASSERT_FALSE(pixels.ok());
  EXPECT_EQ(pixels.error().code, Code::kResourceExhausted);
  EXPECT_NE(pixels.error().message.find("64 x 48"), std::string::npos) << pixels.error().message;
  EXPECT_EQ(open(file, {.frames_max = 4}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(open(file, {.seconds_max = 2}).error().code, Code::kResourceExhausted);
}

TEST(Video, ACutMp4IsAnErrorWhereverItIsCut) {
  const std::string whole = film_file("mp4", "mpeg4", ramp(8), 64, 48, 25);
  for (size_t size = 12; size + 1 < whole.size(); size += 1 + whole.size() / 100) {
    EXPECT_FALSE(open(whole.substr(0, size)).ok()) << size << " of " << whole.size();
  }
}

TEST(Video, DamagedFilesAreErrorsAndNeverDeaths) {
  const unsigned seed = 20240609;
  std::mt19937 dice(seed);
  for (const Kind& kind : kKinds) {
    const std::string whole = film_file(kind.muxer, kind.encoder, ramp(6), 64, 48, 25);
    for (int round = 0; round < 60; ++round) {
      std::string bytes = whole.substr(0, round % 3 != 0 ? whole.size() : dice() % whole.size());
      for (int i = 0; i < 6 && !bytes.empty(); ++i) {
        bytes[dice() % bytes.size()] = static_cast<char>(dice());
      }
      auto film = open(bytes, {.pixels_max = 1 << 20});
      if (!film.ok()) continue;
      const auto frames = film->sample({.frames_max = 4});
      if (frames.ok()) {
        EXPECT_LE(frames->size(), 4u) << "seed " << seed << " round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace mortise::ingest
