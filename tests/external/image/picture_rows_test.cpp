// Conversations with pictures against transformers: what its chat template shows, with each
// placeholder repeated to what its image processor counts.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "engine/data/picture_prepare.h"
#include "engine/data/row_encoder.h"
#include "tests/engine/data/byte_encoder.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Json;

class PictureRows : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* fixtures = std::getenv("MORTISE_FIXTURES");
    if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: no golden rows.";
    folder_ = std::string(fixtures) + "/goldens/";
  }
  std::string read(const std::string& name) const {
    return base::read_file(base::posix_file_ops(), folder_ + name).value();
  }
  std::string folder_;
};

// How many parts of the messages are of a kind.
int64_t parts_of(const Json& messages, std::initializer_list<std::string_view> types) {
  int64_t count = 0;
  for (const Json& message : messages.items()) {
    for (const Json& part : message["content"].items()) {
      for (const std::string_view type : types) count += part["type"].as_string() == type ? 1 : 0;
    }
  }
  return count;
}

// The text as ids, its n-th image placeholder 2 + n times and its n-th video placeholder 5 + n.
std::vector<int32_t> expanded(const ByteEncoder& bytes, const std::string& text) {
  std::vector<int32_t> ids;
  size_t images = 0, videos = 0;
  const EncodedText encoded = bytes.encode(text).value();
  for (const int32_t id : encoded.ids) {
    const size_t times = id == kPad ? 2 + images++ : id == kFilm ? 5 + videos++ : 1;
    ids.insert(ids.end(), times, id);
  }
  return ids;
}

TEST_F(PictureRows, HaveTheTextOfTheTemplateWithItsPlacesRepeated) {
  const ByteEncoder bytes;
  const ChatSetup chat{.chat_template = *Template::parse(read("chat-templates/vision.jinja")),
                       .variables = Json::object(),
                       .is_default = false};
  RowSettings settings{.task_type = "chat", .image = {}, .video = {}};
  settings.image = {kPad, "<|image_pad|>", "<|vision_start|><|image_pad|><|vision_end|>"};
  settings.video = {kFilm, "<|video_pad|>", "<|vision_start|><|video_pad|><|vision_end|>"};
  const auto rows = RowEncoder::create(bytes, chat, settings);
  ASSERT_TRUE(rows.ok()) << rows.error().text();
  std::istringstream lines(read("chat-templates/cases.jsonl"));
  int compared = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json golden = *base::parse_json(line);
    const Json& messages = golden["messages"];
    const int64_t images = parts_of(messages, {"image", "image_url"});
    const int64_t videos = parts_of(messages, {"video"});
    const bool fits = golden["template"].as_string().ends_with("vision.jinja") &&
                      golden["kwargs"].size() == 0 && golden["add_generation_prompt"].as_bool() &&
                      golden["expected"].is_string() && images + videos > 0;
    if (!fits) continue;
    Json row = Json::object({{"messages", messages}, {"images", Json::array()}});
    row["videos"] = Json::array();
    for (int64_t i = 0; i < images; ++i) row["images"].push_back("i" + std::to_string(i));
    for (int64_t i = 0; i < videos; ++i) row["videos"].push_back("v" + std::to_string(i));
    auto conversation = messages_of(row, "chat");
    ASSERT_TRUE(conversation.ok()) << golden["id"].dump() << conversation.error().text();

    const auto encoded =
        rows->encode_prompt(*conversation, [&](const std::vector<MediaField>& media) {
          std::vector<int64_t> counts;
          for (int64_t i = 0; i < images; ++i) counts.push_back(2 + i);
          for (int64_t i = 0; i < videos; ++i) counts.push_back(5 + i);
          EXPECT_EQ(counts.size(), media.size());
          return base::Result<std::vector<int64_t>>(counts);
        });

    ASSERT_TRUE(encoded.ok()) << golden["id"].dump() << encoded.error().text();
    EXPECT_EQ(encoded->ids, expanded(bytes, golden["expected"].as_string())) << golden["id"].dump();
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

TEST_F(PictureRows, TakeAsManyTokensAsTheProcessorsGridsSay) {
  const Json info = *base::parse_json(read("image-preprocessing/case.json"));
  ModelConfig config;
  config.text.emplace();
  config.qwen_vision.emplace();
  int compared = 0;
  for (const Json& row : info["rows"].items()) {
    if (row["processor"].as_string() != "qwen2_vl") continue;
    const tests::TempFolder folder;
    std::ofstream(folder / "preprocessor_config.json")
        << (row["options"].is_object() ? row["options"] : Json::object()).dump();
    const auto pictures =
        PictureProcessor::read(base::posix_file_ops(), {folder.path()}, config, Json());
    ASSERT_TRUE(pictures.ok()) << pictures.error().text();
    const std::string png = read("image-preprocessing/" + row["image"].as_string());

    const auto picture =
        pictures->prepare(ingest::Medium(ingest::decode_image(base::as_bytes(png)).value()));

    ASSERT_TRUE(picture.ok()) << picture.error().text();
    const Json& grid = row["grid_thw"];
    EXPECT_EQ(picture->tokens, grid.at(0).as_int() * grid.at(1).as_int() * grid.at(2).as_int() / 4)
        << row["image"].dump();
    ++compared;
  }
  EXPECT_GE(compared, 6);
}

}  // namespace
}  // namespace mortise::engine
