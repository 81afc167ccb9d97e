// Json and JsonDocument of the C++ wrapper: what is accepted, what is refused and where.
#include "mortise/cpp/json_parse.hpp"

#include <gtest/gtest.h>

#include <random>

namespace mortise::sdk {
namespace {

Failure refusal(const std::string& text, const JsonLimits& limits = {}) {
  try {
    JsonDocument::parse(text, limits, "config.json");
  } catch (const Failure& failure) {
    return failure;
  }
  return Failure(MORTISE_STATUS_OK, "accepted");
}

TEST(JsonDocument, ReadsEveryType) {
  const auto document = JsonDocument::parse(
      R"( {"a": [1, -2.5e1, true, false, null], "b": {"c": "x"}, "": 9223372036854775807} )");

  const Json root = document.root();
  const auto items = root["a"].items();

  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].as_integer(), 1);
  EXPECT_EQ(items[1].as_double(), -25.0);
  EXPECT_TRUE(items[2].as_bool());
  EXPECT_FALSE(items[3].as_bool());
  EXPECT_TRUE(items[4].is_null());
  EXPECT_EQ(root["b"]["c"].as_text(), "x");
  EXPECT_EQ(root[""].as_integer(), INT64_MAX);
  EXPECT_FALSE(root["z"].exists());
}

TEST(JsonDocument, UnescapesTexts) {
  const auto document =
      JsonDocument::parse(R"(["\"\\\/\b\f\n\r\t", "\u00e9\ud83d\ude00x", "\u0000"])");

  const auto items = document.root().items();

  EXPECT_EQ(items[0].as_text(), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(items[1].as_text(), "\xC3\xA9\xF0\x9F\x98\x80x");
  EXPECT_EQ(items[2].as_text(), std::string_view("\0", 1));
}

TEST(JsonDocument, KeepsHandlesValidWhenMoved) {
  auto document = JsonDocument::parse(R"({"a": "text"})");
  const Json value = document.root()["a"];

  const JsonDocument moved = std::move(document);

  EXPECT_EQ(value.as_text(), "text");
}

TEST(JsonDocument, LargeIntegerBecomesDouble) {
  const auto document = JsonDocument::parse("[9223372036854775808]");

  EXPECT_FALSE(document.root().items()[0].is_integer());
  EXPECT_EQ(document.root().items()[0].as_double(), 9223372036854775808.0);
}

TEST(JsonDocument, RefusesMalformedTextNamingTheByte) {
  const struct {
    const char* text;
    int64_t byte;
  } kCases[] = {{"", 0},          {"{", 1},           {"[1,]", 3},
                {"{\"a\" 1}", 5}, {"[1] 2", 4},       {"\"abc", 4},
                {"\"a\\", 3},     {"\"\\x\"", 3},     {"01", 2},
                {"1.", 2},        {"1e", 2},          {"-", 1},
                {"nul", 0},       {"\"\\ud800\"", 7}, {"\"\\udc00\"", 7},
                {"\"\n\"", 1},    {"1e999", 5},       {"\"\\u12g4\"", 3},
                {"{a:1}", 1},     {"[\"\xC3(\"]", 2}, {"\xEF\xBB\xBF{}", 0}};

  for (const auto& one : kCases) {
    const Failure failure = refusal(one.text);
    EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT) << one.text;
    EXPECT_EQ(failure.byte, one.byte) << one.text << ": " << failure.message;
    EXPECT_EQ(failure.file, "config.json");
    EXPECT_FALSE(failure.hint.empty()) << one.text << ": " << failure.message;
  }
}

TEST(JsonDocument, RefusesDuplicateKeys) {
  const Failure failure = refusal(R"({"b": 1, "a": {"k": 1, "\u006b": 2}})");

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure.message, "Bad JSON: the key \"k\" stands twice.");
  EXPECT_EQ(failure.field, "/a/k");
  EXPECT_EQ(failure.byte, 23);  // the quote of the second one
  EXPECT_EQ(failure.hint, "Keep one of the two.");
}

TEST(JsonDocument, RefusesWhatIsOverALimit) {
  JsonLimits limits;
  limits.size_bytes = 10;
  limits.depth = 2;
  limits.values = 3;

  EXPECT_EQ(refusal("[1, 2, 3, 4]", limits).code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(refusal("[1,2,3,4]", limits).code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(refusal("[[[1]]]", limits).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(refusal("[[1]]", limits).message, "accepted");
}

// Any bytes give a document or a Failure with a place inside the text; never a crash. The
// sanitizers of the dev build watch.
TEST(JsonDocument, SurvivesMutatedTexts) {
  const std::string seed_text =
      R"({"model": {"vocab": {"\u00e9\ud83d\ude00": 1, "b": -2.5e3}, "merges": [["a", "b"], []]},)"
      R"( "x": [true, false, null, "\\\"\n"]})";
  constexpr uint32_t kSeed = 20240517;
  std::mt19937 random(kSeed);
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  int accepted = 0;

  for (int round = 0; round < 20000; ++round) {
    std::string text = seed_text;
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 5);
          break;
        case 2:
          text.insert(at, 1, "{}[]\",:\\u0"[random() % 10]);
          break;
        default:
          text.resize(at + 1);
      }
      if (text.empty()) break;
    }
    const auto size = static_cast<int64_t>(text.size());
    const Failure failure = refusal(text);
    if (failure.code == MORTISE_STATUS_OK) {
      ++accepted;
    } else {
      EXPECT_GE(failure.byte, 0) << text;
      EXPECT_LE(failure.byte, size) << text;
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(Json, NamesThePointerOfAWrongType) {
  const auto document = JsonDocument::parse(R"({"x": 0, "list": [{"a": 1}, {"b": ["t"]}]})");
  const Json wrong = document.root()["list"].items()[1]["b"].items()[0];

  try {
    wrong.as_integer();
    FAIL() << "accepted";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.field, "/list/1/b/0");
    EXPECT_EQ(failure.message, "\"/list/1/b/0\" is not an integer.");
  }
}

TEST(Json, GivesDefaultsForMissingAndNull) {
  const auto document = JsonDocument::parse(R"({"n": null, "i": 3, "t": "x"})");
  const Json root = document.root();

  EXPECT_EQ(root.get("n", 7), 7);
  EXPECT_EQ(root.get("i", 7), 3);
  EXPECT_EQ(root.get("i", 0.5), 3.0);
  EXPECT_EQ(root.get("t", "y"), "x");
  EXPECT_EQ(root.get("u", "y"), "y");
  EXPECT_TRUE(root.get("u", true));
  EXPECT_THROW(root.get("t", 1), Failure);
}

}  // namespace
}  // namespace mortise::sdk
