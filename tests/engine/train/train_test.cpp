// The loop: equal runs, exact resume after a kill at any step, what it leaves, what it refuses.
#include "engine/train/train.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/engine/train/tiny_run.h"
#include "tests/support/faulty_file_ops.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

TEST_F(TinyRun, LearnsAndWritesAnAdapter) {
  const auto result = run(manifest(R"({"max_steps": 60, "learning_rate": 0.05})"), "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->steps, 60);
  EXPECT_EQ(result->train_rows, 8);
  EXPECT_GT(result->trained_parameters, 100);
  EXPECT_LT(result->last_loss, 0.7 * result->first_loss);
  EXPECT_FALSE(bytes_of("out/adapter/adapter_config.json").empty());
  const auto metrics = metrics_of("out");
  ASSERT_EQ(metrics.size(), 60u);
  for (const char* field : {"step", "epoch", "loss", "grad_norm", "learning_rate", "tokens",
                            "labelled_tokens", "examples", "seconds", "data_wait_seconds"}) {
    EXPECT_TRUE(metrics[0].contains(field)) << field;
  }
  EXPECT_EQ(metrics[3]["epoch"].as_double(), 1.0);  // four steps of two rows see all eight
}

TEST_F(TinyRun, EqualManifestsGiveEqualBits) {
  ASSERT_TRUE(run(manifest("{}"), "a").ok());
  ASSERT_TRUE(run(manifest(R"({"dataloader_num_workers": 0, "save_steps": 0})"), "b").ok());
  expect_same_run("a", "b");
}

TEST_F(TinyRun, AnotherSeedGivesAnotherRun) {
  ASSERT_TRUE(run(manifest("{}"), "a").ok());
  ASSERT_TRUE(run(manifest(R"({"seed": 43})"), "b").ok());
  EXPECT_NE(metrics_of("a")[2]["loss"].as_double(), metrics_of("b")[2]["loss"].as_double());
}

TEST_F(TinyRun, GoesOnBitForBitAfterAKillAtAnyStep) {
  expect_exact_resume(manifest("{}"));
}

TEST_F(TinyRun, GoesOnAfterCancelAndCheckpointRequests) {
  ASSERT_TRUE(run(manifest("{}"), "whole").ok());
  int64_t steps = 0;
  TrainHooks hooks;
  hooks.progress = [&](const TrainProgress& p) { steps = p.step; };
  hooks.wish = [&] {
    if (steps == 3) {
      steps = -1;
      return TrainWish::kCheckpoint;
    }
    return steps == 4 ? TrainWish::kCancel : TrainWish::kNone;
  };
  const auto stopped = run(manifest(R"({"save_steps": 0})"), "stopped", hooks);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, Code::kCancelled);

  const auto result = run(manifest(R"({"save_steps": 0})"), "stopped");

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->resumed_at, 3);
  expect_same_run("whole", "stopped");
}

TEST_F(TinyRun, LosesNothingWhenPowerFailsAtAnyCall) {
  const char* short_run = R"({"max_steps": 3, "save_steps": 1})";
  ASSERT_TRUE(run(manifest(short_run), "whole").ok());
  int cuts = 0;
  for (int call = 1;; call += 37) {  // not every one: each kind of call is cut somewhere
    const std::string output = "cut" + std::to_string(call);
    tests::FaultyFileOps files(base::posix_file_ops());
    files.lose_power_at(call);
    const bool finished = run(manifest(short_run), output, {}, files).ok();
    if (!files.was_hit()) break;
    EXPECT_FALSE(finished);
    files.lose_unsynced();

    const auto result = run(manifest(short_run), output);

    ASSERT_TRUE(result.ok()) << "cut at call " << call << ": " << result.error().text();
    expect_same_run("whole", output);
    ++cuts;
  }
  EXPECT_GT(cuts, 4);
}

TEST_F(TinyRun, JudgesHeldOutRowsWithoutTouchingTheRun) {
  write_rows(40);
  Json judged = manifest(R"({"max_steps": 6, "eval_steps": 2})");
  judged["holdout"] = Json::object({{"ratio", 0.3}});
  Json silent = manifest(R"({"max_steps": 6, "eval_steps": 0})");
  silent["holdout"] = judged["holdout"];
  const auto result = run(judged, "a");
  ASSERT_TRUE(result.ok()) << result.error().text();
  ASSERT_TRUE(run(silent, "b").ok());
  expect_same_run("a", "b");
  EXPECT_GT(result->held_out_rows, 3);
  EXPECT_EQ(result->held_out_rows + result->train_rows, 40);
  std::istringstream lines(bytes_of("a/eval.jsonl"));
  std::vector<int64_t> steps;
  for (std::string line; std::getline(lines, line);) {
    const Json json = *base::parse_json(line);
    steps.push_back(json["step"].as_int());
    EXPECT_EQ(json["rows"].as_int(), result->held_out_rows);
    EXPECT_GT(json["eval_loss"].as_double(), 0);
  }
  EXPECT_EQ(steps, (std::vector<int64_t>{2, 4, 6}));
  EXPECT_TRUE(bytes_of("b/eval.jsonl").empty());
}

