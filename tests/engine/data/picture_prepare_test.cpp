// Pictures as a tower takes them: how many tokens, within which budget, from which files.
#include "engine/data/picture_prepare.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;
using ingest::MediaKind;

Image grey(int64_t width, int64_t height, uint8_t value = 90) {
  Image image{width, height, {}};
  image.pixels.assign(static_cast<size_t>(width * height * 3), value);
  return image;
}

ingest::Film film(std::vector<int> greys, double fps, int64_t side = 56) {
  ingest::Film out;
  for (size_t i = 0; i < greys.size(); ++i) {
    out.frames.push_back({grey(side, side, static_cast<uint8_t>(greys[i])), static_cast<int64_t>(i),
                          static_cast<double>(i) / fps});
  }
  return out;
}

class Pictures : public ::testing::Test {
 protected:
  Pictures() {
    qwen_.model_type = "qwen2_vl";
    qwen_.text.emplace();
    qwen_.qwen_vision.emplace();
    llava_.model_type = "llava";
    llava_.text.emplace();
    llava_.vision.emplace();
    llava_.vision->image_size = 28;
    llava_.vision->patch_size = 14;
  }
  void write(const char* name, const char* json) { std::ofstream(folder_ / name) << json; }
  base::Result<PictureProcessor> read(const ModelConfig& config, const char* media = "null") {
    return PictureProcessor::read(base::posix_file_ops(), {"", folder_.path()}, config,
                                  *base::parse_json(media));
  }
  // Tokens of an image of these sides.
  int64_t tokens(const PictureProcessor& pictures, int64_t width, int64_t height) {
    const auto picture = pictures.prepare(ingest::Medium(grey(width, height)));
    EXPECT_TRUE(picture.ok()) << picture.error().text();
    return picture.ok() ? picture->tokens : -1;
  }

  tests::TempFolder folder_;
  ModelConfig qwen_, llava_;
};

TEST_F(Pictures, OfAnySizeTakeATokenForEachCell) {
  const auto pictures = read(qwen_);
  ASSERT_TRUE(pictures.ok()) << pictures.error().text();
  EXPECT_EQ(tokens(*pictures, 56, 56), 4);
  EXPECT_EQ(tokens(*pictures, 448, 448), 256);
  EXPECT_EQ(tokens(*pictures, 280, 84), 30);
  EXPECT_EQ(tokens(*pictures, 20, 20), 4) << "min_pixels is 56 x 56";
  const auto picture = pictures->prepare(ingest::Medium(grey(280, 84)));
  const auto& grid = std::get<PatchValues>(picture->values);
  EXPECT_EQ(grid.grid_frames, 1);
  EXPECT_EQ(grid.grid_height, 6);
  EXPECT_EQ(grid.grid_width, 20);
  EXPECT_EQ(grid.values.size(), 120u * 1176);
}

TEST_F(Pictures, OfOneSizeTakeTheSameEach) {
  const auto pictures = read(llava_);
  ASSERT_TRUE(pictures.ok()) << pictures.error().text();
  EXPECT_EQ(tokens(*pictures, 100, 30), 4);
  EXPECT_EQ(tokens(*pictures, 28, 28), 4);
}

TEST_F(Pictures, KeepWithinTheBudgetOfFileAndManifest) {
  const char* spellings[] = {
      R"({"min_pixels": 3136, "max_pixels": 12544})",
      R"({"size": {"shortest_edge": 3136, "longest_edge": 12544}})",
      R"({"size": {"min_pixels": 3136, "max_pixels": 12544}})",
  };
  for (const char* spelling : spellings) {
    write("preprocessor_config.json", spelling);
    EXPECT_EQ(tokens(*read(qwen_), 448, 448), 16) << spelling;
  }
  EXPECT_EQ(tokens(*read(qwen_, R"({"max_pixels": 3136})"), 448, 448), 4);
  EXPECT_EQ(tokens(*read(qwen_, R"({"min_pixels": 12544, "max_pixels": 50176})"), 30, 30), 16);
  EXPECT_EQ(tokens(*read(qwen_, R"({"min_pixels": 50176})"), 30, 30), 64)
      << "one bound alone moves the other";
  std::filesystem::remove(folder_ / "preprocessor_config.json");
  write("processor_config.json", R"({"image_processor": {"max_pixels": 12544},
                                     "video_processor": {"max_pixels": 3136, "max_frames": 6}})");
  const auto both = read(qwen_);
  EXPECT_EQ(tokens(*both, 448, 448), 16);
  EXPECT_EQ(both->media_options().frames.frames_max, 6);
}

TEST_F(Pictures, OfAFilmTakeTwoFramesToAPatchAndKnowTheirTime) {
  const auto pictures = read(qwen_, R"({"fps": 4, "max_frames": 8, "min_frames": 2})");
  ASSERT_TRUE(pictures.ok()) << pictures.error().text();
  EXPECT_EQ(pictures->media_options().frames.fps, 4);
  EXPECT_EQ(pictures->media_options().frames.frames_max, 8);
  EXPECT_EQ(pictures->media_options().frames.frames_min, 2);
  const auto five = pictures->prepare(ingest::Medium(film({10, 20, 30, 40, 50}, 4)));
  ASSERT_TRUE(five.ok()) << five.error().text();
  EXPECT_EQ(five->kind, MediaKind::kVideo);
  EXPECT_EQ(five->tokens, 3 * 4);
  EXPECT_DOUBLE_EQ(five->seconds, 0.5) << "two frames of a quarter second";
  const auto& grid = std::get<PatchValues>(five->values);
  EXPECT_EQ(grid.grid_frames, 3);
  ASSERT_EQ(grid.values.size(), 3u * 16 * 1176);
  const auto light = [](int value) {
    return (static_cast<float>(value / 255.0) - 0.48145466f) / 0.26862954f;
  };
  // A patch: channel, time, row, column.
  EXPECT_NEAR(grid.values[0], light(10), 1e-6);
  EXPECT_NEAR(grid.values[196], light(20), 1e-6);
  EXPECT_NEAR(grid.values[2 * 16 * 1176], light(50), 1e-6);
  EXPECT_NEAR(grid.values[2 * 16 * 1176 + 196], light(50), 1e-6) << "the last frame is repeated";
}

