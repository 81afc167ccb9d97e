// What tuning can be told: recomputed layers, groups of parameters, DoRA, the best checkpoint,
// stopping early; each with its exact resume and what it refuses.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "engine/train/judge.h"
#include "engine/weights/checkpoint.h"
#include "tests/engine/train/tiny_run.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

constexpr const char* kDora = R"({"type": "lora", "r": 4, "lora_alpha": 8, "lora_dropout": 0.1,
                                  "use_dora": true, "target_modules": "all-linear"})";
constexpr const char* kFull = R"({"type": "full"})";

class Tuning : public TinyRun {
 protected:
  // The largest change of each tensor of `file` between two runs.
  std::map<std::string, double> changes(const std::string& a, const std::string& b,
                                        const std::string& file) {
    std::map<std::string, double> out;
    const auto left = Checkpoint::open_file(base::posix_file_ops(), folder_ + "/" + a + file);
    const auto right = Checkpoint::open_file(base::posix_file_ops(), folder_ + "/" + b + file);
    EXPECT_TRUE(left.ok() && right.ok());
    for (const std::string& name : left->names()) {
      out[name] = (*left->tensor(name) - *right->tensor(name)).abs().max().item<double>();
    }
    return out;
  }
  base::Error refusal(const Json& manifest) {
    const auto result = run(manifest, "refused");
    EXPECT_FALSE(result.ok()) << manifest.dump();
    return result.ok() ? base::Error(Code::kInternal, "") : result.error();
  }
  Json judged(const char* train) {
    write_rows(40);
    Json out = manifest(train);
    out["holdout"] = Json::object({{"ratio", 0.3}});
    return out;
  }
};

TEST_F(Tuning, RecomputedLayersGiveTheSameBits) {
  int number = 0;
  for (const char* method :
       {R"({"type": "lora", "r": 4, "lora_dropout": 0.2, "target_modules": "all-linear"})", kDora,
        kFull}) {
    const std::string name = "plain" + std::to_string(++number);
    ASSERT_TRUE(run(manifest("{}", method), name).ok());
    const auto result = run(manifest(R"({"gradient_checkpointing": true})", method), name + "r");
    ASSERT_TRUE(result.ok()) << result.error().text();
    expect_same_run(name, name + "r");
  }
}

TEST_F(Tuning, ARunGoesOnWithLayersThatAreRecomputedFromNowOn) {
  ASSERT_TRUE(run(manifest("{}"), "whole").ok());
  int64_t steps = 0;
  TrainHooks hooks;
  hooks.progress = [&](const TrainProgress& p) { steps = p.step; };
  hooks.wish = [&] { return steps == 3 ? TrainWish::kCancel : TrainWish::kNone; };
  EXPECT_EQ(run(manifest("{}"), "stopped", hooks).error().code, Code::kCancelled);
  const auto result = run(manifest(R"({"gradient_checkpointing": true})"), "stopped");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->resumed_at, 2);
  expect_same_run("whole", "stopped");
}

TEST_F(Tuning, RecomputedRunsResumeExactly) {
  expect_exact_resume(manifest(R"({"gradient_checkpointing": true})", kDora));
}

TEST_F(Tuning, GroupsTrainAtTheirOwnRatesOrNotAtAll) {
  Json still = manifest(R"({"learning_rate": 0, "weight_decay": 0, "max_steps": 2})", kFull);
  ASSERT_TRUE(run(still, "still").ok());
  const Json groups = *base::parse_json(R"([
      {"pattern": "layers\\.0\\.", "frozen": true},
      {"pattern": "layers\\.1\\.mlp", "learning_rate": 0.02},
      {"pattern": "lm_head", "learning_rate": 0, "weight_decay": 0.5}])");
  Json own = manifest(R"({"learning_rate": 0.001, "weight_decay": 0, "max_steps": 1,
                          "warmup_ratio": 0, "lr_scheduler_type": "constant"})",
                      kFull);
  own["train"]["parameter_groups"] = groups;

  const auto result = run(own, "own");

  ASSERT_TRUE(result.ok()) << result.error().text();
  for (const auto& [name, change] : changes("still", "own", "/model/model.safetensors")) {
    // The first step of AdamW moves every number by its rate, as far as the gradient is not tiny.
    const bool is_frozen = name.find("layers.0.") != std::string::npos || name == "lm_head.weight";
    const bool is_fast = name.find("layers.1.mlp") != std::string::npos;
    EXPECT_NEAR(change, is_frozen ? 0 : is_fast ? 0.02 : 0.001, 1e-5) << name;
  }
}

