// A served Qwen2-VL sees a picture as evaluation and training see it: the same ids, the same
// patches, the same greedy answer.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/crypto.h"
#include "engine/data/dataset.h"
#include "engine/infer/generate.h"
#include "serve/serve.h"
#include "tests/support/png.h"
#include "tests/support/tiny_chat.h"

namespace mortise::serve {
namespace {

using base::Code;
using base::Json;

constexpr int32_t kImageId = 0, kVideoId = 3;  // "<s>" and the byte 1 of the example tokenizer

class QwenServe : public tests::TinyChat {
 protected:
  void SetUp() override {
    tests::TinyChat::SetUp();
    std::filesystem::remove_all(model_folder());
    const engine::NewModelRequest request{
        .preset = "qwen2_vl-tiny",
        .seed = 4,
        .dtype = {},
        .overrides = *base::parse_json(
            R"({"image_token_id": 0, "video_token_id": 3, "vocab_size": 258,
                "max_position_embeddings": 256, "initializer_range": 0.2})")};
    const auto made = engine::new_model(base::posix_file_ops(), request, model_folder());
    ASSERT_TRUE(made.ok()) << made.error().text();
    write("chat_template.jinja", kTemplate);
    auto opened = open_chat();
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    chat_ = std::move(*opened);
  }

  static std::string data_url(int side) {
    const std::string png = tests::png_of(side, {200, 10, 10});
    return "data:image/png;base64," + base::to_base64(base::as_bytes(png));
  }
  static Json request_of(const std::vector<std::string>& urls, const std::string& text) {
    Json parts = Json::array();
    for (const std::string& url : urls) {
      parts.push_back(
          Json::object({{"type", "image_url"}, {"image_url", Json::object({{"url", url}})}}));
    }
    parts.push_back(Json::object({{"type", "text"}, {"text", text}}));
    return Json::object(
        {{"messages", Json::array({Json::object({{"role", "user"}, {"content", parts}})})}});
  }
  base::Result<engine::GenerateRequest> served(const Json& request) {
    MORTISE_ASSIGN(const auto conversation, conversation_of(request));
    return chat_->request_of(conversation, medium_of_data_url);
  }
  // A row up to its answer, with its files.
  base::Result<engine::GenerateRequest> asked(const Json& row, const char* task = "vqa") {
    std::ofstream(folder_ / "rows.jsonl") << row.dump() << "\n";
    std::ofstream(folder_ / "dataset.json") << R"({"rows_file": "rows.jsonl", "task_type": "vqa",
               "media": {"a.png": "a.png", "b.png": "b.png", "c.png": "c.png"}})";
    MORTISE_ASSIGN(const auto dataset,
                   engine::Dataset::open(base::posix_file_ops(), folder_ / "dataset.json"));
    MORTISE_ASSIGN(engine::RowMessages question, engine::messages_of(row, task));
    question.messages.items().pop_back();
    return chat_->request_of(question, engine::media_in(dataset));
  }
  std::vector<int32_t> answer(engine::GenerateRequest request) {
    request.new_tokens_max = 12;
    const auto made = engine::generate(device_, chat_->model(), std::move(request));
    EXPECT_TRUE(made.ok()) << made.error().text();
    return made.ok() ? made->ids() : std::vector<int32_t>();
  }

  std::unique_ptr<engine::ChatModel> chat_;
};

TEST_F(QwenServe, AnswersAboutARowAsEvaluationDoes) {
  std::ofstream(folder_ / "a.png", std::ios::binary) << tests::png_of(56, {200, 10, 10});
  std::ofstream(folder_ / "b.png", std::ios::binary) << tests::png_of(90, {200, 10, 10});
  const auto row = asked(
      *base::parse_json(R"({"images": ["a.png", "b.png"], "question": "which?", "output": "1"})"));
  ASSERT_TRUE(row.ok()) << row.error().text();
  const auto request = served(request_of({data_url(56), data_url(90)}, "which?"));
  ASSERT_TRUE(request.ok()) << request.error().text();

  EXPECT_EQ(request->prompt, row->prompt);
  EXPECT_EQ(std::count(row->prompt.begin(), row->prompt.end(), kImageId), 4 + 9);
  EXPECT_TRUE(request->images.patches.equal(row->images.patches));
  EXPECT_EQ(request->images.grids.at(1).rows, 6);
  EXPECT_EQ(answer(*request), answer(*row));
}

