// A small Qwen2-VL learns from data sets of images and films: files of any size through decoding,
// patches, placeholders, tower and merger; a frozen tower runs once a picture; a run that was cut
// ends with the same bytes.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "engine/train/train.h"
#include "tests/engine/data/byte_encoder.h"
#include "tests/support/media_files.h"
#include "tests/support/png.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

// A PNG that says it has side x side pixels, and holds none.
std::string png_head(uint32_t side) {
  std::string header;
  tests::append_u32(header, side);
  tests::append_u32(header, side);
  header += std::string("\x08\x02\x00\x00\x00", 5);
  std::string out = "\x89PNG\r\n\x1a\n";
  tests::append_chunk(out, "IHDR", header);
  tests::append_chunk(out, "IDAT", "");
  tests::append_chunk(out, "IEND", "");
  return out;
}

class QwenRun : public ::testing::Test {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    make_model("qwen2_vl-tiny");
    constexpr std::array<const char*, 3> kNames = {"red", "green", "blue"};
    for (int i = 0; i < 12; ++i) {
      std::array<uint8_t, 3> colour = {0, 0, 0};
      colour[static_cast<size_t>(i % 3)] = static_cast<uint8_t>(160 + 8 * i);
      const std::string name = "films/" + std::to_string(i) + ".png";
      write(name, tests::png_of(40 + 9 * i, colour));  // 4 to 16 tokens
      add_row({{"image_path", name},
               {"question", "colour?"},
               {"output", kNames[static_cast<size_t>(i % 3)]}});
    }
  }

  void make_model(const char* preset) {
    std::filesystem::remove_all(folder_ / "model");
    const NewModelRequest request{
        .preset = preset,
        .seed = 3,
        .dtype = {},
        .overrides = *base::parse_json(
            R"({"image_token_id": 302, "video_token_id": 303, "vision_start_token_id": 304,
                "vision_end_token_id": 305, "vocab_size": 320, "initializer_range": 0.05})")};
    const auto made = new_model(base::posix_file_ops(), request, folder_ / "model");
    ASSERT_TRUE(made.ok()) << made.error().text();
    write("model/chat_template.jinja",
          "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}"
          "{{ '</s>' if m.role == 'assistant' }}\n{% endfor %}");
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
                                const char* media = "null", const char* task = "vqa") {
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
  // Runs to the end; cut after `at` of its steps, it goes on to the same bytes.
  void expect_exact_resume(const char* method, const char* train, int64_t at) {
    const auto whole = run(method, train, "whole");
    ASSERT_TRUE(whole.ok()) << whole.error().text();
    int64_t steps = 0;
    hooks_.progress = [&](const TrainProgress& p) { steps = p.step; };
    hooks_.wish = [&] { return steps == at ? TrainWish::kCancel : TrainWish::kNone; };
    EXPECT_EQ(run(method, train, "cut").error().code, Code::kCancelled);
    hooks_ = {};
    const auto result = run(method, train, "cut");
    ASSERT_TRUE(result.ok()) << result.error().text();
    EXPECT_GT(result->resumed_at, 0);
    EXPECT_TRUE(bytes_of("whole/adapter/adapter_model.safetensors") ==
                bytes_of("cut/adapter/adapter_model.safetensors"));
    whole_ = *whole;
  }

  tests::TempFolder folder_;
  Json media_ = Json::object();
  std::string rows_;
  TrainHooks hooks_;
  TrainResult whole_;
};

constexpr const char* kQwenLora = R"({"type": "lora", "r": 4, "target_modules": "all-linear"})";

TEST_F(QwenRun, LearnsWhatOnlyTheImageTells) {
  const auto result = run(R"({"type": "full"})",
                          R"({"max_steps": 100, "per_device_train_batch_size": 6, "freeze": [],
                              "learning_rate": 0.005, "precision": "fp32", "save_steps": 0})",
                          "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  // Blind, the first letter alone costs ln 3 a row of five tokens: 0.22.
  EXPECT_LT(result->last_loss, 0.05) << "from " << result->first_loss;
  EXPECT_EQ(result->tower_runs, 0) << "nothing is kept of a tower that trains";
}

TEST_F(QwenRun, AFrozenTowerRunsOnceAPictureAndARunGoesOnExactly) {
  expect_exact_resume(kQwenLora,
                      R"({"max_steps": 12, "per_device_train_batch_size": 5, "precision": "fp32",
                          "freeze": ["vision", "projector"], "save_steps": 3})",
                      8);
  EXPECT_EQ(whole_.tower_runs, 12) << "in four epochs";
  EXPECT_EQ(bytes_of("whole/adapter/adapter_model.safetensors").find("visual"), std::string::npos);
}

TEST_F(QwenRun, TheMergerTrainsOnTheRowsOfATowerThatRanOnce) {
  expect_exact_resume(kQwenLora,
                      R"({"max_steps": 12, "per_device_train_batch_size": 5, "precision": "bf16",
                          "save_steps": 3})",
                      7);
  EXPECT_EQ(whole_.tower_runs, 12);
  const std::string adapter = bytes_of("whole/adapter/adapter_model.safetensors");
  EXPECT_NE(adapter.find("visual.merger.mlp.0.lora_A"), std::string::npos);
  EXPECT_EQ(adapter.find("visual.blocks"), std::string::npos);
}

