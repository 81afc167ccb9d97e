#include "job/manifest.h"

#include <gtest/gtest.h>

namespace mortise::job {
namespace {

constexpr const char* kTrain =
    R"({"kind": "train", "name": "chest-v1", "model": "base", "dataset": "xray@2", "task": "vqa"})";

TEST(Manifest, FillsTheDefaultsOfEverySectionThatTheKindReads) {
  const auto manifest = parse_manifest(kTrain);
  ASSERT_TRUE(manifest.ok()) << manifest.error().text();
  EXPECT_EQ(manifest->json["train"]["learning_rate"].as_double(), 1e-4);
  EXPECT_EQ(manifest->json["method"]["type"].as_string(), "lora");
  EXPECT_EQ(manifest->json["method"]["r"].as_int(), 64);
  EXPECT_EQ(manifest->json["holdout"]["ratio"].as_double(), 0.1);
  EXPECT_EQ(manifest->json["plugins"]["loss"].as_string(), "mortise.loss_cross_entropy");
  EXPECT_EQ(manifest->device, "cpu");
  EXPECT_EQ(manifest->priority, 50);
  EXPECT_EQ(manifest->dataset, "xray@2");
}

TEST(Manifest, AnUnknownKeyIsAnsweredWithThoseThatAreKnown) {
  const auto refused = parse_manifest(
      R"({"kind": "train", "model": "m", "dataset": "d", "holdout": {"rato": 0.2}})");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "/holdout/rato");
  EXPECT_EQ(refused.error().message, "The field \"rato\" is unknown.");
  EXPECT_EQ(refused.error().hint.substr(0, 22), "Known here are: ratio,");
}

TEST(Manifest, AnUnknownTaskTypeIsAnsweredWithThoseThatAreKnown) {
  EXPECT_TRUE(check_task_type("vqa").ok());
  EXPECT_TRUE(check_task_type("report").ok());
  const auto refused = check_task_type("zzz");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "The task type \"zzz\" is unknown.");
  EXPECT_EQ(refused.error().hint,
            "The task types are: vqa, caption, sft, chat, preference, kto, pretrain, tokens, "
            "grounding, ocr, classification, asr, audio_qa, video_qa, report.");
}

TEST(Manifest, AnExportThatIsNotBuiltIsRefusedBeforeItIsAJob) {
  const auto refusal = [](const char* text) {
    const auto manifest = parse_manifest(text);
    return manifest.ok() ? base::Error(base::Code::kOk, "accepted") : manifest.error();
  };
  for (
      const char* text :
      {R"({"kind": "export", "model": "m", "export": ["onnx"]})",
       R"({"kind": "train", "model": "m", "dataset": "d", "export": ["peft", "onnx"]})",
       R"({"kind": "pipeline", "steps": [{"kind": "export", "model": "m", "export": ["onnx"]}]})"}) {
    const base::Error error = refusal(text);
    EXPECT_EQ(error.code, base::Code::kUnimplemented) << text;
    EXPECT_EQ(error.message, "This build does not write the format \"onnx\".");
    EXPECT_EQ(error.hint, "Take peft or hf.");
    EXPECT_EQ(error.field, "/export");
    EXPECT_EQ(error.file, "job.json");
  }
  EXPECT_EQ(
      refusal(R"({"kind": "export", "model": "m", "export": ["hf"], "quantize": "int8"})").field,
      "/quantize");
}

TEST(Manifest, KeepsWhatWasWritten) {
  const auto manifest = parse_manifest(
      R"({"kind": "train", "model": "m", "dataset": "d", "priority": 7,
          "train": {"max_steps": 3, "learning_rate": 0.5}, "export": ["peft"], "x-note": 1})");
  ASSERT_TRUE(manifest.ok()) << manifest.error().text();
  EXPECT_EQ(manifest->json["train"]["max_steps"].as_int(), 3);
  EXPECT_EQ(manifest->json["train"]["learning_rate"].as_double(), 0.5);
  EXPECT_EQ(manifest->json["train"]["seed"].as_int(), 42);
  EXPECT_EQ(manifest->priority, 7);
  EXPECT_EQ(manifest->exports, std::vector<std::string>{"peft"});
}

