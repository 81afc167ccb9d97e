// A small llava learns from images: rows with PNG files through decoding, preprocessing,
// placeholders, tower and projector; and resumes exactly when the tower is frozen.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "engine/train/train.h"
#include "plugin/registry.h"
#include "tests/engine/data/byte_encoder.h"
#include "tests/support/png.h"

namespace mortise::engine {
namespace {

using base::Json;

class VisionRun : public ::testing::Test {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = (std::filesystem::temp_directory_path() /
               ("mortise_vision_" + std::to_string(getpid()) + "_" + info->name()))
                  .string();
    std::filesystem::create_directories(folder_);
    const NewModelRequest request{
        .preset = "llava-tiny",
        .seed = 3,
        .dtype = {},
        .overrides = *base::parse_json(
            R"({"image_token_index": 300, "text_config": {"vocab_size": 320, "hidden_size": 64,
                "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 16},
                "image_seq_length": 4, "vision_config": {"image_size": 28}})")};
    const auto made = new_model(base::posix_file_ops(), request, folder_ + "/model");
    ASSERT_TRUE(made.ok()) << made.error().text();
    std::ofstream(folder_ + "/model/chat_template.jinja")
        << "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}"
           "{{ '</s>' if m.role == 'assistant' }}\n{% endfor %}";
    write_rows();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write_rows() {
    constexpr std::array<const char*, 3> kNames = {"red", "green", "blue"};
    std::ofstream rows(folder_ + "/rows.jsonl");
    Json media = Json::object();
    for (int i = 0; i < 12; ++i) {
      std::array<uint8_t, 3> colour = {0, 0, 0};
      colour[static_cast<size_t>(i % 3)] = static_cast<uint8_t>(160 + 8 * i);
      const std::string name = "films/" + std::to_string(i) + ".png";
      const std::string path = "image" + std::to_string(i);
      std::ofstream(folder_ + "/" + path, std::ios::binary) << tests::png_of(40 + i, colour);
      media[name] = path;
      rows << Json::object({{"image_path", name},
                            {"question", "colour?"},
                            {"output", kNames[static_cast<size_t>(i % 3)]}})
                  .dump()
           << "\n";
    }
    std::ofstream(folder_ + "/dataset.json")
        << Json::object({{"rows_file", "rows.jsonl"}, {"task_type", "vqa"}, {"media", media}})
               .dump();
  }

  base::Result<TrainResult> run(const char* method, const char* train, const std::string& output) {
    Device device;
    const ByteEncoder encoder;
    TrainRequest request;
    request.manifest = Json::object({{"method", *base::parse_json(method)},
                                     {"train", *base::parse_json(train)},
                                     {"holdout", Json::object({{"ratio", 0.0}})}});
    request.model_folder = folder_ + "/model";
    request.dataset_file = folder_ + "/dataset.json";
    request.output_folder = folder_ + "/" + output;
    request.device = &device;
    request.encoder = &encoder;
    request.preference = preference_;
    return run_training(base::posix_file_ops(), base::system_clock(), request, hooks_);
  }

  std::string folder_;
  TrainHooks hooks_;
  const plugin::PreferenceLoss* preference_ = nullptr;
};

TEST_F(VisionRun, LearnsWhatOnlyTheImageTells) {
  const auto result = run(R"({"type": "full"})",
                          R"({"max_steps": 100, "per_device_train_batch_size": 6, "freeze": [],
                              "learning_rate": 0.005, "precision": "fp32", "save_steps": 0})",
                          "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  // Blind, the first letter alone costs ln 3 a row of five tokens: 0.22.
  EXPECT_LT(result->last_loss, 0.05) << "from " << result->first_loss;
}

TEST_F(VisionRun, FreezesTheTowerAndResumesExactly) {
  const char* method = R"({"type": "lora", "r": 4, "target_modules": "all-linear"})";
  const char* train = R"({"max_steps": 6, "per_device_train_batch_size": 5, "precision": "fp32",
                          "freeze": ["vision", "projector"], "save_steps": 2})";
  ASSERT_TRUE(run(method, train, "whole").ok());
  int64_t steps = 0;
  hooks_.progress = [&](const TrainProgress& p) { steps = p.step; };
  hooks_.wish = [&] { return steps == 3 ? TrainWish::kCancel : TrainWish::kNone; };
  EXPECT_EQ(run(method, train, "stopped").error().code, base::Code::kCancelled);
  hooks_ = {};

  const auto result = run(method, train, "stopped");

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->resumed_at, 2);
  const auto bytes = [&](const std::string& path) {
    auto text = base::read_file(base::posix_file_ops(), folder_ + "/" + path);
    EXPECT_TRUE(text.ok()) << path;
    return text.ok() ? *text : std::string();
  };
  EXPECT_TRUE(bytes("whole/adapter/adapter_model.safetensors") ==
              bytes("stopped/adapter/adapter_model.safetensors"));
  EXPECT_EQ(bytes("whole/adapter/adapter_model.safetensors").find("vision_tower"),
            std::string::npos);
  EXPECT_NE(bytes("whole/adapter/adapter_config.json").find("exclude_modules"), std::string::npos);
}

