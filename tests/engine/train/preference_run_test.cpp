// DPO and KTO as whole runs through the packs: every number of a step against the papers' formulas
// on logits, exact resume, what is refused.
#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "engine/lora/adapter.h"
#include "engine/model/model.h"
#include "plugin/preference_loss.h"
#include "plugin/registry.h"
#include "tests/engine/train/talk_run.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Json;

constexpr double kBeta = 0.7;
constexpr const char* kLora = R"({"type": "lora", "r": 4, "lora_alpha": 8,
                                  "target_modules": "all-linear"})";

std::string pair_row(const std::string& question, const std::string& better,
                     const std::string& worse) {
  return R"({"messages": [{"role": "user", "content": ")" + question +
         R"("}, {"role": "assistant", "content": ")" + better + R"("}], "rejected_response": ")" +
         worse + "\"}";
}
std::string judged_row(const std::string& question, const std::string& answer, bool label) {
  return R"({"messages": [{"role": "user", "content": ")" + question +
         R"("}, {"role": "assistant", "content": ")" + answer + R"("}], "label": )" +
         (label ? "true}" : "false}");
}

class PreferenceRun : public TalkRun {
 protected:
  void SetUp() override {
    TalkRun::SetUp();
    auto search = pack::usual_search(base::posix_file_ops(), "", false);
    ASSERT_TRUE(search.ok()) << search.error().text();
    registry_ = std::make_unique<plugin::Registry>(std::move(*search), services_);
  }
  void use(const char* id, const char* config) {
    auto loss = registry_->open_preference_loss(id, *base::parse_json(config));
    ASSERT_TRUE(loss.ok()) << loss.error().text();
    loss_.emplace(std::move(*loss));
    preference_ = &*loss_;
  }
  void write_pairs() {
    write_talk("preference", {pair_row("one?", "yes", "never"), pair_row("two?", "a b", "c"),
                              pair_row("three?", "good", "bad one"), pair_row("x", "y", "zz")});
  }
  void write_judged() {
    write_talk("kto", {judged_row("one?", "yes", true), judged_row("two?", "nothing", false),
                       judged_row("three?", "good", true), judged_row("x", "zz", true)});
  }
  // Every step sees all four rows in their order.
  Json whole_steps(int64_t steps, const char* method = kLora) {
    Json json = manifest(R"({"per_device_train_batch_size": 4, "shuffle": false,
                             "lr_scheduler_type": "constant", "warmup_ratio": 0,
                             "max_length": 64})",
                         method);
    json["train"]["max_steps"] = steps;
    return json;
  }

  // The sum of log p over the labels of one conversation, from logits.
  Tensor log_prob(Model& model, const std::string& prompt, const std::string& answer) {
    const auto ids = bytes_.encode(prompt + answer + "</s>")->ids;
    const auto first = static_cast<int64_t>(bytes_.encode(prompt)->ids.size());
    TextInputs in;
    in.ids = int_tensor(ids);
    for (size_t t = 0; t < ids.size(); ++t) in.positions.push_back(static_cast<int32_t>(t));
    in.bounds = Bounds::of({0, static_cast<int32_t>(ids.size())});
    Pass pass{.device = &device_};
    const TextOutputs out = run_text(pass, model, in);
    const Tensor logits = logits_of(pass, model, out.last).to(at::kDouble);
    const Tensor log_p = at::log_softmax(logits, 1);
    Tensor sum;
    for (int64_t t = first; t < static_cast<int64_t>(ids.size()); ++t) {
      const Tensor one = log_p[t - 1][ids[static_cast<size_t>(t)]];
      sum = sum.defined() ? sum + one : one;
    }
    return sum;
  }
  static std::string prompt_of(const std::string& question) { return "u:" + question + "\na:"; }
  static double size_of(const std::string& answer) { return double(answer.size()) + 1; }

  struct Loaded {
    std::unique_ptr<Model> model, base;
    std::unique_ptr<Adapter> adapter;
  };
  // Model and adapter as the run `output` left them, ready for gradients; and the bare base.
  Loaded load(const std::string& output) {
    auto& files = base::posix_file_ops();
    Loaded out{load_model(files, folder_ + "/model").value(),
               load_model(files, folder_ + "/model").value(), nullptr};
    out.adapter = Adapter::load(files, folder_ + "/" + output + "/adapter", *out.model).value();
    for (const Parameter& parameter : out.adapter->parameters()) {
      parameter.tensor->set_requires_grad(true);
    }
    return out;
  }
  static double grad_norm(const Adapter& adapter) {
    double sum = 0;
    for (const Parameter& parameter : adapter.parameters()) {
      const Tensor grad = parameter.tensor->grad();
      if (grad.defined()) sum += grad.to(at::kDouble).square().sum().item<double>();
    }
    return std::sqrt(sum);
  }
  // Step 4 of a run against `loss` over what three steps left.
  void expect_step(const Json& step, const Tensor& loss, const Adapter& adapter) {
    loss.backward();
    EXPECT_NEAR(step["loss"].as_double(), loss.item<double>(), 1e-5);
    EXPECT_NEAR(step["grad_norm"].as_double() / grad_norm(adapter), 1, 1e-4);
  }

  plugin::HostServices services_;
  std::unique_ptr<plugin::Registry> registry_;
  std::optional<plugin::PreferenceLoss> loss_;
  Device device_;
};

