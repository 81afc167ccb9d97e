// The formats of tool calls that published chat templates show.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file_ops.h"
#include "serve/tool_calls.h"

namespace mortise::serve {
namespace {

TEST(PublishedTemplates, ShowTheFormatOfTheirFamily) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set";
  const std::pair<const char*, const char*> kFolders[] = {
      {"qwen2.5", "hermes"}, {"qwen3", "hermes"}, {"smollm3", "hermes"}, {"phi-4-mini", ""}};
  for (const auto& [name, format] : kFolders) {
    const auto chat = engine::read_chat_setup(
        base::posix_file_ops(),
        std::string(fixtures) + "/chat-templates/tokenizer_configs/" + name);
    ASSERT_TRUE(chat.ok()) << chat.error().text();
    const ToolFormat* found = tool_format_of(*chat);
    EXPECT_EQ(found == nullptr ? "" : found->name, format) << name;
  }
}

}  // namespace
}  // namespace mortise::serve
