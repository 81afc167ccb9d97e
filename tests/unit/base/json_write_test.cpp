// Writing JSON: plain, indented and canonical.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/json.h"
#include "tests/unit/base/parsed.h"

namespace mortise::base {
namespace {

TEST(JsonDump, WritesOneLineOrIndented) {
  const Json value = parsed(R"({"a":[1,"x",null],"b":{},"c":[]})");
  EXPECT_EQ(value.dump(), R"({"a":[1,"x",null],"b":{},"c":[]})");
  EXPECT_EQ(value.dump(2),
            "{\n  \"a\": [\n    1,\n    \"x\",\n    null\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

TEST(JsonDump, EscapesWhatMustBeEscapedAndNothingElse) {
  EXPECT_EQ(json_quote("a\"b\\c\n\t\x01中/"), "\"a\\\"b\\\\c\\n\\t\\u0001中/\"");
  EXPECT_EQ(json_quote(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(JsonDump, KeepsDoublesDoublesAndReadsThemBack) {
  EXPECT_EQ(Json(1.0).dump(), "1.0");
  EXPECT_EQ(Json(-0.0).dump(), "-0.0");
  EXPECT_EQ(Json(0.1).dump(), "0.1");
  EXPECT_EQ(Json(1e21).dump(), "1e+21");
  std::mt19937_64 random(20261124);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(parsed(Json(value).dump()).as_double(), value);
    ASSERT_EQ(parsed(Json(value).canonical()), Json(value));
  }
}

TEST(JsonDump, WritesNullForWhatJsonCannotSay) {
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
}

TEST(JsonCanonical, GivesEqualValuesEqualBytes) {
  const std::pair<const char*, const char*> equal[] = {
      {R"({"b":1,"a":{"d":2,"c":3}})", R"({ "a" : {"c":3.0,"d":2}, "b":1e0 })"},
      {"[1.0,-0.0,100]", "[1,0,1e2]"},
      {"9223372036854775808", "9223372036854775808.0"},
      {"9007199254740992", "9007199254740992.0"},
      {"-9223372036854775808", "-9.223372036854775808e18"},
      {R"("\u4e2d\u002f")", R"("中/")"}};
  for (const auto& [one, other] : equal) {
    EXPECT_EQ(parsed(one), parsed(other));
    EXPECT_EQ(parsed(one).canonical(), parsed(other).canonical());
  }
  EXPECT_EQ(parsed(equal[0].first).canonical(), R"({"a":{"c":3,"d":2},"b":1})");
}

TEST(JsonCanonical, GivesDifferentValuesDifferentBytes) {
  EXPECT_NE(parsed("9007199254740993").canonical(), parsed("9007199254740992.0").canonical());
  EXPECT_NE(parsed("0.1").canonical(), parsed("0.10000000000000002").canonical());
  EXPECT_NE(parsed("\"1\"").canonical(), parsed("1").canonical());
  EXPECT_NE(parsed("[]").canonical(), parsed("{}").canonical());
  EXPECT_NE(parsed("null").canonical(), parsed("false").canonical());
}

}  // namespace
}  // namespace mortise::base
