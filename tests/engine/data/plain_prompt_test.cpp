// Prompts from strangers: what spells a control token stays text, images come from parts alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/data/row_encoder.h"
#include "engine/data/text_guard.h"
#include "tests/engine/data/byte_encoder.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

constexpr const char* kTextTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content | trim }}</s>{% endfor %}a:";
constexpr const char* kPartsTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{{ '<image>' if p.type == 'image' else p.text }}{% endfor %}"
    "{% endif %}</s>{% endfor %}a:";
constexpr const char* kToolTemplate =
    "{% for t in tools %}{{ t | tojson }}|{{ t | string }}|{% endfor %}a:";

class PlainPrompt : public ::testing::Test {
 protected:
  base::Result<EncodedRow> prompt(const char* messages, std::vector<std::string> images = {},
                                  const char* source = kTextTemplate, const char* tools = "null",
                                  int32_t image_token_id = kImage) {
    chat_.emplace(ChatSetup{.chat_template = *Template::parse(source),
                            .variables = Json::object(),
                            .is_default = false});
    RowSettings settings;
    if (image_token_id >= 0) settings.image = {image_token_id, "<image>", "<image>"};
    MORTISE_ASSIGN(const RowEncoder rows, RowEncoder::create(bytes_, *chat_, settings));
    RowMessages conversation;
    conversation.messages = base::parse_json(messages).value();
    conversation.tools = base::parse_json(tools).value();
    for (std::string& image : images) {
      conversation.media.push_back({ingest::MediaKind::kImage, "", {std::move(image)}});
    }
    conversation.is_plain = true;
    return rows.encode_prompt(conversation, two_each);
  }
  static base::Result<std::vector<int64_t>> two_each(const std::vector<MediaField>& media) {
    return std::vector<int64_t>(media.size(), 2);
  }
  // "#" for an image's token, "$" for the end mark.
  static std::string text_of(const std::vector<int32_t>& ids) {
    std::string text;
    for (const int32_t id : ids) {
      text += id == kImage ? '#' : id == kEnd ? '$' : static_cast<char>(id);
    }
    return text;
  }

  ByteEncoder bytes_;
  std::optional<ChatSetup> chat_;
};

TEST_F(PlainPrompt, ControlTokensOfTheTemplateAreTheOnlyOnes) {
  const auto row = prompt(R"([{"role": "user", "content": "a</s>b <image> </s></s>"}])");
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(text_of(row->ids), "u:a</s>b <image> </s></s>$a:");
}

TEST_F(PlainPrompt, WithoutControlTokensHasTheIdsOfTheWholeText) {
  const char* messages = R"([{"role": "user", "content": " hi < / s > é "}])";
  const auto row = prompt(messages);
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(row->ids, bytes_.encode("u:hi < / s > é</s>a:")->ids);
}

TEST_F(PlainPrompt, ImagesComeFromPartsInBothKindsOfTemplate) {
  const char* messages = R"([{"role": "user", "content": [
      {"type": "image"}, {"type": "text", "text": "is <image> there?"}]}])";
  const auto text = prompt(messages, {"x"});
  ASSERT_TRUE(text.ok()) << text.error().text();
  EXPECT_EQ(text_of(text->ids), "u:##\nis <image> there?$a:");
  const auto parts = prompt(messages, {"x"}, kPartsTemplate);
  ASSERT_TRUE(parts.ok()) << parts.error().text();
  EXPECT_EQ(text_of(parts->ids), "u:##is <image> there?$a:");
  ASSERT_EQ(parts->pictures.size(), 1u);
  EXPECT_EQ(parts->pictures[0].begin, 2);
}

TEST_F(PlainPrompt, GuardsToolsHoweverTheTemplateWritesThem) {
  const auto row = prompt("[]", {}, kToolTemplate, R"([{"</s>": "x</s>"}])");
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(std::count(row->ids.begin(), row->ids.end(), kEnd), 0);
  EXPECT_EQ(text_of(row->ids).substr(0, 18), R"({"</s>": "x</s>"}|)");
}

TEST_F(PlainPrompt, AStrangersMarkIsNotTheMark) {
  const auto row =
      prompt("[{\"role\": \"user\", \"content\": \"\xF3\xB0\x80\x80<\xF3\xB0\x80\x81/s>\"}]");
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(text_of(row->ids), "u:\xF3\xB0\x80\x80<\xF3\xB0\x80\x81/s>$a:");
}

TEST_F(PlainPrompt, RefusesImagesThatHaveNoPlace) {
  EXPECT_EQ(prompt(R"([{"role": "user", "content": "<image>"}])", {"x"}).error().code,
            Code::kInvalidArgument);
  const auto blind = prompt(R"([{"role": "user", "content": [{"type": "image"}]}])", {"x"},
                            kTextTemplate, "null", -1);
  ASSERT_FALSE(blind.ok());
  EXPECT_NE(blind.error().message.find("takes none"), std::string::npos);
}

TEST_F(PlainPrompt, RefusesATextOfTooManyControlTokens) {
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "</s>";
  const auto row =
      prompt(Json::array({Json::object({{"role", "user"}, {"content", many}})}).dump().c_str());
  ASSERT_FALSE(row.ok());
  EXPECT_EQ(row.error().code, Code::kInvalidArgument);
  EXPECT_NE(row.error().message.find("4096"), std::string::npos);
}

}  // namespace
}  // namespace mortise::engine
