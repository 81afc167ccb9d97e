// OpenAI's messages as conversations.
#include <gtest/gtest.h>

#include "serve/serve.h"

namespace mortise::serve {
namespace {

using base::Code;
using base::Json;

base::Result<engine::RowMessages> conversation(const char* messages) {
  return conversation_of(Json::object({{"messages", base::parse_json(messages).value()}}));
}

TEST(Conversation, KeepsTextsAsTextAndImagesAsParts) {
  const auto made = conversation(R"([{"role": "user", "content": [
      {"type": "text", "text": "<im"}, {"type": "text", "text": "age>"},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
      {"type": "text", "text": "?"}]}])");
  ASSERT_TRUE(made.ok()) << made.error().text();
  EXPECT_TRUE(made->is_plain);
  EXPECT_EQ(made->messages.at(0)["content"].dump(),
            R"([{"type":"text","text":"<image>"},{"type":"image"},{"type":"text","text":"?"}])");
  EXPECT_EQ(made->media, (std::vector<engine::MediaField>{
                             {ingest::MediaKind::kImage, "", {"data:image/png;base64,AA=="}}}));
}

TEST(Conversation, GivesTemplatesArgumentsAsValues) {
  const auto made = conversation(R"([{"role": "developer", "content": "be brief"},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
          "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
      {"role": "tool", "tool_call_id": "c", "content": "7"}])");
  ASSERT_TRUE(made.ok()) << made.error().text();
  EXPECT_EQ(made->messages.at(0)["role"].as_string(), "system");
  EXPECT_EQ(made->messages.at(1)["content"].as_string(), "");
  EXPECT_EQ(made->messages.at(1)["tool_calls"].at(0)["function"]["arguments"]["a"].as_int(), 1);
}

TEST(Conversation, NamesThePartThatIsWrong) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"([{"role": "bot", "content": "x"}])", "messages[0].role"},
      {R"([{"role": "user", "content": 7}])", "messages[0].content"},
      {R"([{"role": "user", "content": [{"type": "file"}]}])", "messages[0].content"},
      {R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "",
            "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}])",
       "messages[1].tool_calls[0].function.arguments"},
  };
  for (const auto& [messages, field] : kCases) {
    const auto made = conversation(messages);
    ASSERT_FALSE(made.ok()) << messages;
    EXPECT_EQ(made.error().code, Code::kInvalidArgument);
    EXPECT_EQ(made.error().field, field);
  }
}

TEST(DataUrl, GivesTheBytesOfAnImageAndFetchesNothing) {
  EXPECT_EQ(bytes_of_data_url("data:image/png;base64,UE5H").value(), "PNG");
  for (const char* url : {"http://x/y.png", "data:text/plain;base64,UE5H", "data:image/png,PNG",
                          "data:image/png;base64,???"}) {
    EXPECT_EQ(bytes_of_data_url(url).error().code, Code::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace mortise::serve
