#include "ingest/field_map.h"

#include <gtest/gtest.h>

#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

base::Json mapped(const std::string& task, const std::string& row) {
  const auto map = propose_field_map(task, {json(row)}, {});
  if (!map.ok()) return map.error().text();
  const auto out = apply_field_map(*map, json(row));
  return out.ok() ? *out : base::Json(out.error().text());
}

TEST(FieldMap, ReadsQueryAndResponseAsQuestionAndOutput) {
  EXPECT_EQ(mapped("vqa", R"({"image":"a.png","query":"q","response":"r"})"),
            json(R"({"image_path":"a.png","question":"q","output":"r"})"));
}

TEST(FieldMap, AnExactNameWinsOverItsSynonyms) {
  EXPECT_EQ(mapped("vqa", R"({"image_path":"a.png","question":"q","prompt":"p","output":"r"})"),
            json(R"({"image_path":"a.png","question":"q","prompt":"p","output":"r"})"));
}

TEST(FieldMap, TwoColumnsForOneTargetAskForMap) {
  const auto map = propose_field_map(
      "vqa", {json(R"({"image":"a.png","query":"q","prompt":"p","output":"r"})")}, {});
  ASSERT_FALSE(map.ok());
  EXPECT_NE(map.error().message.find("\"query\""), std::string::npos);
  EXPECT_NE(map.error().hint.find("--map question=query"), std::string::npos);
}

TEST(FieldMap, AnOverrideDecides) {
  const auto map =
      propose_field_map("vqa", {json(R"({"image":"a.png","query":"q","prompt":"p","output":"r"})")},
                        {{"question", "prompt"}});
  ASSERT_TRUE(map.ok()) << map.error().text();
  EXPECT_EQ(map->to_json()["question"], base::Json("prompt"));
}

TEST(FieldMap, AnOverrideOfAColumnThatNoRowHasIsRefused) {
  const auto map = propose_field_map("vqa", {json(R"({"image":"a.png"})")}, {{"question", "ask"}});
  ASSERT_FALSE(map.ok());
  EXPECT_EQ(map.error().field, "ask");
}

TEST(FieldMap, AnUnknownTaskTypeListsTheKnownOnes) {
  const auto map = propose_field_map("poetry", {json("{}")}, {});
  ASSERT_FALSE(map.ok());
  EXPECT_NE(map.error().hint.find("vqa"), std::string::npos);
}

TEST(FieldMap, AlpacaRowsBecomeMessages) {
  EXPECT_EQ(
      mapped("sft", R"({"instruction":"Add.","input":"1 2","output":"3","system":"s"})"),
      json(R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"Add.\n1 2"},
               {"role":"assistant","content":"3"}]})"));
}

TEST(FieldMap, ShareGptTurnsBecomeMessages) {
  EXPECT_EQ(mapped("chat", R"({"conversations":[{"from":"human","value":"h"},
                                                {"from":"gpt","value":"g"}]})"),
            json(R"({"messages":[{"role":"user","content":"h"},
                                 {"role":"assistant","content":"g"}]})"));
}

TEST(FieldMap, AnUnknownRoleIsNamedWithItsPlace) {
  const base::Json row = json(R"({"messages":[{"role":"wizard","content":"h"}]})");
  const auto map = propose_field_map("chat", {row}, {});
  ASSERT_TRUE(map.ok());
  const auto out = apply_field_map(*map, row);
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().field, "/messages/0/role");
  EXPECT_NE(out.error().message.find("wizard"), std::string::npos);
}

}  // namespace
}  // namespace mortise::ingest