TEST_F(QwenServe, AnswersAboutAFilmOfARow) {
  for (const char* name : {"a.png", "b.png", "c.png"}) {
    std::ofstream(folder_ / name, std::ios::binary)
        << tests::png_of(60, {static_cast<uint8_t>(name[0]), 9, 9});
  }
  const auto row = asked(*base::parse_json(R"({"video": ["a.png", "b.png", "c.png"],
                                               "question": "so?", "output": "1"})"),
                         "video_qa");
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(std::count(row->prompt.begin(), row->prompt.end(), kVideoId), 2 * 4);
  EXPECT_EQ(row->videos.grids.at(0).frames, 2);
  EXPECT_EQ(answer(*row).size(), 12u);
}

TEST_F(QwenServe, ServesThroughTheService) {
  struct Lines : job::ChannelReply {
    bool send(const Json& line) override {
      text += line["delta"].as_string();
      return true;
    }
    bool is_connected() override { return true; }
    std::string text;
  } lines;
  Service service(device_, *chat_);
  std::atomic<bool> must_stop{false};
  std::thread thread([&] { (void)service.run([&] { return must_stop.load(); }); });
  Json request = request_of({data_url(56)}, "what?");
  request["max_tokens"] = 12;
  const auto last = service.generate(request, lines);
  auto alone = served(request);
  must_stop = true;
  thread.join();
  ASSERT_TRUE(last.ok()) << last.error().text();
  EXPECT_EQ((*last)["usage"]["prompt_tokens"].as_int(), static_cast<int64_t>(alone->prompt.size()));
  EXPECT_EQ(lines.text, chat_->text_of(answer(*alone)).value());
}

TEST_F(QwenServe, KeepsTheBudgetThatTheRequestOfTheModelNames) {
  engine::ChatModelRequest request;
  request.model_folder = model_folder();
  request.tokenizer_id = "com.example.tokenizer_bytes";
  request.media = Json::object({{"max_pixels", 3136}});
  auto opened = engine::ChatModel::open(base::posix_file_ops(), *registry_, request);
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  chat_ = std::move(*opened);
  const auto made = served(request_of({data_url(140)}, "what?"));
  ASSERT_TRUE(made.ok()) << made.error().text();
  EXPECT_EQ(std::count(made->prompt.begin(), made->prompt.end(), kImageId), 4);
}

TEST_F(QwenServe, RefusesAnImageThatIsTooLargeOrNoneAndAWrongTokenizer) {
  std::string header;
  tests::append_u32(header, 20'000);
  tests::append_u32(header, 20'000);
  std::string png = "\x89PNG\r\n\x1a\n";
  tests::append_chunk(png, "IHDR", header + std::string("\x08\x02\x00\x00\x00", 5));
  tests::append_chunk(png, "IDAT", "");
  const std::string large = "data:image/png;base64," + base::to_base64(base::as_bytes(png));
  const auto refused = served(request_of({large}, "what?"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted) << refused.error().text();
  EXPECT_NE(refused.error().message.find("20000"), std::string::npos);
  EXPECT_EQ(served(request_of({"http://x/y.png"}, "what?")).error().code, Code::kInvalidArgument);
  EXPECT_EQ(served(request_of({"data:image/png;base64,AAAA"}, "?")).error().code,
            Code::kInvalidArgument);
  const auto gone =
      asked(*base::parse_json(R"({"images": ["gone.png"], "question": "q", "output": "1"})"));
  EXPECT_EQ(gone.error().code, Code::kNotFound);
  EXPECT_EQ(gone.error().field, "/images/0");

  Json config =
      *base::parse_json(*base::read_file(base::posix_file_ops(), model_folder() + "/config.json"));
  config["image_token_id"] = 4000;
  write("config.json", config.dump());
  EXPECT_EQ(open_chat().error().code, Code::kInvalidArgument) << "no token of the tokenizer";
}

}  // namespace
}  // namespace mortise::serve