TEST_F(Tuning, GroupsResumeExactly) {
  Json own = manifest("{}", kFull);
  own["train"]["parameter_groups"] = *base::parse_json(
      R"([{"pattern": "norm", "learning_rate": 0.001}, {"pattern": "embed", "frozen": true}])");
  expect_exact_resume(own);
}

TEST_F(Tuning, RefusesGroupsThatSayNothingOrTooMuch) {
  const auto with = [&](const char* groups) {
    Json json = manifest("{}", kFull);
    json["train"]["parameter_groups"] = *base::parse_json(groups);
    return refusal(json);
  };
  const base::Error nothing = with(R"([{"pattern": "norm", "frozen": true},
                                       {"pattern": "visual", "learning_rate": 1e-5}])");
  EXPECT_EQ(nothing.code, Code::kInvalidArgument);
  EXPECT_EQ(nothing.field, "/train/parameter_groups/1/pattern");
  EXPECT_NE(nothing.hint.find("model.embed_tokens.weight"), std::string::npos) << nothing.hint;
  EXPECT_EQ(with(R"([{"pattern": "("}])").field, "/train/parameter_groups/0/pattern");
  EXPECT_EQ(with(R"([{"pattern": ".", "frozen": true}])").field, "/train/parameter_groups");
  EXPECT_EQ(with(R"([{"pattern": "norm", "frozen": true, "learning_rate": 1}])").code,
            Code::kInvalidArgument);
}

TEST_F(Tuning, DoraLearnsResumesAndIsReadBack) {
  const auto result =
      run(manifest(R"({"max_steps": 60, "learning_rate": 0.05})", kDora), "learned");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_LT(result->last_loss, 0.7 * result->first_loss);
  const auto file = Checkpoint::open_file(base::posix_file_ops(),
                                          folder_ + "/learned/adapter/adapter_model.safetensors");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(
      file->contains("base_model.model.model.layers.0.self_attn.q_proj."
                     "lora_magnitude_vector"));
  expect_exact_resume(manifest("{}", kDora));
}

TEST_F(Tuning, JudgesAsTransformersDoes) {
  const BestSettings less{.load_at_end = true, .patience = 2, .threshold = 0.1};
  Verdict verdict;
  const std::vector<std::tuple<double, int64_t, int64_t>> steps = {
      // metric, best step then, waited then; a gain within the threshold is best and still waits
      {3.0, 1, 0},
      {2.95, 2, 1},
      {2.0, 3, 0},
      {2.5, 3, 1},
      {1.95, 5, 2}};
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto [metric, best, waited] = steps[i];
    verdict = judge(less, verdict, static_cast<int64_t>(i) + 1, metric);
    EXPECT_EQ(verdict.best_step, best) << i;
    EXPECT_EQ(verdict.waited, waited) << i;
  }
  EXPECT_TRUE(verdict.stops(less));
  const BestSettings more{.greater_is_better = true, .patience = 9};
  EXPECT_EQ(judge(more, {.best_step = 1, .best = 0.5, .waited = 0}, 2, 0.6).best_step, 2);
}

