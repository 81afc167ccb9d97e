// Log-mel features against transformers' WhisperFeatureExtractor: filters, padded and unpadded
// clips, masks; from the stored samples and from the WAV file they came from.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/file_ops.h"
#include "engine/data/log_mel.h"
#include "engine/weights/safetensors.h"
#include "ingest/audio.h"

namespace mortise::engine {
namespace {

class LogMelGolden : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    const char* fixtures = std::getenv("MORTISE_FIXTURES");
    if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: no golden sound.";
    folder_ = std::string(fixtures) + "/goldens/audio-logmel/";
    tensors_.emplace(
        *SafetensorsFile::open(base::posix_file_ops(), folder_ + "tensors.safetensors"));
    samples_ = floats("in.waveform");
    options_.bins = GetParam();
  }

  template <class T>
  std::vector<T> values(const std::string& key) const {
    const TensorBytes* tensor = tensors_->find(key);
    EXPECT_NE(tensor, nullptr) << key;
    if (tensor == nullptr) return {};
    std::vector<T> out(tensor->data.size() / sizeof(T));
    std::memcpy(out.data(), tensor->data.data(), tensor->data.size());
    return out;
  }
  std::vector<float> floats(const std::string& key) const { return values<float>(key); }
  std::string name(const std::string& what) const {
    return "mel" + std::to_string(GetParam()) + "." + what;
  }
  // `want` [bins, frames] is what `got` has from frame `first` on.
  void expect_features(const LogMel& got, const std::string& want_name, int64_t first = 0) const {
    const std::vector<float> want = floats(name(want_name));
    const int64_t frames = std::ssize(want) / GetParam();
    ASSERT_LE(first + frames, got.frames);
    double worst = 0;
    for (int64_t m = 0; m < got.bins; ++m) {
      for (int64_t t = 0; t < frames; ++t) {
        const float value = got.values[static_cast<size_t>((first + t) * got.bins + m)];
        worst = std::max(worst, std::abs(static_cast<double>(value) -
                                         want[static_cast<size_t>(m * frames + t)]));
      }
    }
    EXPECT_LE(worst, 1e-4) << want_name;
    RecordProperty(want_name + " worst of tolerance", std::to_string(worst / 1e-4));
  }
  void expect_mask(const LogMel& got, const std::string& want_name) const {
    const std::vector<int32_t> want = values<int32_t>(name(want_name));
    ASSERT_EQ(std::ssize(want), got.frames);
    for (int64_t t = 0; t < got.frames; ++t) {
      ASSERT_EQ(want[static_cast<size_t>(t)], t < got.heard ? 1 : 0) << "frame " << t;
    }
  }

  std::string folder_;
  std::optional<SafetensorsFile> tensors_;
  std::vector<float> samples_;
  LogMelOptions options_;
};

TEST_P(LogMelGolden, FiltersAreSlaneys) {
  const std::vector<float> want = floats(name("filters"));  // [201, bins]
  std::vector<double> got(want.size(), 0);
  const std::vector<MelFilter> filters = mel_filters(options_);
  for (size_t m = 0; m < filters.size(); ++m) {
    for (size_t k = 0; k < filters[m].weights.size(); ++k) {
      got.at((filters[m].begin + k) * filters.size() + m) = filters[m].weights[k];
    }
  }
  for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-7) << i;
}

TEST_P(LogMelGolden, AClipPaddedToThirtySecondsIsTheReferences) {
  const auto got = log_mel(samples_, options_);
  ASSERT_TRUE(got.ok()) << got.error().text();
  expect_mask(*got, "attention_mask_30s");
  expect_features(*got, GetParam() == 80 ? "padded_30s_first_400" : "padded_30s_first_200");
  if (GetParam() == 80) expect_features(*got, "padded_30s_last_10", 2990);
}

TEST_P(LogMelGolden, AClipThatIsNotPaddedIsTheReferences) {
  options_.pads = false;
  const auto got = log_mel(samples_, options_);
  ASSERT_TRUE(got.ok()) << got.error().text();
  ASSERT_EQ(got->frames, 130);
  expect_features(*got, "longest");
  expect_mask(*got, "longest_mask");
}

TEST_P(LogMelGolden, AChunkOfOneSecondIsTheReferences) {
  options_.samples_max = 16'000;
  const auto got = log_mel(std::span(samples_).first(16'000), options_);
  ASSERT_TRUE(got.ok()) << got.error().text();
  ASSERT_EQ(got->frames, 100);
  expect_features(*got, "chunk_1s");
}

TEST_P(LogMelGolden, TheWavFileGivesTheSameSamples) {
  auto file = base::posix_file_ops().open(folder_ + "chirp.wav", base::OpenMode::kRead);
  ASSERT_TRUE(file.ok());
  auto source = ingest::ByteSource::of_file(std::move(*file));
  ASSERT_TRUE(source.ok()) << source.error().text();
  auto reader = ingest::AudioReader::open(std::move(*source));
  ASSERT_TRUE(reader.ok()) << reader.error().text();
  const auto samples = ingest::read_audio(*reader, 16'000);
  ASSERT_TRUE(samples.ok()) << samples.error().text();
  EXPECT_EQ(*samples, samples_);
}

INSTANTIATE_TEST_SUITE_P(Bins, LogMelGolden, ::testing::Values(80, 128));

}  // namespace
}  // namespace mortise::engine
