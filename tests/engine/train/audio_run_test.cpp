// A small Qwen2-Audio learns the pitch of made tones: files of any rate and length through
// decoding, spectra, placeholders, tower and projector; a frozen tower hears a clip once; a run
// that was cut ends with the same bytes; sound that cannot be taken is named.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "base/clock.h"
#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "engine/train/train.h"
#include "engine/weights/checkpoint.h"
#include "tests/engine/data/byte_encoder.h"
#include "tests/support/media_files.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

std::string tone(double hertz, double seconds, int rate) {
  std::vector<int16_t> samples(static_cast<size_t>(seconds * rate));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double turns = hertz * static_cast<double>(i) / rate;
    samples[i] = static_cast<int16_t>(12'000 * std::sin(2 * std::numbers::pi * turns));
  }
  return tests::wav_file(samples, rate, 1);
}

class AudioRun : public ::testing::Test {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    const NewModelRequest request{.preset = "qwen2_audio-tiny",
                                  .seed = 3,
                                  .dtype = {},
                                  .overrides = *base::parse_json(
                                      R"({"audio_token_index": 306,
                "text_config": {"vocab_size": 320, "initializer_range": 0.05}})")};
    const auto made = new_model(base::posix_file_ops(), request, folder_ / "model");
    ASSERT_TRUE(made.ok()) << made.error().text();
    write("model/chat_template.jinja",
          "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}"
          "{{ '</s>' if m.role == 'assistant' }}\n{% endfor %}");
    constexpr std::array<const char*, 3> kNames = {"low", "mid", "high"};
    constexpr std::array<double, 3> kHertz = {300, 1'000, 3'000};
    for (size_t i = 0; i < 12; ++i) {
      const std::string name = "tones/" + std::to_string(i) + ".wav";
      const double hertz = kHertz[i % 3] * (1 + 0.02 * static_cast<double>(i / 3));
      const int rate = i % 2 == 0 ? 16'000 : 22'050;  // 5 to 16 tokens
      write(name, tone(hertz, 0.2 + 0.04 * static_cast<double>(i), rate));
      add_row({{"audio_path", name}, {"question", "pitch?"}, {"output", kNames[i % 3]}});
    }
  }

  void write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::filesystem::create_directories(path.substr(0, path.rfind('/')));
    std::ofstream(path, std::ios::binary) << bytes;
    media_[name] = name;
  }
  void add_row(std::initializer_list<std::pair<std::string, Json>> members) {
    rows_ += Json::object(members).dump() + "\n";
  }
  base::Result<TrainResult> run(const char* method, const char* train, const std::string& output,
                                const char* task = "audio_qa", const char* media = "null") {
    std::ofstream(folder_ / "rows.jsonl") << rows_;
    std::ofstream(folder_ / "dataset.json")
        << Json::object({{"rows_file", "rows.jsonl"}, {"task_type", task}, {"media", media_}})
               .dump();
    Device device;
    const ByteEncoder encoder;
    TrainRequest request;
    request.manifest = Json::object({{"method", *base::parse_json(method)},
                                     {"train", *base::parse_json(train)},
                                     {"media", *base::parse_json(media)},
                                     {"holdout", Json::object({{"ratio", 0.0}})}});
    request.model_folder = folder_ / "model";
    request.dataset_file = folder_ / "dataset.json";
    request.output_folder = folder_ / output;
    request.device = &device;
    request.encoder = &encoder;
    return run_training(base::posix_file_ops(), base::system_clock(), request, hooks_);
  }
  std::string bytes_of(const std::string& path) {
    auto text = base::read_file(base::posix_file_ops(), folder_ / path);
    EXPECT_TRUE(text.ok()) << path;
    return text.ok() ? *text : std::string();
  }
  // The error of a run whose fifth row has this sound.
  base::Error refusal(const std::string& bytes) {
    write("tones/4.wav", bytes);
    const auto result = run(R"({"type": "lora", "r": 4, "target_modules": "all-linear"})",
                            R"({"max_steps": 3, "shuffle": false, "precision": "fp32"})", "bad");
    EXPECT_FALSE(result.ok());
    if (result.ok()) return base::Error(Code::kInternal, "");
    EXPECT_EQ(result.error().row, 5) << result.error().text();
    EXPECT_EQ(result.error().file, "tones/4.wav");
    EXPECT_EQ(result.error().field, "/audio_path");
    return result.error();
  }

  tests::TempFolder folder_;
  Json media_ = Json::object();
  std::string rows_;
  TrainHooks hooks_;
};

constexpr const char* kSoundLora = R"({"type": "lora", "r": 4, "target_modules": "all-linear"})";