TEST_F(QwenRun, TheNumbersDoNotDependOnTheThreadsThatLoad) {
  make_model("qwen2_5_vl-tiny");  // windows
  std::string adapters[3];
  const char* trains[] = {
      R"({"max_steps": 5, "per_device_train_batch_size": 5, "precision": "fp32",
          "dataloader_num_workers": 0})",
      R"({"max_steps": 5, "per_device_train_batch_size": 5, "precision": "fp32",
          "dataloader_num_workers": 4})",
      R"({"max_steps": 5, "per_device_train_batch_size": 5, "precision": "fp32",
          "dataloader_num_workers": 1, "max_length": 60})"};
  for (size_t i = 0; i < 3; ++i) {
    const std::string output = "out" + std::to_string(i);
    const auto result = run(kQwenLora, trains[i], output);
    ASSERT_TRUE(result.ok()) << result.error().text();
    adapters[i] = bytes_of(output + "/adapter/adapter_model.safetensors");
  }
  EXPECT_TRUE(adapters[0] == adapters[1]);
  EXPECT_FALSE(adapters[0] == adapters[2]) << "packed otherwise";
}

TEST_F(QwenRun, FilmsAndImagesOfOneRowLearnTogether) {
  write("up.mp4", tests::film_file("mp4", "mpeg4", {10, 80, 160, 240}, 64, 64, 2));
  write("down.mp4", tests::film_file("mp4", "mpeg4", {240, 160, 80, 10}, 64, 64, 2));
  rows_.clear();
  for (int i = 0; i < 4; ++i) {
    add_row({{"videos", Json::array({Json(i % 2 == 0 ? "up.mp4" : "down.mp4")})},
             {"images", Json::array({Json("films/" + std::to_string(i) + ".png")})},
             {"question", "where to?"},
             {"output", i % 2 == 0 ? "brighter" : "darker"}});
  }
  const auto result = run(R"({"type": "full"})",
                          R"({"max_steps": 60, "per_device_train_batch_size": 4, "freeze": [],
                              "learning_rate": 0.005, "precision": "fp32", "save_steps": 0})",
                          "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_LT(result->last_loss, 0.03) << "from " << result->first_loss;  // blind: ln 2 / 8 = 0.087
  const auto frozen = run(kQwenLora, R"({"max_steps": 3, "precision": "fp32"})", "frozen");
  ASSERT_TRUE(frozen.ok()) << frozen.error().text();
  EXPECT_EQ(frozen->tower_runs, 6) << "four images and two films";
}

TEST_F(QwenRun, KeepsTheBudgetBesideTheAdapter) {
  const auto wide = run(kQwenLora, R"({"max_steps": 1, "precision": "fp32"})", "wide");
  const auto narrow = run(kQwenLora, R"({"max_steps": 1, "precision": "fp32"})", "narrow",
                          R"({"max_pixels": 3136})");
  ASSERT_TRUE(wide.ok() && narrow.ok());
  EXPECT_LT(narrow->tokens, wide->tokens);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "wide/adapter/preprocessor_config.json"));
  const Json kept = *base::parse_json(bytes_of("narrow/adapter/preprocessor_config.json"));
  EXPECT_EQ(kept["max_pixels"].as_int(), 3136);
}

TEST_F(QwenRun, ReportsTheRowAndBothLengthsWhenImagesBlowIt) {
  const auto result =
      run(kQwenLora, R"({"max_steps": 1, "shuffle": false, "max_length": 30, "precision": "fp32"})",
          "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().row, 8) << "the first of 112 x 112 pixels";
  EXPECT_EQ(result.error().message,
            "The row has 37 tokens (16 of them of 1 pictures), max_length is 30.");
}

TEST_F(QwenRun, NamesTheRowWhoseImageIsTooLargeMissingOrBroken) {
  const char* train = R"({"max_steps": 3, "shuffle": false, "precision": "fp32"})";
  write("films/4.png", png_head(20'000));
  const auto large = run(kQwenLora, train, "large");
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, Code::kResourceExhausted) << large.error().text();
  EXPECT_EQ(large.error().row, 5);
  EXPECT_EQ(large.error().file, "films/4.png");
  EXPECT_NE(large.error().message.find("20000"), std::string::npos) << large.error().text();
  write("films/4.png", tests::png_of(100, {1, 2, 3}).substr(0, 900));
  const auto cut = run(kQwenLora, train, "cut");
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().row, 5);
  EXPECT_EQ(cut.error().file, "films/4.png");
  media_.erase("films/4.png");
  const auto gone = run(kQwenLora, train, "gone");
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, Code::kNotFound) << gone.error().text();
  EXPECT_EQ(gone.error().row, 5);
}

TEST_F(QwenRun, NamesTheRowWhosePlacesAreNotItsPictures) {
  add_row({{"images", Json::array({Json("films/1.png")})},
           {"question", "<image> or <image>?"},
           {"output", "one"}});
  const auto result =
      run(kQwenLora, R"({"max_steps": 2, "shuffle": false, "precision": "fp32"})", "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().row, 13) << result.error().text();
  EXPECT_NE(result.error().message.find("1 images, but the text has 2 places"), std::string::npos);
}

TEST_F(QwenRun, AModelOfTextRefusesRowsWithPictures) {
  std::filesystem::remove_all(folder_ / "model");
  ASSERT_TRUE(new_model(base::posix_file_ops(), {.preset = "qwen2-tiny"}, folder_ / "model").ok());
  const auto result =
      run(kQwenLora, R"({"max_steps": 1, "shuffle": false, "precision": "fp32"})", "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().row, 1);
  EXPECT_NE(result.error().message.find("1 images, but the model takes none"), std::string::npos)
      << result.error().text();
}

}  // namespace
}  // namespace mortise::engine