TEST_F(TinyRun, FullTuningWritesAModelThatTrainsOn) {
  const char* full = R"({"type": "full"})";
  const auto result = run(manifest(R"({"max_steps": 30})", full), "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_LT(result->last_loss, result->first_loss);
  EXPECT_FALSE(bytes_of("out/model/config.json").empty());
  EXPECT_FALSE(bytes_of("out/model/model.safetensors").empty());
}

TEST_F(TinyRun, PackedAndUnpackedPassesGiveTheSameLoss) {
  const char* method = R"({"type": "lora", "r": 4, "lora_alpha": 8})";
  ASSERT_TRUE(
      run(manifest(R"({"gradient_accumulation_steps": 2, "packing": true})", method), "a").ok());
  ASSERT_TRUE(
      run(manifest(R"({"gradient_accumulation_steps": 2, "packing": false})", method), "b").ok());
  const auto a = metrics_of("a"), b = metrics_of("b");
  for (size_t s = 0; s < a.size(); ++s) {
    EXPECT_NEAR(a[s]["loss"].as_double(), b[s]["loss"].as_double(), 1e-5);
    EXPECT_NEAR(a[s]["grad_norm"].as_double(), b[s]["grad_norm"].as_double(), 1e-4);
  }
}

TEST_F(TinyRun, Bf16BaseLearnsToo) {
  const auto result =
      run(manifest(R"({"precision": "bf16", "max_steps": 60, "learning_rate": 0.05})"), "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_LT(result->last_loss, 0.8 * result->first_loss);
}

TEST_F(TinyRun, RefusesACheckpointOfAnotherManifest) {
  ASSERT_TRUE(run(manifest("{}"), "out").ok());
  const auto result = run(manifest(R"({"learning_rate": 0.02})"), "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kFailedPrecondition);
}

TEST_F(TinyRun, SaysWhatDiffersFromTheRunOfACheckpoint) {
  const auto refused = [&] {
    const auto result = run(manifest("{}"), "out");
    EXPECT_FALSE(result.ok());
    if (result.ok()) return std::string();
    EXPECT_EQ(result.error().code, Code::kFailedPrecondition);
    return result.error().message;
  };
  facts_ = *base::parse_json(R"({"packs": {"mortise.device_cpu": "aa"}})");
  ASSERT_TRUE(run(manifest("{}"), "out").ok());
  facts_["packs"]["mortise.device_cpu"] = "bb";
  EXPECT_NE(refused().find(R"(packs.mortise.device_cpu (was "aa", is "bb"))"), std::string::npos)
      << refused();
  facts_["packs"]["mortise.device_cpu"] = "aa";
  std::string weights = bytes_of("model/model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);  // one bit of one weight
  std::ofstream(folder_ + "/model/model.safetensors", std::ios::binary) << weights;
  EXPECT_NE(refused().find("model.model.safetensors"), std::string::npos) << refused();
}

TEST_F(TinyRun, NamesTheRowThatIsTooLong) {
  const auto result = run(manifest(R"({"max_length": 6, "shuffle": false})"), "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  EXPECT_EQ(result.error().row, 2);
  EXPECT_NE(result.error().message.find("7 tokens"), std::string::npos) << result.error().message;
}

TEST_F(TinyRun, RefusesWhatIsNotBuiltByName) {
  for (const char* setting :
       {R"({"base_quantization": "int8"})", R"({"lr_scheduler_type": "reduce_lr_on_plateau"})"}) {
    const auto result = run(manifest(setting), "out");
    ASSERT_FALSE(result.ok()) << setting;
    EXPECT_EQ(result.error().code, Code::kUnimplemented) << setting;
    EXPECT_FALSE(result.error().field.empty()) << setting;
  }
}

TEST_F(TinyRun, RefusesTargetsThatMatchNothingAndNamesThoseThereAre) {
  const auto result =
      run(manifest("{}", R"({"type": "lora", "target_modules": ["query_key_value"]})"), "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  EXPECT_NE(result.error().hint.find("q_proj"), std::string::npos) << result.error().text();
}

TEST_F(TinyRun, SaysThatADivergedRunHasDiverged) {
  const auto result = run(manifest(R"({"learning_rate": 1e30, "max_grad_norm": 0,
                                       "warmup_ratio": 0, "max_steps": 30})"),
                          "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kAborted) << result.error().text();
}

}  // namespace
}  // namespace mortise::engine
