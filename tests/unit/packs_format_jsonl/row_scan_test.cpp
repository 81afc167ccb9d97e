// The short way of a row against the parser of the SDK: what the scan accepts, the parser accepts.
#include "plugins/builtin/format_jsonl/row_scan.h"

#include <gtest/gtest.h>

#include <mortise/cpp/json_parse.hpp>
#include <random>

namespace mortise::format_jsonl {
namespace {

bool is_row(std::string_view line) {
  try {
    return sdk::JsonDocument::parse(std::string(line), sdk::JsonLimits{}).root().is_object();
  } catch (const sdk::Failure&) {
    return false;
  }
}

TEST(RowScan, PlainRowsAreSurelyRows) {
  EXPECT_TRUE(is_surely_row("{}"));
  EXPECT_TRUE(is_surely_row(R"({"a":1,"b":-0.5,"c":true,"d":null,"e":[],"f":{"a":[1,"x"]}})"));
  EXPECT_TRUE(is_surely_row(R"({"text":"肺部 \"clear\"\n 中 😀 tail"})"));
}

TEST(RowScan, WhatIsNoRowOrNeedsCareIsNotAccepted) {
  for (const char* line : {"",
                           "[]",
                           "1",
                           "{",
                           R"({"a":1,})",
                           R"({"a":1}x)",
                           R"({"a":1,"a":2})",
                           R"({"a":01})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":+1})",
                           R"({"a":tru})",
                           R"({"a":"\x"})",
                           R"({"a":"\ud800"})",
                           R"({"a":1e5})",
                           R"({"\u0061":1})",
                           "{\"a\":\"\x01\"}",
                           "{\"a\":\"\xC0\x80\"}",
                           "{\"a\":\"\xED\xA0\x80\"}",
                           "{\"a\":\"\xE8\x82\"}",
                           R"({"a":"open)",
                           R"({'a':1})",
                           R"({"a":NaN})"}) {
    EXPECT_FALSE(is_surely_row(line)) << line;
  }
}

TEST(RowScan, OfARowWithDamageItNeverSaysYesWhereTheParserSaysNo) {
  const uint32_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  const std::string good =
      R"({"messages":[{"role":"user","content":"肺部é\n"},{"n":[1,-2.5,null,true]}],"id":"\"x"})";
  size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string line = good;
    for (auto changes = random() % 3; changes > 0; --changes) {
      const size_t at = random() % line.size();
      if (random() % 3 == 0) {
        line.erase(at, 1 + random() % 3);
      } else {
        line[at] = static_cast<char>(random() % 2 == 0 ? random() : "\"\\{}[]:,0e"[random() % 10]);
      }
    }
    if (!is_surely_row(line)) continue;
    ++accepted;
    ASSERT_TRUE(is_row(line)) << "seed " << seed << ": " << line;
  }
  EXPECT_GT(accepted, 5000u);
}

}  // namespace
}  // namespace mortise::format_jsonl