TEST(Manifest, TakesATokenizerPluginByItsId) {
  for (const char* rest : {R"("kind": "train", "dataset": "d")", R"("kind": "serve")",
                           R"("kind": "evaluate", "dataset": "d")"}) {
    const std::string head = std::string("{") + rest + R"(, "model": "m", "plugins": )";
    const auto manifest =
        parse_manifest(head + R"({"tokenizer": {"id": "com.example.words", "config": {"a": 1}}}})");
    ASSERT_TRUE(manifest.ok()) << manifest.error().text();
    EXPECT_EQ(manifest->json["plugins"]["tokenizer"]["id"].as_string(), "com.example.words");
    const auto plain = parse_manifest(head + "{}}");
    ASSERT_TRUE(plain.ok()) << plain.error().text();
    EXPECT_FALSE(plain->json["plugins"].contains("tokenizer"));
    for (const char* bad : {R"({"tokenizer": "com.example.words"}})", R"({"tokenizer": {}}})",
                            R"({"tokenizer": {"id": "Words!"}}})"}) {
      const auto refused = parse_manifest(head + bad);
      ASSERT_FALSE(refused.ok()) << bad;
      EXPECT_TRUE(refused.error().field.starts_with("/plugins/tokenizer")) << refused.error().field;
    }
  }
}

TEST(Manifest, NamesAnUnknownKeyAndTheDocument) {
  const auto manifest = parse_manifest(
      R"({"kind": "train", "model": "m", "dataset": "d", "train": {"lerning_rate": 1}})",
      "my.json");
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(manifest.error().code, base::Code::kInvalidArgument);
  EXPECT_EQ(manifest.error().file, "my.json");
  EXPECT_EQ(manifest.error().field, "/train/lerning_rate");
}

TEST(Manifest, RefusesATrainingWithoutADataset) {
  const auto manifest = parse_manifest(R"({"kind": "train", "model": "m"})");
  ASSERT_FALSE(manifest.ok());
  EXPECT_NE(manifest.error().message.find("dataset"), std::string::npos);
}

TEST(Manifest, GivesTheByteOfBadSyntax) {
  const auto manifest = parse_manifest(R"({"kind": "train",, })");
  ASSERT_FALSE(manifest.ok());
  EXPECT_GT(manifest.error().byte_offset, 0);
}

TEST(Manifest, RefusesWhatIsNoObject) {
  EXPECT_FALSE(parse_manifest("[]").ok());
  EXPECT_FALSE(parse_manifest("3").ok());
}

TEST(Manifest, RefusesStepsOutsideAPipeline) {
  EXPECT_FALSE(
      parse_manifest(R"({"kind": "export", "model": "m", "export": ["hf"], "steps": []})").ok());
}

TEST(Manifest, FillsTheStepsOfAPipeline) {
  const auto manifest = parse_manifest(
      R"({"kind": "pipeline", "steps": [{"kind": "train", "model": "m", "dataset": "d"}]})");
  ASSERT_TRUE(manifest.ok()) << manifest.error().text();
  EXPECT_EQ(manifest->json["steps"].at(0)["train"]["seed"].as_int(), 42);
}

TEST(Reference, ReadsANameWithAndWithoutItsVersion) {
  EXPECT_EQ(parse_reference("chest")->version, 0);
  const auto third = parse_reference("chest-x.y_z@3");
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->name, "chest-x.y_z");
  EXPECT_EQ(third->version, 3);
}

TEST(Reference, RefusesWhatCouldLeaveAFolderOrMeanNothing) {
  for (const char* text : {"", "../x", "a/b", "@1", "a@", "a@0", "a@-1", "a@1x", ".hidden",
                           "a@99999999999999999999"}) {
    EXPECT_FALSE(parse_reference(text).ok()) << text;
  }
  EXPECT_FALSE(is_valid_name(std::string(129, 'a')));
  EXPECT_TRUE(is_valid_name(std::string(128, 'a')));
}

}  // namespace
}  // namespace mortise::job
