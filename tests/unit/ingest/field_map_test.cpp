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

// A synonym that a list had in two spellings made one column two candidates.
TEST(FieldMap, AColumnIsOneCandidateHoweverItIsSpelt) {
  for (const char* name : {"text", "TEXT", "Text"}) {
    const std::string row = R"({"image":"a.png",")" + std::string(name) + R"(":"a film"})";
    EXPECT_EQ(mapped("caption", row), json(R"({"image_path":"a.png","output":"a film"})")) << name;
  }
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

struct LayoutCase {
  const char* task;
  const char* layout;
  const char* row;
  const char* expected;
};

// One row of each layout that schemas/field_map.json knows, and what it becomes.
constexpr LayoutCase kLayouts[] = {
    {"sft", "Alpaca", R"({"instruction":"i","output":"o","history":[["a","b"]],"system":"s"})",
     R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},
         {"role":"assistant","content":"b"},{"role":"user","content":"i"},
         {"role":"assistant","content":"o"}]})"},
    {"sft", "Alpaca with response", R"({"instruction":"i","response":"o"})",
     R"({"messages":[{"role":"user","content":"i"},{"role":"assistant","content":"o"}]})"},
    {"sft", "ms-swift query and response", R"({"query":"q","response":"r"})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}]})"},
    {"sft", "TRL prompt and completion", R"({"prompt":"q","completion":"r"})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}]})"},
    {"pretrain", "ms-swift response alone", R"({"response":"r"})", R"({"text":"r"})"},
    {"chat", "ShareGPT",
     R"({"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"r"}]})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}]})"},
    {"chat", "LLaVA",
     R"({"id":"1","image":"a.jpg","conversations":[{"from":"human","value":"<image>\nq"},
         {"from":"gpt","value":"r"}]})",
     R"({"id":"1","images":["a.jpg"],"messages":[{"role":"user","content":"<image>\nq"},
         {"role":"assistant","content":"r"}]})"},
    {"sft", "ms-swift conversation of pairs", R"({"conversation":[{"human":"q","assistant":"r"}]})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}]})"},
    {"sft", "OpenAI and ms-swift messages, LLaMA-Factory v1, TRL, Axolotl",
     R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},
         {"type":"image_url","image_url":{"url":"x.png"}},{"type":"text","value":"b"}]},
         {"role":"assistant","content":"r","train":false}]})",
     R"({"messages":[{"role":"user","content":"a<image>b"},
         {"role":"assistant","content":"r","loss":false}],"images":["x.png"]})"},
    {"preference", "TRL preference", R"({"prompt":"q","chosen":"r","rejected":"w"})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected_response":"w"})"},
    {"preference", "TRL preference, the prompt inside",
     R"({"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"w"}]})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected_response":"w"})"},
    {"preference", "LLaMA-Factory ShareGPT preference",
     R"({"conversations":[{"from":"human","value":"q"}],"chosen":{"from":"gpt","value":"r"},
         "rejected":{"from":"gpt","value":"w"}})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected_response":"w"})"},
    {"preference", "LLaMA-Factory v1 preference",
     R"({"chosen_messages":[{"role":"user","content":[{"type":"text","value":"q"}]},
         {"role":"assistant","content":"r","loss_weight":1}],
         "rejected_messages":[{"role":"user","content":"q"},{"role":"assistant","content":"w"}]})",
     R"({"messages":[{"role":"user","content":"q"},
         {"role":"assistant","content":"r","loss_scale":1}],"rejected_response":"w"})"},
    {"preference", "OpenAI preference",
     R"({"input":{"messages":[{"role":"user","content":"q"}]},
         "preferred_output":[{"role":"assistant","content":"r"}],
         "non_preferred_output":[{"role":"assistant","content":"w"}]})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected_response":"w"})"},
    {"preference", "ms-swift preference",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected_response":"w"})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected_response":"w"})"},
    {"preference", "StackExchange pairs", R"({"question":"q","response_j":"r","response_k":"w"})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "rejected_response":"w"})"},
    {"kto", "TRL prompt, completion and label", R"({"prompt":"q","completion":"r","label":true})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "label":true})"},
    {"kto", "TRL prompt, completion and label",
     R"({"prompt":[{"role":"user","content":"q"}],
         "completion":[{"role":"assistant","content":"r"}],"label":false})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "label":false})"},
    {"kto", "ms-swift messages and label",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "label":false})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "label":false})"},
    {"kto", "LLaMA-Factory ShareGPT with kto_tag",
     R"({"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"r"}],
         "kto_tag":true})",
     R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"r"}],
         "label":true})"},
    {"kto", "LLaMA-Factory Alpaca with kto_tag",
     R"({"instruction":"q","input":"i","output":"r","kto_tag":true})",
     R"({"messages":[{"role":"user","content":"q\ni"},{"role":"assistant","content":"r"}],
         "label":true})"},
    {"vqa", "report as question and answer",
     R"({"image_path":"a.png","findings":"Clear.","impression":"Normal."})",
     R"({"image_path":"a.png","findings":"Clear.","impression":"Normal.",
         "question":"Describe the findings and give the impression of this image.",
         "output":"Findings: Clear.\nImpression: Normal."})"},
};