TEST_F(AudioRun, LearnsWhatOnlyTheSoundTells) {
  const auto result = run(R"({"type": "full"})",
                          R"({"max_steps": 100, "per_device_train_batch_size": 6, "freeze": [],
                              "learning_rate": 0.005, "precision": "fp32", "save_steps": 0})",
                          "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  // Deaf, the first letter alone costs ln 3 a row of about five tokens: 0.22.
  EXPECT_LT(result->last_loss, 0.05) << "from " << result->first_loss;
  EXPECT_EQ(result->tower_runs, 0) << "nothing is kept of a tower that trains";
}

TEST_F(AudioRun, AFrozenTowerHearsAClipOnceAndARunGoesOnExactly) {
  constexpr const char* kTrain =
      R"({"max_steps": 12, "per_device_train_batch_size": 5, "precision": "bf16",
          "dataloader_num_workers": 2, "save_steps": 3})";
  const auto whole = run(kSoundLora, kTrain, "whole");
  ASSERT_TRUE(whole.ok()) << whole.error().text();
  EXPECT_EQ(whole->tower_runs, 12) << "in four epochs";
  int64_t steps = 0;
  hooks_.progress = [&](const TrainProgress& p) { steps = p.step; };
  hooks_.wish = [&] { return steps == 8 ? TrainWish::kCancel : TrainWish::kNone; };
  EXPECT_EQ(run(kSoundLora, kTrain, "cut").error().code, Code::kCancelled);
  hooks_ = {};
  const auto result = run(kSoundLora, kTrain, "cut");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_GT(result->resumed_at, 0);
  const std::string adapter = bytes_of("whole/adapter/adapter_model.safetensors");
  EXPECT_TRUE(adapter == bytes_of("cut/adapter/adapter_model.safetensors"));
  EXPECT_NE(adapter.find("multi_modal_projector.linear.lora_A"), std::string::npos);
  EXPECT_EQ(adapter.find("audio_tower"), std::string::npos);
}

TEST_F(AudioRun, PositionsOfTheTowerNeverTrain) {
  const auto result = run(R"({"type": "full"})",
                          R"({"max_steps": 2, "per_device_train_batch_size": 4, "freeze": [],
                              "learning_rate": 0.005, "precision": "fp32"})",
                          "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  const auto before = Checkpoint::open(base::posix_file_ops(), folder_ / "model");
  const auto after = Checkpoint::open(base::posix_file_ops(), folder_ / "out/model");
  ASSERT_TRUE(before.ok() && after.ok());
  const auto same = [&](const char* name) {
    return before->tensor(name)->equal(*after->tensor(name));
  };
  EXPECT_TRUE(same("audio_tower.embed_positions.weight"));
  EXPECT_FALSE(same("audio_tower.conv1.weight"));
}

TEST_F(AudioRun, TranscribesRowsOfSpeech) {
  rows_.clear();
  add_row({{"audio_path", "tones/0.wav"}, {"text", "one"}});
  add_row({{"audio_path", "tones/1.wav"}, {"text", "two"}});
  const auto result =
      run(R"({"type": "full"})",
          R"({"max_steps": 60, "per_device_train_batch_size": 2, "learning_rate": 0.005,
              "freeze": ["audio"], "precision": "fp32", "save_steps": 0})",
          "out", "asr");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_LT(result->last_loss, 0.05) << "from " << result->first_loss;  // deaf: ln 2 / 5 = 0.14
  EXPECT_EQ(result->tower_runs, 2);
}

TEST_F(AudioRun, NamesTheRowWhoseSoundIsBrokenEmptyTooShortOrTooLong) {
  const base::Error cut = refusal(tone(300, 1, 16'000).substr(0, 5'000));
  EXPECT_EQ(cut.code, Code::kDataLoss) << cut.text();
  const base::Error none = refusal(tests::wav_file({}, 16'000, 1));
  EXPECT_EQ(none.message, "The sound has no samples.");
  const base::Error brief = refusal(tone(300, 0.01, 16'000));
  EXPECT_EQ(brief.message, "The sound has 160 samples, too few for one token of the model.");
  const base::Error longer = refusal(tone(300, 30.25, 16'000));
  EXPECT_EQ(longer.code, Code::kResourceExhausted);
  EXPECT_EQ(longer.message, "The sound has 30.25 seconds; at most 30 are read.");
}

TEST_F(AudioRun, RefusesABudgetOfPicturesAndSpectraOfAnotherTower) {
  const char* train = R"({"max_steps": 1, "precision": "fp32"})";
  const auto budget = run(kSoundLora, train, "out", "audio_qa", R"({"max_pixels": 3136})");
  ASSERT_FALSE(budget.ok());
  EXPECT_EQ(budget.error().field, "/media");
  write("model/preprocessor_config.json", R"({"feature_size": 128})");
  const auto other = run(kSoundLora, train, "out2");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().message,
            "\"feature_size\" makes spectra of 128 bins, but the model's tower takes 80.");
  EXPECT_EQ(other.error().field, "/feature_size");
}

}  // namespace
}  // namespace mortise::engine