TEST_F(Pictures, OfAFilmWithoutTimesLastAsTheyWereAskedFor) {
  const auto pictures = read(qwen_);
  ingest::Film still = film({1, 2, 3, 4}, 1);
  for (auto& frame : still.frames) frame.seconds = 0;
  EXPECT_DOUBLE_EQ(pictures->prepare(ingest::Medium(still))->seconds, 1) << "two at 2 fps";
}

TEST_F(Pictures, SaveTheirBudgetSoThatItIsReadAgain) {
  write("preprocessor_config.json", R"({"size": {"shortest_edge": 3136, "longest_edge": 50176},
                                        "image_processor_type": "Qwen2VLImageProcessorFast"})");
  const tests::TempFolder adapter;
  ASSERT_TRUE(read(qwen_)->save(base::posix_file_ops(), adapter.path()).ok());
  EXPECT_FALSE(std::filesystem::exists(adapter / "preprocessor_config.json"))
      << "nothing was changed";
  const auto pictures = read(qwen_, R"({"max_pixels": 12544, "max_frames": 5, "fps": 1.5})");
  ASSERT_TRUE(pictures->save(base::posix_file_ops(), adapter.path()).ok());
  const auto again = PictureProcessor::read(base::posix_file_ops(),
                                            {adapter.path(), folder_.path()}, qwen_, Json());
  ASSERT_TRUE(again.ok()) << again.error().text();
  EXPECT_EQ(tokens(*again, 448, 448), 16);
  EXPECT_EQ(again->media_options().frames.frames_max, 5);
  EXPECT_EQ(again->media_options().frames.fps, 1.5);
  const auto text = base::read_file(base::posix_file_ops(), adapter / "preprocessor_config.json");
  EXPECT_NE(text->find("Qwen2VLImageProcessorFast"), std::string::npos);
}

TEST_F(Pictures, BoundWhatTheyHoldByTheirShape) {
  const auto pictures = read(qwen_);
  EXPECT_EQ(pictures->bytes_max(MediaKind::kImage, {1, 56, 56}), 56u * 56 * 3 * (2 * 4 + 2));
  EXPECT_LT(pictures->bytes_max(MediaKind::kImage, {1, 8000, 8000}), 32'000'000u);
  EXPECT_GT(pictures->bytes_max(MediaKind::kVideo, {8, 56, 56}), 56u * 56 * 3 * 8 * 4);
  EXPECT_EQ(read(llava_)->bytes_max(MediaKind::kImage, {1, 900, 900}), 28u * 28 * 3 * 4);
  EXPECT_EQ(PictureProcessor().bytes_max(MediaKind::kImage, {1, 900, 900}), 0u);
}

TEST_F(Pictures, AreRefusedWhereTheModelDoesNotTakeThem) {
  EXPECT_EQ(PictureProcessor().prepare(ingest::Medium(grey(9, 9))).error().code,
            Code::kInvalidArgument);
  const auto no_film = read(llava_)->prepare(ingest::Medium(film({1, 2}, 1)));
  EXPECT_EQ(no_film.error().message, "The model takes no videos.");
  const auto no_sound = read(qwen_)->prepare(ingest::Medium(ingest::Sound{16000, {0.f}}));
  EXPECT_EQ(no_sound.error().message, "The model takes no sound.");
  const auto thread = read(qwen_)->prepare(ingest::Medium(grey(3000, 10)));
  EXPECT_NE(thread.error().message.find("3000 x 10"), std::string::npos);
}

TEST_F(Pictures, NameTheSettingThatDoesNotFit) {
  EXPECT_EQ(read(qwen_, R"({"min_pixels": 9000, "max_pixels": 8000})").error().field,
            "/media/min_pixels");
  EXPECT_EQ(read(qwen_, R"({"video_min_pixels": 9000, "video_max_pixels": 8000})").error().field,
            "/media/video_min_pixels");
  EXPECT_EQ(read(qwen_, R"({"min_frames": 9, "max_frames": 8})").error().field,
            "/media/max_frames");
  EXPECT_EQ(read(llava_, R"({"max_pixels": 8000})").error().field, "/media");
  write("preprocessor_config.json", R"({"patch_size": 16})");
  const auto other = read(qwen_);
  EXPECT_EQ(other.error().field, "/patch_size");
  EXPECT_EQ(other.error().file, folder_ / "preprocessor_config.json");
  EXPECT_NE(other.error().message.find("16, but the model's tower has 14"), std::string::npos);
  write("preprocessor_config.json", "{");
  EXPECT_EQ(read(qwen_).error().file, folder_ / "preprocessor_config.json");
}

}  // namespace
}  // namespace mortise::engine