const std::vector<std::array<std::string, 3>> kPairs = {{"one?", "yes", "never"},
                                                        {"two?", "a b", "c"},
                                                        {"three?", "good", "bad one"},
                                                        {"x", "y", "zz"}};

TEST_F(PreferenceRun, BeginsAtTheLogarithmOfTwoAndLearnsToPrefer) {
  use("mortise.loss_dpo", "{}");
  write_pairs();
  Json json = whole_steps(40);
  json["train"]["learning_rate"] = 0.02;
  const auto result = run(json, "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  const auto metrics = metrics_of("out");
  EXPECT_NEAR(metrics[0]["loss"].as_double(), std::log(2.0), 1e-9);
  EXPECT_EQ(metrics[0]["rewards/margins"].as_double(), 0);
  EXPECT_EQ(metrics[0]["examples"].as_int(), 4);
  EXPECT_LT(metrics[39]["loss"].as_double(), 0.35);
  EXPECT_EQ(metrics[39]["rewards/accuracies"].as_double(), 1);
  EXPECT_NEAR(
      metrics[39]["rewards/margins"].as_double(),
      metrics[39]["rewards/chosen"].as_double() - metrics[39]["rewards/rejected"].as_double(),
      1e-12);
}

TEST_F(PreferenceRun, DpoComputesItsFormula) {
  for (const std::string type : {"sigmoid", "ipo"}) {
    use("mortise.loss_dpo", (R"({"beta": 0.7, "loss_type": ")" + type + "\"}").c_str());
    write_pairs();
    ASSERT_TRUE(run(whole_steps(3), type + "3").ok());
    ASSERT_TRUE(run(whole_steps(4), type + "4").ok());
    const Json step = metrics_of(type + "4").at(3);
    Loaded m = load(type + "3");
    Tensor loss, margins;
    for (const auto& [question, better, worse] : kPairs) {
      const auto gain = [&](const std::string& answer) {
        const Tensor g = log_prob(*m.model, prompt_of(question), answer) -
                         log_prob(*m.base, prompt_of(question), answer).detach();
        return type == "ipo" ? g / size_of(answer) : g;
      };
      const Tensor d = gain(better) - gain(worse);
      const Tensor one = type == "ipo" ? (d - 1 / (2 * kBeta)).square()
                                       : -at::log_softmax(at::stack({d * kBeta, d * 0}), 0)[0];
      loss = loss.defined() ? loss + one / 4 : one / 4;
      margins = margins.defined() ? margins + d * kBeta / 4 : d * kBeta / 4;
    }
    expect_step(step, loss, *m.adapter);
    EXPECT_NEAR(step["rewards/margins"].as_double(), margins.item<double>(), 1e-5);
  }
}

TEST_F(PreferenceRun, TheBeginningOfAPairIsComputedOnce) {
  use("mortise.loss_dpo", "{}");
  write_talk("preference", {pair_row("one?", "yes", "never"), pair_row("two?", "a b", "c")});
  ASSERT_TRUE(run(whole_steps(1), "out").ok());
  // "u:one?\na:" has 9 tokens, of which the last is computed for either answer; behind an answer
  // stand its end mark and "\n".
  EXPECT_EQ(metrics_of("out")[0]["tokens"].as_int(),
            (9 + 3 + 2) + (1 + 5 + 2) + (9 + 3 + 2) + (1 + 1 + 2));
  EXPECT_EQ(metrics_of("out")[0]["labelled_tokens"].as_int(), 4 + 6 + 4 + 2);
}

TEST_F(PreferenceRun, KtoComputesItsFormula) {
  use("mortise.loss_kto", R"({"beta": 0.7, "undesirable_weight": 2})");
  write_judged();
  ASSERT_TRUE(run(whole_steps(3), "three").ok());
  ASSERT_TRUE(run(whole_steps(4), "four").ok());
  const Json step = metrics_of("four").at(3);
  Loaded m = load("three");
  const std::vector<std::tuple<std::string, std::string, bool>> rows = {{"one?", "yes", true},
                                                                        {"two?", "nothing", false},
                                                                        {"three?", "good", true},
                                                                        {"x", "zz", true}};
  const auto gain = [&](const std::string& question, const std::string& answer) {
    return log_prob(*m.model, prompt_of(question), answer) -
           log_prob(*m.base, prompt_of(question), answer).detach();
  };
  // The "\n" behind an answer is no label, but it is part of the row that lends its answer.
  double kl = 0;
  for (size_t i = 0; i < 4; ++i) {
    kl += gain(std::get<0>(rows[i]), std::get<1>(rows[(i + 3) % 4])).item<double>() / 4;
  }
  kl = std::max(0.0, kl);
  Tensor loss;
  for (const auto& [question, answer, is_wanted] : rows) {
    const Tensor x = (gain(question, answer) - kl) * (is_wanted ? kBeta : -kBeta);
    const Tensor one = (1 - x.sigmoid()) * (is_wanted ? 1 : 2) / 4;
    loss = loss.defined() ? loss + one : one;
  }
  EXPECT_GT(kl, 0.01);
  EXPECT_NEAR(step["kl"].as_double(), kl, 1e-5);
  expect_step(step, loss, *m.adapter);
  EXPECT_FALSE(step.contains("rewards/accuracies"));
}

