// The fast form of rows against the one for all rows: the same canonical row, or no answer.
#include "ingest/tape_shape.h"

#include <gtest/gtest.h>

#include "base/json_read.h"
#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

// "same", "slow" where the fast way does not answer, or the two rows.
std::string compared(const std::string& task, const std::string& row) {
  base::RowReader reader;
  const auto map = propose_field_map(task, {json(row)}, {});
  EXPECT_TRUE(map.ok()) << row;
  TapeShape shape(*map);
  const auto fast = shape.shape(reader.scan(row).value());
  if (!fast) return "slow";
  const auto slow = apply_field_map(*map, json(row));
  EXPECT_TRUE(slow.ok()) << row;
  const std::string a = fast->to_json().canonical(), b = slow->canonical();
  return a == b ? "same" : a + " is not " + b;
}

TEST(TapeShape, PlainTextRowsAreShapedAsTheLongWayShapesThem) {
  EXPECT_EQ(compared("sft", R"({"messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":"a","weight":1}],"id":7})"),
            "same");
  EXPECT_EQ(compared("sft", R"({"conversations":[{"from":"human","value":"q"},
      {"from":"gpt","value":"a"}]})"),
            "same");
  EXPECT_EQ(compared("sft", R"({"instruction":"i","input":"x","output":"o"})"), "same");
  EXPECT_EQ(compared("sft", R"({"instruction":"i","input":"","output":"o","system":"s"})"), "same");
  EXPECT_EQ(compared("sft", R"({"query":"q","response":"r"})"), "same");
  EXPECT_EQ(compared("sft", R"({"prompt":"q","completion":"r","source":{"a":[1,2.5]}})"), "same");
  EXPECT_EQ(compared("chat", R"({"messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":"a"}],"tools":"[]"})"),
            "same");
  EXPECT_EQ(compared("pretrain", R"({"response":"text"})"), "same");
  EXPECT_EQ(compared("pretrain", R"({"content":"text"})"), "same");
  EXPECT_EQ(compared("classification", R"({"sentence":"t","category":3})"), "same");
  EXPECT_EQ(compared("preference", R"({"messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":"a"}],"rejected_response":"b"})"),
            "same");
}

TEST(TapeShape, WhatNeedsThoughtIsLeftToTheLongWay) {
  EXPECT_EQ(compared("vqa", R"({"image":"a.png","query":"q","response":"r"})"), "slow");
  EXPECT_EQ(compared("sft", R"({"messages":[{"role":"user","content":[{"type":"text",
      "text":"q"}]},{"role":"assistant","content":"a"}]})"),
            "slow");
  EXPECT_EQ(compared("sft", R"({"messages":[{"role":"user","content":"<img>a.png</img>"},
      {"role":"assistant","content":"a"}]})"),
            "slow");
  EXPECT_EQ(compared("sft", R"({"conversation":[{"human":"q","assistant":"a"}]})"), "slow");
  EXPECT_EQ(compared("sft", R"({"query":"q","response":"r","history":[["a","b"]]})"), "slow");
  EXPECT_EQ(compared("sft", R"({"query":"q","response":["r","s"]})"), "slow");
  EXPECT_EQ(compared("preference", R"({"prompt":"q","chosen":"a","rejected":"b"})"), "slow");
}

}  // namespace
}  // namespace mortise::ingest
