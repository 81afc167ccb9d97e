// Calls of tools out of an answer, whatever pieces it comes in.
#include "serve/tool_calls.h"

#include <gtest/gtest.h>

namespace mortise::serve {
namespace {

using base::Json;

constexpr ToolFormat kHermes = {"hermes", "<tool_call>", "</tool_call>"};
constexpr ToolFormat kMistral = {"mistral", "[TOOL_CALLS]", ""};

// "text|name(arguments)|..." of an answer that comes in pieces of `size` bytes.
std::string read(const ToolFormat& format, const std::string& answer, size_t size) {
  ToolCallReader reader(format, {"f", "g"});
  std::string text, calls;
  const auto add = [&](const ToolCallReader::Piece& piece) {
    text += piece.text;
    for (const ToolCall& call : piece.calls) calls += "|" + call.name + call.arguments;
  };
  for (size_t at = 0; at < answer.size(); at += size) add(reader.take(answer.substr(at, size)));
  add(reader.rest());
  return text + calls;
}

TEST(ToolCallReader, FindsCallsInPiecesOfAnySize) {
  const std::string one =
      "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1]}}\n</tool_call>";
  const std::string two = one + "\n<tool_call>{\"name\": \"g\"}</tool_call>\n";
  const std::string list =
      R"(Yes. [TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}])";
  for (const size_t size : {1u, 2u, 5u, 13u, 1000u}) {
    EXPECT_EQ(read(kHermes, one, size), R"(|f{"a":[1]})");
    EXPECT_EQ(read(kHermes, two, size), R"(|f{"a":[1]}|g{})");
    EXPECT_EQ(read(kHermes, "I look.\n\n" + one, size), R"(I look.|f{"a":[1]})");
    EXPECT_EQ(read(kMistral, list, size), R"(Yes.|f{"a":1}|g{})");
  }
}

TEST(ToolCallReader, KeepsTextThatIsNoCall) {
  for (const char* text :
       {"plain", " white space \n", "<tool_", "a < b <tool_call", "<tool_call>{\"name\": \"f\"",
        "<tool_call>no JSON</tool_call> more", "<tool_call>{\"name\": \"other\"}</tool_call>",
        "<tool_call>{\"name\": \"f\", \"arguments\": 7}</tool_call>",
        "<tool_call>[]</tool_call>"}) {
    for (const size_t size : {1u, 3u, 1000u}) EXPECT_EQ(read(kHermes, text, size), text);
  }
  EXPECT_EQ(read(kMistral, "[TOOL_CALLS] nothing", 4), "[TOOL_CALLS] nothing");
}

TEST(ToolCallReader, TakesACallThatTheAnswerEndsWith) {
  EXPECT_EQ(read(kHermes, "<tool_call>{\"name\": \"f\"}", 3), "|f{}");
}

TEST(ToolFormat, IsThatOfTheTemplate) {
  const auto format_of = [](const char* source) {
    const engine::ChatSetup chat{.chat_template = *engine::Template::parse(source),
                                 .variables = Json::object(),
                                 .is_default = false};
    const ToolFormat* format = tool_format_of(chat);
    return format == nullptr ? std::string() : std::string(format->name);
  };
  EXPECT_EQ(format_of("{% for t in tools %}{{ t | tojson }}{% endfor %}"
                      "Answer in <tool_call>...</tool_call>"),
            "hermes");
  EXPECT_EQ(format_of("{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}"
                      "{% if m.tool_calls %}[TOOL_CALLS]{{ m.tool_calls | tojson }}{% endif %}"
                      "{% endfor %}"),
            "mistral");
  EXPECT_EQ(format_of("{{ tools | tojson }}"), "") << "calls are written in no known way";
  EXPECT_EQ(format_of("<tool_call></tool_call>"), "") << "tools are not shown";
  EXPECT_EQ(format_of("{{ raise_exception('no tools') }}"), "");
  EXPECT_EQ(format_of(std::string(engine::default_chat_template()).c_str()), "");
}

}  // namespace
}  // namespace mortise::serve