TEST_F(PreferenceRun, DoesNotDependOnTheCutIntoPassesAndResumesExactly) {
  use("mortise.loss_dpo", R"({"label_smoothing": 0.1})");
  write_pairs();
  Json cut = whole_steps(4);
  cut["train"]["packing"] = false;
  cut["train"]["per_device_train_batch_size"] = 1;
  cut["train"]["gradient_accumulation_steps"] = 4;
  ASSERT_TRUE(run(whole_steps(4), "packed").ok());
  ASSERT_TRUE(run(cut, "cut").ok());
  EXPECT_NEAR(metrics_of("packed")[3]["loss"].as_double(), metrics_of("cut")[3]["loss"].as_double(),
              1e-6);
  Json drops = whole_steps(7, R"({"type": "lora", "r": 4, "lora_dropout": 0.2, "use_dora": true,
                                  "target_modules": "all-linear"})");
  drops["train"]["per_device_train_batch_size"] = 3;
  drops["train"]["gradient_checkpointing"] = true;
  expect_exact_resume(drops);
}

TEST_F(PreferenceRun, KtoResumesExactlyWithAllWeightsAndJudgesHeldOutRows) {
  use("mortise.loss_kto", "{}");
  write_judged();
  expect_exact_resume(whole_steps(7, R"({"type": "full"})"));
  const auto metrics = metrics_of("whole");
  EXPECT_EQ(metrics[0]["kl"].as_double(), 0);  // the reference is the model it began as
  EXPECT_NEAR(metrics[0]["loss"].as_double(), 0.5, 1e-9);
  EXPECT_LT(metrics[6]["loss"].as_double(), 0.5);
}

TEST_F(PreferenceRun, ChoosesTheBestCheckpointByARewardOfHeldOutPairs) {
  use("mortise.loss_dpo", "{}");
  std::vector<std::string> rows;
  for (int i = 0; i < 24; ++i) rows.push_back(pair_row("q" + std::to_string(i), "good", "bad"));
  write_talk("preference", rows);
  Json json = whole_steps(8);
  json["train"]["eval_steps"] = 2;
  json["train"]["metric_for_best_model"] = "rewards/margins";
  json["train"]["load_best_model_at_end"] = true;
  json["holdout"] = Json::object({{"ratio", 0.3}});
  const auto result = run(json, "out");
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->best_step, 8);
  EXPECT_GT(result->best_metric, 0);
  EXPECT_NE(bytes_of("out/eval.jsonl").find("eval_rewards/accuracies"), std::string::npos);
}

TEST_F(PreferenceRun, RefusesRowsAndLossesThatDoNotBelongTogether) {
  const auto field_of = [&](const char* task, const std::string& row, const char* loss,
                            int64_t batch = 4) {
    if (loss != nullptr) use(loss, "{}");
    if (loss == nullptr) preference_ = nullptr;
    write_talk(task, {row, row});
    Json json = whole_steps(1);
    json["train"]["per_device_train_batch_size"] = batch;
    const auto result = run(json, "refused");
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::kInvalidArgument) << result.error().text();
    EXPECT_FALSE(result.error().hint.empty());
    return result.error().field;
  };
  const std::string pair = pair_row("q", "a", "b"), judged = judged_row("q", "a", true);
  EXPECT_EQ(field_of("preference", pair, nullptr), "/plugins/loss");
  EXPECT_EQ(field_of("preference", pair, "mortise.loss_kto"), "/plugins/loss");
  EXPECT_EQ(field_of("kto", judged, "mortise.loss_dpo"), "/plugins/loss");
  EXPECT_EQ(field_of("kto", judged, "mortise.loss_kto", 1), "/train/per_device_train_batch_size");
  EXPECT_EQ(field_of("kto", pair, "mortise.loss_kto"), "/label");
  EXPECT_EQ(field_of("preference", judged, "mortise.loss_dpo"), "/rejected_response");
  EXPECT_EQ(field_of("preference", R"({"messages": [{"role": "user", "content": "q"}],
                                       "rejected_response": "a"})",
                     "mortise.loss_dpo"),
            "/messages");
  EXPECT_EQ(field_of("preference", R"({"messages": [{"role": "assistant", "content": "q",
                                       "loss_scale": 2}], "rejected_response": "a"})",
                     "mortise.loss_dpo"),
            "/messages/0");
}

}  // namespace
}  // namespace mortise::engine
