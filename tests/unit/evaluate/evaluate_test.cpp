// Held-out scores with a tiny model: what is asked, what is kept, what is refused.
#include "evaluate/evaluate.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "tests/support/png.h"
#include "tests/support/tiny_chat.h"

namespace mortise::evaluate {
namespace {

using base::Code;
using base::Json;

TEST(Question, IsTheRowUpToItsAnswer) {
  const auto question = question_of(
      *base::parse_json(R"({"image_path": "a.png", "question": "what?", "output": "a cat"})"),
      "vqa");
  ASSERT_TRUE(question.ok()) << question.error().text();
  EXPECT_EQ(question->reference, "a cat");
  EXPECT_EQ(question->conversation.messages.dump(), R"([{"role":"user","content":"what?"}])");
  EXPECT_EQ(
      question->conversation.media,
      (std::vector<engine::MediaField>{{ingest::MediaKind::kImage, "/image_path", {"a.png"}}}));
  EXPECT_FALSE(question->conversation.is_plain) << "in rows <image> is a tag";
}

TEST(Question, NeedsAnAnswerAtTheEnd) {
  const auto question = question_of(
      *base::parse_json(R"({"messages": [{"role": "user", "content": "hi"}]})"), "chat");
  ASSERT_FALSE(question.ok());
  EXPECT_EQ(question.error().code, Code::kInvalidArgument);
  EXPECT_EQ(question.error().field, "/messages");
}

TEST(ImagePermutation, LeavesNoRowItsOwnImages) {
  for (const size_t count : {2u, 3u, 17u}) {
    const auto order = image_permutation(count, 5);
    EXPECT_EQ(std::set<size_t>(order.begin(), order.end()).size(), count);
    for (size_t i = 0; i < count; ++i) EXPECT_NE(order[i], i);
    EXPECT_EQ(image_permutation(count, 5), order);
  }
  EXPECT_EQ(image_permutation(1, 5), std::vector<size_t>{0});
  EXPECT_NE(image_permutation(17, 5), image_permutation(17, 6));
}

class EvaluationTest : public tests::TinyChat {
 protected:
  void SetUp() override {
    tests::TinyChat::SetUp();
    auto opened = open_chat();
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    chat_ = std::move(*opened);
    for (const char* name : {"a.png", "b.png"}) {
      std::ofstream(folder_ / name, std::ios::binary)
          << tests::png_of(28, {static_cast<uint8_t>(name[0]), 9, 200});
    }
    rows(R"({"image_path": "a.png", "question": "one?", "output": "1"}
{"image_path": "b.png", "question": "two?", "output": "2"}
{"image_path": "a.png", "question": "three?", "output": "3"}
)");
    request_.rows = {0, 2};
    request_.new_tokens_max = 4;
    request_.batch_rows = 1;
    request_.metrics = {{"com.example.exact_match", {}}};
    request_.keep_predictions = [this](std::string_view lines) -> base::Status {
      kept_ = lines;
      return {};
    };
  }
  void rows(const std::string& lines) {
    std::ofstream(folder_ / "rows.jsonl") << lines;
    std::ofstream(folder_ / "dataset.json") << R"({"rows_file": "rows.jsonl", "task_type": "vqa",
               "media": {"a.png": "a.png", "b.png": "b.png"}})";
  }
  base::Result<Json> run(const EvaluateHooks& hooks = {}) {
    MORTISE_ASSIGN(const auto dataset,
                   engine::Dataset::open(base::posix_file_ops(), folder_ / "dataset.json"));
    return run_evaluation(base::posix_file_ops(), *registry_, device_, *chat_, dataset, request_,
                          hooks);
  }
  std::vector<Json> predictions() {
    std::vector<Json> out;
    std::istringstream file(kept_);
    for (std::string line; std::getline(file, line);) out.push_back(*base::parse_json(line));
    return out;
  }

  std::unique_ptr<engine::ChatModel> chat_;
  std::string kept_;  // the predictions
  EvaluateRequest request_;
};

TEST_F(EvaluationTest, ScoresEachRowAndKeepsItsPrediction) {
  std::vector<int64_t> done;
  EvaluateHooks hooks;
  hooks.progress = [&](int64_t count, int64_t total) {
    done.push_back(count);
    EXPECT_EQ(total, 2);
  };
  const auto scores = run(hooks);
  ASSERT_TRUE(scores.ok()) << scores.error().text();
  EXPECT_EQ(scores->at(0)["metric"].as_string(), "com.example.exact_match");
  EXPECT_EQ(scores->at(0)["of"].as_string(), "model");
  EXPECT_EQ(scores->at(0)["value"].as_double(-1), 0.0) << "random weights know nothing";
  EXPECT_EQ(done, (std::vector<int64_t>{1, 2}));
  const auto kept = predictions();
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[1]["row"].as_int(), 3) << "rows count from 1";
  EXPECT_EQ(kept[1]["reference"].as_string(), "3");
  EXPECT_EQ(kept[1]["messages"].at(0)["content"].as_string(), "three?");
}

TEST_F(EvaluationTest, RowsTogetherAnswerAsEachAlone) {
  ASSERT_TRUE(run().ok());
  const auto alone = predictions();
  request_.batch_rows = 8;
  ASSERT_TRUE(run().ok());
  const auto together = predictions();
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(together[i]["prediction"].as_string(), alone[i]["prediction"].as_string());
  }
}

TEST_F(EvaluationTest, NamesTheRowThatCannotBeAsked) {
  std::ofstream(folder_ / "b.png") << "no image";
  request_.rows = {0, 1};
  const auto broken = run();
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().row, 2);
  rows("{\"question\": \"one?\"}\n");
  request_.rows = {0};
  const auto empty = run();
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().row, 1);
  EXPECT_EQ(empty.error().field, "/output");
}

TEST_F(EvaluationTest, SaysWhichMetricIsMissingOrBadlySet) {
  request_.metrics = {{"com.example.none", {}}};
  EXPECT_EQ(run().error().code, Code::kNotFound);
  request_.metrics = {{"com.example.exact_match", Json::object({{"ignore_cas", true}})}};
  EXPECT_NE(run().error().text().find("ignore_cas"), std::string::npos);
}

TEST_F(EvaluationTest, EndsWhenItIsCancelled) {
  EvaluateHooks hooks;
  hooks.is_cancelled = [] { return true; };
  EXPECT_EQ(run(hooks).error().code, Code::kCancelled);
  EXPECT_TRUE(predictions().empty());
}

}  // namespace
}  // namespace mortise::evaluate
