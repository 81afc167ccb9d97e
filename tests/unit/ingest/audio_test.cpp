#include "ingest/audio.h"

#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <random>

#include "tests/support/media_files.h"
#include "tests/support/temp_folder.h"

namespace mortise::ingest {
namespace {

using tests::sound_file;
using tests::wav_file;

using base::as_bytes;
using base::Code;

base::Result<std::vector<float>> decode(const std::string& file, int rate,
                                        const AudioLimits& limits = {}) {
  MORTISE_ASSIGN(AudioReader reader,
                 AudioReader::open(ByteSource::of_bytes(as_bytes(file)), limits));
  return read_audio(reader, rate);
}

base::Error error_of(const std::string& file, const AudioLimits& limits = {}) {
  const auto decoded = decode(file, 16000, limits);
  return decoded.ok() ? base::Error(Code::kOk, "it decodes") : decoded.error();
}

std::vector<float> wave(size_t frames, int channels) {
  std::vector<float> samples;
  for (size_t i = 0; i < frames * static_cast<size_t>(channels); ++i) {
    samples.push_back(0.5f * std::sin(static_cast<float>(i) * 0.05f));
  }
  return samples;
}

TEST(Audio, WavIsTheMeanOfItsChannels) {
  const std::string file = wav_file({16384, -16384, 16384, 0, -32768, -32768}, 16000, 2);
  const auto samples = decode(file, 16000);
  ASSERT_TRUE(samples.ok()) << samples.error().text();
  EXPECT_EQ(*samples, (std::vector<float>{0, 0.25f, -1}));
}

TEST(Audio, FactsComeFromTheHeader) {
  const std::string file = wav_file(std::vector<int16_t>(3 * 800), 8000, 3);
  const auto reader = AudioReader::open(ByteSource::of_bytes(as_bytes(file)));
  ASSERT_TRUE(reader.ok()) << reader.error().text();
  EXPECT_EQ(reader->facts().frames, 800);
  EXPECT_EQ(reader->facts().rate, 8000);
  EXPECT_EQ(reader->facts().channels, 3);
  EXPECT_DOUBLE_EQ(reader->facts().seconds(), 0.1);
}

TEST(Audio, AFileReadsAsItsBytes) {
  const tests::TempFolder folder;
  const std::string bytes = wav_file({100, 200, 300, 400}, 16000, 1);
  auto& files = base::posix_file_ops();
  const std::string path = folder.path() + "/a.wav";
  ASSERT_TRUE(base::write_file_durably(files, path, bytes).ok());
  auto source = ByteSource::of_file(std::move(files.open(path, base::OpenMode::kRead).value()));
  ASSERT_TRUE(source.ok());
  auto reader = AudioReader::open(std::move(*source));
  ASSERT_TRUE(reader.ok()) << reader.error().text();
  const auto samples = read_audio(*reader, 16000);
  ASSERT_TRUE(samples.ok()) << samples.error().text();
  EXPECT_EQ(*samples, *decode(bytes, 16000));
}

TEST(Audio, EveryFormatGivesTheSoundBack) {
  const auto samples = wave(16000, 1);
  struct Kind {
    int format;
    double error;  // the most that samples may differ in the mean
  };
  for (const Kind& kind : {Kind{SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1e-4},
                           {SF_FORMAT_AIFF | SF_FORMAT_PCM_24, 1e-6},
                           {SF_FORMAT_WAV | SF_FORMAT_FLOAT, 0},
                           {SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 1e-4},
                           {SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.02},
                           {SF_FORMAT_OGG | SF_FORMAT_OPUS, 0.02}}) {
    const std::string file = sound_file(kind.format, samples, 16000, 1);
    ASSERT_FALSE(file.empty()) << std::hex << kind.format;
    const auto decoded = decode(file, 16000);
    ASSERT_TRUE(decoded.ok()) << std::hex << kind.format << " " << decoded.error().text();
    ASSERT_EQ(decoded->size(), samples.size()) << std::hex << kind.format;
    double sum = 0;
    for (size_t i = 0; i < 16000; ++i) sum += std::abs((*decoded)[i] - samples[i]);
    EXPECT_LE(sum / 16000, kind.error) << std::hex << kind.format;
  }
}

TEST(Audio, AnMp3IsReadThoughItsLengthIsAGuess) {
  const auto samples = wave(32000, 1);
  const std::string file = sound_file(SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, samples, 16000, 1);
  if (file.empty()) GTEST_SKIP() << "this libsndfile writes no MP3";
  const auto decoded = decode(file, 16000);
  ASSERT_TRUE(decoded.ok()) << decoded.error().text();
  EXPECT_NEAR(static_cast<double>(decoded->size()), 32000, 2500);
}

TEST(Audio, RefusesWhatIsNoSound) {
  EXPECT_EQ(error_of("").code, Code::kInvalidArgument);
  EXPECT_EQ(error_of("hello, this is a text").code, Code::kInvalidArgument);
  EXPECT_NE(error_of("hello, this is a text").hint.find("WAV"), std::string::npos);
}

TEST(Audio, EachLimitIsNamed) {
  const std::string file = wav_file(std::vector<int16_t>(2 * 16000), 16000, 2);
  const auto channels = error_of(file, {.channels_max = 1});
  EXPECT_EQ(channels.code, Code::kResourceExhausted);
  EXPECT_NE(channels.message.find("2 channels; at most 1"), std::string::npos) << channels.message;
  EXPECT_EQ(error_of(file, {.seconds_max = 0.5}).code, Code::kResourceExhausted);
  EXPECT_EQ(error_of(wav_file({1, 2}, 500, 1)).code, Code::kResourceExhausted);
}

TEST(Audio, ACutWavOrFlacIsDataLossWhereverItIsCut) {
  const std::vector<float> samples = wave(3000, 2);
  for (const std::string& whole :
       {wav_file(std::vector<int16_t>(500, 7), 16000, 1),
        sound_file(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, samples, 16000, 2)}) {
    for (size_t size = 12; size + 1 < whole.size(); size += 1 + whole.size() / 200) {
      const auto error = error_of(whole.substr(0, size));
      EXPECT_EQ(error.code, Code::kDataLoss) << size << " of " << whole.size() << error.message;
    }
  }
}

TEST(Audio, DamagedFilesAreErrorsAndNeverDeaths) {
  const unsigned seed = 20240608;
  std::mt19937 dice(seed);
  for (const int format : {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_OGG | SF_FORMAT_VORBIS,
                           SF_FORMAT_OGG | SF_FORMAT_OPUS, SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM,
                           SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}) {
    const std::string whole = sound_file(format, wave(4000, 1), 16000, 1);
    if (whole.empty()) continue;
    for (int round = 0; round < 100; ++round) {
      std::string bytes = whole.substr(0, round % 2 == 0 ? whole.size() : dice() % whole.size());
      for (int i = 0; i < 4 && !bytes.empty(); ++i) {
        bytes[dice() % (i < 2 ? std::min<size_t>(bytes.size(), 100) : bytes.size())] =
            static_cast<char>(dice());
      }
      const auto decoded = decode(bytes, 16000, {.seconds_max = 60});
      if (decoded.ok()) {
        EXPECT_LE(decoded->size(), 61u * 16000) << "seed " << seed << " round " << round;
      } else {
        EXPECT_FALSE(decoded.error().message.empty());
      }
    }
  }
}

}  // namespace
}  // namespace mortise::ingest
