// Token ids to the lines that an asker gets.
#include "serve/answer.h"

#include "tests/support/tiny_chat.h"

namespace mortise::serve {
namespace {

using base::Json;

class AnswerTest : public tests::TinyChat {
 protected:
  // The lines of an answer of these ids, one after the other.
  std::string lines(const std::vector<int32_t>& ids, AnswerOptions options) {
    const auto chat = open_chat();
    EXPECT_TRUE(chat.ok()) << chat.error().text();
    Answer answer = Answer::create((*chat)->tokenizer(), std::move(options)).value();
    std::string out;
    const auto add = [&out](const std::vector<Json>& some) {
      for (const Json& line : some) out += line["delta"].as_string() + line["tool_calls"].dump();
    };
    for (const int32_t id : ids) add(answer.take(id).value());
    add(answer.finish().value());
    is_over_ = answer.is_over();
    size_t at;
    while ((at = out.find("null")) != std::string::npos) out.erase(at, 4);
    return out;
  }
  std::string lines(const std::string& text, AnswerOptions options = {}) {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c) + 2);
    return lines(ids, std::move(options));
  }
  bool is_over_ = false;
};

TEST_F(AnswerTest, GivesTextAndLeavesSpecialTokensOut) {
  EXPECT_EQ(lines("h\xC3\xA9"), "h\xC3\xA9");
  EXPECT_EQ(lines(std::vector<int32_t>{'a' + 2, 1, 'b' + 2, 0}, {}), "ab");
}

TEST_F(AnswerTest, EndsBeforeAStopText) {
  EXPECT_EQ(lines("one. two. three", {.stop = {"three", ". t"}}), "one");
  EXPECT_TRUE(is_over_);
  EXPECT_EQ(lines("one. ", {.stop = {". t"}}), "one. ") << "what only looked like one comes out";
  EXPECT_FALSE(is_over_);
}

TEST_F(AnswerTest, GivesCallsAndTheirMarksEvenWhenTheyAreSpecialTokens) {
  static constexpr ToolFormat kPlain = {"hermes", "<tool_call>", "</tool_call>"};
  static constexpr ToolFormat kSpecial = {"special", "<s>", "</s>"};
  const std::string call = R"({"name":"f"})";
  const char* expected = R"([{"index":0,"name":"f","arguments":"{}"}])";
  EXPECT_EQ(lines("<tool_call>" + call + "</tool_call>", {.tools = &kPlain, .tool_names = {"f"}}),
            expected);
  std::vector<int32_t> ids = {0};
  for (const char c : call) ids.push_back(static_cast<unsigned char>(c) + 2);
  ids.push_back(1);
  EXPECT_EQ(lines(ids, {.tools = &kSpecial, .tool_names = {"f"}}), expected);
  EXPECT_EQ(lines(ids, {.tools = &kSpecial, .tool_names = {"g"}}), "<s>" + call + "</s>");
}

TEST_F(AnswerTest, EndsWithTheFirstCallWhenOneIsWanted) {
  static constexpr ToolFormat kPlain = {"hermes", "<tool_call>", "</tool_call>"};
  const std::string call = R"(<tool_call>{"name":"f"}</tool_call>)";
  EXPECT_EQ(lines(call + call, {.tools = &kPlain, .tool_names = {"f"}, .one_call = true}),
            R"([{"index":0,"name":"f","arguments":"{}"}])");
  EXPECT_TRUE(is_over_);
}

}  // namespace
}  // namespace mortise::serve