TEST(FieldMap, KnowsTheLayoutsOfOtherPeople) {
  for (const LayoutCase& one : kLayouts) {
    const auto map = propose_field_map(one.task, {json(one.row)}, {});
    ASSERT_TRUE(map.ok()) << one.layout << ": " << map.error().text();
    EXPECT_EQ(map->layout, one.layout);
    EXPECT_GE(map->confidence, 80) << one.layout;
    EXPECT_EQ(mapped(one.task, one.row), json(one.expected)) << one.layout;
  }
}

TEST(FieldMap, ImgTagsInTheTextNameMedia) {
  EXPECT_EQ(mapped("sft", R"({"query":"<img>a.png</img>x<img>b.png</img>","response":"r <img>"})"),
            json(R"({"messages":[{"role":"user","content":"<image>x<image>"},
                     {"role":"assistant","content":"r <img>"}],"images":["a.png","b.png"]})"));
}

TEST(FieldMap, TwoLayoutsThatFitEquallyWellAsk) {
  const base::Json row = json(R"({"prompt":"p","completion":"c","query":"q","response":"r"})");

  const auto asked = propose_field_map("sft", {row}, {});
  const auto answered =
      propose_field_map("sft", {row}, {{"query", "prompt"}, {"output", "completion"}});

  ASSERT_FALSE(asked.ok());
  EXPECT_NE(asked.error().message.find("TRL prompt and completion"), std::string::npos);
  EXPECT_NE(asked.error().hint.find("--map"), std::string::npos);
  ASSERT_TRUE(answered.ok()) << answered.error().text();
  EXPECT_EQ(answered->to_json()["query"], base::Json("prompt"));
}

TEST(FieldMap, ALayoutNeedsItsColumnsInEveryRow) {
  const auto map = propose_field_map(
      "sft", {json(R"({"query":"q","response":"r"})"), json(R"({"query":"q"})")}, {});
  ASSERT_TRUE(map.ok()) << map.error().text();
  EXPECT_EQ(map->layout, "");
  EXPECT_EQ(map->to_json()["output"], base::Json("response"));
}

TEST(FieldMap, AnUnknownPartAndAnswersThatDifferTooMuchAreNamed) {
  EXPECT_NE(mapped("chat", R"({"messages":[{"role":"user","content":[{"type":"smell"}]}]})")
                .as_string()
                .find("/messages/0/content/0/type"),
            std::string::npos);
  EXPECT_NE(mapped("preference", R"({"chosen":[{"role":"user","content":"a"}],"rejected":[]})")
                .as_string()
                .find("/rejected_response"),
            std::string::npos);
}

}  // namespace
}  // namespace mortise::ingest