TEST_F(Tuning, EndsWithTheBestParametersAndStopsWhenNothingGetsBetter) {
  // A rate that overshoots: the loss over held-out rows rises soon.
  const Json json = judged(R"({"max_steps": 40, "eval_steps": 2, "learning_rate": 0.2,
                               "lr_scheduler_type": "constant", "warmup_ratio": 0,
                               "load_best_model_at_end": true, "early_stopping_patience": 3})");
  const auto result = run(json, "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_TRUE(result->stopped_early);
  EXPECT_EQ(result->steps, result->best_step + 6);
  std::istringstream lines(bytes_of("out/eval.jsonl"));
  double best = INFINITY;
  int64_t best_step = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json eval = *base::parse_json(line);
    if (eval["eval_loss"].as_double() >= best) continue;
    best = eval["eval_loss"].as_double();
    best_step = eval["step"].as_int();
  }
  EXPECT_EQ(result->best_step, best_step);
  EXPECT_EQ(result->best_metric, best);
  // What it leaves are the parameters of that step: a run that ends there leaves the same.
  Json until = json;
  until["train"]["max_steps"] = best_step;
  ASSERT_TRUE(run(until, "until").ok());
  for (const auto& [name, change] : changes("out", "until", "/adapter/adapter_model.safetensors")) {
    EXPECT_EQ(change, 0) << name;
  }
}

TEST_F(Tuning, TheBestCheckpointOutlivesAKill) {
  const Json json = judged(R"({"max_steps": 40, "eval_steps": 2, "save_steps": 3,
                               "learning_rate": 0.2, "lr_scheduler_type": "constant",
                               "warmup_ratio": 0, "load_best_model_at_end": true,
                               "early_stopping_patience": 3})");
  const auto whole = run(json, "whole");
  ASSERT_TRUE(whole.ok()) << whole.error().text();
  ASSERT_LT(whole->best_step, whole->steps);
  int64_t steps = 0;
  TrainHooks hooks;
  hooks.progress = [&](const TrainProgress& p) { steps = p.step; };
  hooks.wish = [&] { return steps == whole->steps - 1 ? TrainWish::kCancel : TrainWish::kNone; };
  EXPECT_EQ(run(json, "stopped", hooks).error().code, Code::kCancelled);
  const auto result = run(json, "stopped");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->best_step, whole->best_step);
  EXPECT_EQ(result->steps, whole->steps);
  expect_same_run("whole", "stopped");
  // Nothing is trained twice when a finished run is asked for again.
  const auto again = run(json, "stopped");
  ASSERT_TRUE(again.ok()) << again.error().text();
  EXPECT_EQ(again->resumed_at, whole->steps);
  expect_same_run("whole", "stopped");
}

TEST_F(Tuning, RefusesSettingsThatContradictEachOther) {
  const auto field_of = [&](const char* train, const char* method, double holdout) {
    Json json = manifest(train, method);
    json["holdout"] = Json::object({{"ratio", holdout}});
    const base::Error error = refusal(json);
    EXPECT_FALSE(error.hint.empty()) << error.text();
    return error.field;
  };
  const char* lora = R"({"type": "lora", "target_modules": ["q_proj"]})";
  EXPECT_EQ(field_of("{}", R"({"type": "full", "use_dora": true})", 0), "/method/use_dora");
  EXPECT_EQ(field_of("{}", R"({"type": "full", "rank_pattern": {"q_proj": 2}})", 0),
            "/method/rank_pattern");
  EXPECT_EQ(field_of("{}", R"({"layers_pattern": "layers"})", 0), "/method/layers_pattern");
  EXPECT_EQ(field_of("{}", R"({"target_modules": ["q_proj"], "rank_pattern": {"k_proj": 2}})", 0),
            "/method/rank_pattern");
  EXPECT_EQ(field_of(R"({"load_best_model_at_end": true})", lora, 0),
            "/train/load_best_model_at_end");
  EXPECT_EQ(field_of(R"({"early_stopping_patience": 1, "eval_steps": 0})", lora, 0.5),
            "/train/early_stopping_patience");
  EXPECT_EQ(field_of(R"({"metric_for_best_model": "loss"})", lora, 0.5),
            "/train/metric_for_best_model");
  EXPECT_EQ(
      field_of(R"({"metric_for_best_model": "bleu", "load_best_model_at_end": true})", lora, 0.5),
      "/train/metric_for_best_model");
}

}  // namespace
}  // namespace mortise::engine
