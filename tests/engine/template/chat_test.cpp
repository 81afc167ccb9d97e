// What the assistant says, found in the text of a conversation.
#include "engine/template/chat.h"

#include <gtest/gtest.h>

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

constexpr const char* kChatml =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

Json conversation(const char* text) {
  return *base::parse_json(text);
}

std::vector<std::string> learned(const char* source, const char* messages) {
  const auto parsed = Template::parse(source);
  EXPECT_TRUE(parsed.ok());
  ChatRequest request;
  request.messages = conversation(messages);
  const auto text = render_for_training(*parsed, request);
  EXPECT_TRUE(text.ok()) << text.error().text();
  std::vector<std::string> out;
  if (!text.ok()) return out;
  for (const ByteSpan& s : text->train_spans)
    out.push_back(text->text.substr(s.begin, s.end - s.begin));
  return out;
}

constexpr const char* kTwoTurns =
    R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
        {"role":"user","content":"c"},{"role":"assistant","content":"d e"}])";

TEST(RenderForTraining, TakesAnswerAndEndMarkOfEachTurn) {
  EXPECT_EQ(learned(kChatml, kTwoTurns),
            (std::vector<std::string>{"b<|im_end|>", "d e<|im_end|>"}));
}

TEST(RenderForTraining, TakesGenerationBlocksWhereTheTemplateHasThem) {
  EXPECT_EQ(learned("{% for m in messages %}{% if m.role == 'assistant' %}A:{% generation %}"
                    "{{ m.content }};{% endgeneration %}{% else %}U:{{ m.content }}{% endif %}"
                    "{% endfor %}",
                    kTwoTurns),
            (std::vector<std::string>{"b;", "d e;"}));
}

TEST(RenderForTraining, LeavesOutMessagesMarkedWithoutLoss) {
  EXPECT_EQ(
      learned(kChatml,
              R"([{"role":"user","content":"a"},{"role":"assistant","content":"b","loss":false},
                        {"role":"user","content":"c"},{"role":"assistant","content":"d"}])"),
      (std::vector<std::string>{"d<|im_end|>"}));
}

TEST(RenderForTraining, FindsTurnsThatTheTemplateRewritesLater) {
  // Earlier turns lose their end mark, so no rendering of the first messages begins the whole.
  EXPECT_EQ(learned("{% for m in messages %}{{ m.role[0] }}:{{ m.content }}"
                    "{{ '</s>' if loop.last and m.role == 'assistant' else ';' }}{% endfor %}"
                    "{% if add_generation_prompt %}a:{% endif %}",
                    kTwoTurns),
            (std::vector<std::string>{"b", "d e</s>"}));
}

TEST(RenderForTraining, RefusesTemplateThatHidesTheAnswer) {
  const auto parsed =
      Template::parse("{% for m in messages %}{{ m.content | length }}{% endfor %}");
  ChatRequest request;
  request.messages = conversation(kTwoTurns);
  const auto text = render_for_training(*parsed, request);
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code, Code::kFailedPrecondition);
  EXPECT_NE(text.error().message.find("message 2"), std::string::npos);
}

TEST(RenderChat, EndsRightAfterTheLastMessageWhenItContinues) {
  const auto parsed = Template::parse(kChatml);
  ChatRequest request;
  request.messages = conversation(kTwoTurns);
  request.continue_final_message = true;
  const auto text = render_chat(*parsed, request);
  ASSERT_TRUE(text.ok());
  EXPECT_TRUE(text->ends_with("assistant\nd e"));
}

TEST(RenderChat, RefusesToContinueWithoutAText) {
  const auto parsed = Template::parse(kChatml);
  ChatRequest request;
  request.messages = conversation(R"([{"role":"assistant","content":null,"tool_calls":[]}])");
  request.continue_final_message = true;
  EXPECT_EQ(render_chat(*parsed, request).error().code, Code::kInvalidArgument);
  request.messages = nullptr;
  EXPECT_EQ(render_chat(*parsed, request).error().code, Code::kInvalidArgument);
}

TEST(InCharacters, CountsCodePoints) {
  EXPECT_EQ(in_characters("aéb", {{1, 3}, {3, 4}}),
            (std::vector<std::pair<size_t, size_t>>{{1, 2}, {2, 3}}));
}

}  // namespace
}  // namespace mortise::engine