TEST_F(VisionRun, AdaptersOnTheTowerLearnAlsoWithLayersThatAreRecomputed) {
  const char* method = R"({"type": "lora", "r": 8, "lora_dropout": 0.1,
                           "target_modules": ".*vision_tower.*(q_proj|v_proj|fc1)|.*linear_1"})";
  const std::string train = R"({"max_steps": 30, "per_device_train_batch_size": 6, "freeze": [],
                                "learning_rate": 0.01, "precision": "fp32", "save_steps": 0)";
  const auto result = run(method, (train + "}").c_str(), "plain");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_LT(result->last_loss, result->first_loss);
  ASSERT_TRUE(
      run(method, (train + R"(, "gradient_checkpointing": true})").c_str(), "recomputed").ok());
  const auto adapter = [&](const std::string& output) {
    return *base::read_file(base::posix_file_ops(),
                            folder_ + "/" + output + "/adapter/adapter_model.safetensors");
  };
  EXPECT_NE(adapter("plain").find("encoder.layers.0.mlp.fc1.lora_A"), std::string::npos);
  EXPECT_TRUE(adapter("plain") == adapter("recomputed"));
}

TEST_F(VisionRun, LearnsToPreferWhatTheImageShows) {
  plugin::HostServices services;
  auto search = pack::usual_search(base::posix_file_ops(), "", false);
  ASSERT_TRUE(search.ok());
  plugin::Registry registry(std::move(*search), services);
  const auto loss = registry.open_preference_loss("mortise.loss_dpo", {});
  ASSERT_TRUE(loss.ok()) << loss.error().text();
  preference_ = &*loss;
  constexpr std::array<const char*, 3> kNames = {"red", "green", "blue"};
  std::ofstream rows(folder_ + "/rows.jsonl");
  for (size_t i = 0; i < 12; ++i) {
    const auto turn = [](const char* role, const char* text) {
      return Json::object({{"role", role}, {"content", text}});
    };
    rows << Json::object({{"images", Json::array({"films/" + std::to_string(i) + ".png"})},
                          {"messages", Json::array({turn("user", "colour?"),
                                                    turn("assistant", kNames[i % 3])})},
                          {"rejected_response", kNames[(i + 1) % 3]}})
                .dump()
         << "\n";
  }
  rows.close();
  Json info =
      *base::parse_json(*base::read_file(base::posix_file_ops(), folder_ + "/dataset.json"));
  info["task_type"] = "preference";
  std::ofstream(folder_ + "/dataset.json") << info.dump();
  const auto result = run(R"({"type": "lora", "r": 8, "target_modules": "all-linear"})",
                          R"({"max_steps": 40, "per_device_train_batch_size": 6,
                              "learning_rate": 0.02, "precision": "fp32", "save_steps": 0})",
                          "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_NEAR(result->first_loss, 0.693147, 1e-5);
  EXPECT_LT(result->last_loss, 0.6);
}

TEST_F(VisionRun, NamesTheRowWhoseImageIsCut) {
  std::ofstream(folder_ + "/image4", std::ios::binary)
      << tests::png_of(40, {1, 2, 3}).substr(0, 900);
  const auto result = run(R"({"type": "full"})",
                          R"({"max_steps": 4, "shuffle": false, "precision": "fp32"})", "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().row, 5) << result.error().text();
  EXPECT_EQ(result.error().file, "films/4.png");
}

}  // namespace
}  // namespace mortise::engine
