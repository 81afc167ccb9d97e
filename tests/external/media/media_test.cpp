// Sound and film of other projects: facts and decoding. Read in place.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/file_ops.h"
#include "ingest/audio.h"
#include "ingest/video.h"

namespace mortise::ingest {
namespace {

class MediaFixtures : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("MORTISE_FIXTURES");
    if (root == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: no sound and film to read.";
    root_ = std::string(root) + "/multimodal/";
  }
  std::unique_ptr<ByteSource> source(const std::string& name) {
    auto file = base::posix_file_ops().open(root_ + name, base::OpenMode::kRead);
    EXPECT_TRUE(file.ok()) << name;
    return std::move(ByteSource::of_file(std::move(*file)).value());
  }
  std::string root_;
};

TEST_F(MediaFixtures, SoundIsDecodedAtSixteenKilohertz) {
  struct Sound {
    const char* name;
    double seconds;
    int rate, channels;
  };
  for (const auto& [name, seconds, rate, channels] :
       {Sound{"hf-datasets-media/test_audio_16000.mp3", 2.556, 16000, 2},
        {"hf-datasets-media/test_audio_44100.wav", 4.588, 44100, 2},
        {"hf-datasets-media/test_audio_48000.opus", 1.000, 48000, 1},
        {"imagefolder-audiofolder/audios/1.wav", 0.849, 48000, 2},
        {"imagefolder-audiofolder/audios/2.wav", 0.567, 44100, 2},
        {"llamafactory/mllm_demo_data/1.mp3", 4.032, 48000, 2},
        {"llamafactory/mllm_demo_data/2.wav", 2.901, 16000, 1},
        {"llamafactory/mllm_demo_data/3.flac", 5.855, 16000, 1},
        {"llamafactory/mllm_demo_data/4.mp3", 5.000, 44100, 2}}) {
    auto reader = AudioReader::open(source(name));
    ASSERT_TRUE(reader.ok()) << name << ": " << reader.error().text();
    EXPECT_NEAR(reader->facts().seconds(), seconds, 0.001) << name;
    EXPECT_EQ(reader->facts().rate, rate) << name;
    EXPECT_EQ(reader->facts().channels, channels) << name;
    const auto samples = read_audio(*reader, 16000);
    ASSERT_TRUE(samples.ok()) << name << ": " << samples.error().text();
    EXPECT_NEAR(static_cast<double>(samples->size()) / 16000, reader->facts().seconds(), 0.1)
        << name;
    double power = 0;
    for (const float sample : *samples) power += sample * sample;
    EXPECT_GT(power / static_cast<double>(samples->size()), 1e-7) << name << " is silent";
  }
}

TEST_F(MediaFixtures, FilmGivesEightFrames) {
  struct Film {
    const char* name;
    int64_t frames, width, height;
    double seconds;
  };
  for (const auto& [name, count, width, height, seconds] :
       {Film{"hf-datasets-media/test_video_66x50.mov", 82, 66, 50, 1.367},
        {"llamafactory/mllm_demo_data/1.mp4", 243, 640, 360, 9.720},
        {"llamafactory/mllm_demo_data/2.avi", 270, 320, 240, 9.025},
        {"llamafactory/mllm_demo_data/3.mp4", 146, 640, 360, 6.088},
        {"llamafactory/mllm_demo_data/4.mp4", 150, 224, 224, 5.000}}) {
    auto film = Video::open(source(name));
    ASSERT_TRUE(film.ok()) << name << ": " << film.error().text();
    const VideoFacts facts = film->facts();
    EXPECT_EQ(facts.frames, count) << name;
    EXPECT_EQ(facts.width, width) << name;
    EXPECT_EQ(facts.height, height) << name;
    EXPECT_NEAR(facts.seconds, seconds, 0.001) << name;
    const auto frames = film->sample({.frames_max = 8});
    ASSERT_TRUE(frames.ok()) << name << ": " << frames.error().text();
    EXPECT_EQ(frames->size(), 8u) << name;
    EXPECT_NEAR(static_cast<double>(facts.frames), facts.seconds * facts.fps, 2) << name;
    EXPECT_EQ(film->facts().frames, facts.frames) << name << " shows fewer than were counted";
  }
}

TEST_F(MediaFixtures, ASoundFileIsNoFilm) {
  EXPECT_FALSE(Video::open(source("llamafactory/mllm_demo_data/2.wav")).ok());
  EXPECT_FALSE(AudioReader::open(source("llamafactory/mllm_demo_data/1.mp4")).ok());
}

}  // namespace
}  // namespace mortise::ingest
