// A served Qwen2-Audio hears a sound as evaluation and training hear it: the same ids, the same
// spectrum, the same greedy answer.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>

#include "base/crypto.h"
#include "engine/data/dataset.h"
#include "engine/infer/generate.h"
#include "serve/serve.h"
#include "tests/support/media_files.h"
#include "tests/support/tiny_chat.h"

namespace mortise::serve {
namespace {

using base::Code;
using base::Json;

std::string tone_file(double hertz, int count) {
  std::vector<int16_t> samples(static_cast<size_t>(count));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double turns = hertz * static_cast<double>(i) / 16'000;
    samples[i] = static_cast<int16_t>(12'000 * std::sin(2 * std::numbers::pi * turns));
  }
  return tests::wav_file(samples, 16'000, 1);
}

class AudioServe : public tests::TinyChat {
 protected:
  void SetUp() override {
    tests::TinyChat::SetUp();
    std::filesystem::remove_all(model_folder());
    const engine::NewModelRequest request{
        .preset = "qwen2_audio-tiny",
        .seed = 4,
        .dtype = {},
        .overrides = *base::parse_json(
            R"({"audio_token_index": 0, "text_config": {"vocab_size": 258,
                "max_position_embeddings": 256, "initializer_range": 0.2}})")};
    const auto made = engine::new_model(base::posix_file_ops(), request, model_folder());
    ASSERT_TRUE(made.ok()) << made.error().text();
    write("chat_template.jinja", kTemplate);
    auto opened = open_chat();
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    chat_ = std::move(*opened);
  }

  base::Result<engine::GenerateRequest> served(const std::string& bytes) {
    const Json audio =
        Json::object({{"data", base::to_base64(base::as_bytes(bytes))}, {"format", "wav"}});
    const Json parts = Json::array({Json::object({{"type", "input_audio"}, {"input_audio", audio}}),
                                    Json::object({{"type", "text"}, {"text", "which?"}})});
    MORTISE_ASSIGN(
        const auto conversation,
        conversation_of(Json::object(
            {{"messages", Json::array({Json::object({{"role", "user"}, {"content", parts}})})}})));
    return chat_->request_of(conversation, medium_of_data_url);
  }
  // A row up to its answer, with its file.
  base::Result<engine::GenerateRequest> asked(const std::string& bytes) {
    std::ofstream(folder_ / "a.wav", std::ios::binary) << bytes;
    const Json row =
        *base::parse_json(R"({"audio_path": "a.wav", "question": "which?", "output": "1"})");
    std::ofstream(folder_ / "rows.jsonl") << row.dump() << "\n";
    std::ofstream(folder_ / "dataset.json") << R"({"rows_file": "rows.jsonl",
        "task_type": "audio_qa", "media": {"a.wav": "a.wav"}})";
    MORTISE_ASSIGN(const auto dataset,
                   engine::Dataset::open(base::posix_file_ops(), folder_ / "dataset.json"));
    MORTISE_ASSIGN(engine::RowMessages question, engine::messages_of(row, "audio_qa"));
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

TEST_F(AudioServe, AnswersAboutASoundAsEvaluationDoes) {
  const std::string bytes = tone_file(700, 6'400);  // 40 frames, 20 steps, 10 tokens
  const auto row = asked(bytes), request = served(bytes);
  ASSERT_TRUE(row.ok()) << row.error().text();
  ASSERT_TRUE(request.ok()) << request.error().text();

  EXPECT_EQ(request->prompt, row->prompt);
  EXPECT_EQ(std::count(row->prompt.begin(), row->prompt.end(), 0), 10);
  EXPECT_EQ(request->sounds.clips.at(0).heard, 40);
  EXPECT_EQ(request->sounds.clips.at(0).frames, 41);
  EXPECT_TRUE(request->sounds.mels.equal(row->sounds.mels));
  EXPECT_EQ(answer(*request), answer(*row));
}

TEST_F(AudioServe, SequencesWithSoundAdvanceTogetherAsAlone) {
  const auto a = served(tone_file(300, 3'200)), b = served(tone_file(3'000, 8'000));
  ASSERT_TRUE(a.ok() && b.ok());
  const std::vector<int32_t> alone_a = answer(*a), alone_b = answer(*b);
  std::vector<std::unique_ptr<engine::Sequence>> sequences;
  std::vector<engine::Sequence*> all;
  for (const auto* request : {&a, &b}) {
    engine::GenerateRequest made = **request;
    made.new_tokens_max = 12;
    auto sequence = engine::Sequence::create(chat_->model(), std::move(made));
    ASSERT_TRUE(sequence.ok()) << sequence.error().text();
    all.push_back(sequence->get());
    sequences.push_back(std::move(*sequence));
  }
  for (int step = 0; step < 12; ++step) {
    ASSERT_TRUE(engine::generate_step(device_, chat_->model(), all).ok());
  }
  const auto ids = [](const engine::Sequence& sequence) {
    std::vector<int32_t> out;
    for (const auto& token : sequence.tokens()) out.push_back(token.id);
    return out;
  };
  EXPECT_EQ(ids(*all[0]), alone_a);
  EXPECT_EQ(ids(*all[1]), alone_b);
}

TEST_F(AudioServe, RefusesSoundThatIsNoneAndSaysWhy) {
  EXPECT_EQ(served("nothing").error().message, "This is no sound that is read here.");
  const auto brief = served(tone_file(300, 100));
  ASSERT_FALSE(brief.ok());
  EXPECT_EQ(brief.error().code, Code::kInvalidArgument);
  EXPECT_EQ(brief.error().message,
            "The sound has 100 samples, too few for one token of the model.");
  const auto longer = served(tone_file(300, 16'000 * 31));
  EXPECT_EQ(longer.error().code, Code::kResourceExhausted) << "and nothing was decoded";
}

}  // namespace
}  // namespace mortise::serve
