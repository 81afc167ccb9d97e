#include "run/pipeline.h"

#include "tests/unit/run/run_fixture.h"

namespace mortise::run {
namespace {

using base::Code;
using base::Json;

class PipelineTest : public RunFixture {
 protected:
  static std::string steps(const std::string& gate) {
    return R"({"kind":"pipeline","name":"p","steps":[
      {"kind":"train","name":"tune","model":"m","dataset":"d"},
      {"kind":"evaluate","name":"judge","model":"m","adapter":"steps.tune","dataset":"d",
       "plugins":{"metrics":[{"id":"mortise.metric_bleu"}]},"gate":)" +
           gate + R"(},
      {"kind":"export","name":"out","model":"steps.tune","export":["peft"]}]})";
  }
};

TEST_F(PipelineTest, RunsItsStepsOneAfterTheOther) {
  const std::string id = submit(steps(R"({"metric":"mortise.metric_bleu.bleu","min_gain":5})"));
  ASSERT_TRUE(step_until_state(id, "done")) << job(id).error.dump();
  const Json done = job(id).record["steps"];
  ASSERT_EQ(done.size(), 3u);
  EXPECT_EQ(done.at(0)["models"].at(0).as_string(), "tune@1");
  const hub::Job judge = job(done.at(1)["job"].as_string());
  EXPECT_EQ(judge.manifest["adapter"].as_string(), "tune@1");
  EXPECT_EQ(judge.parent, id);
}

TEST_F(PipelineTest, StopsAtAClosedGate) {
  const std::string id = submit(steps(R"({"metric":"bleu","min":99})"));
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_NE(job(id).error["detail"].as_string().find("99"), std::string::npos);
  EXPECT_EQ(hub_->jobs().list({"", "export", ""}, {50, ""})->items.size(), 0u);
}

TEST_F(PipelineTest, FailsWithTheStepThatFailed) {
  const std::string id = submit(
      R"({"kind":"pipeline","steps":[{"kind":"train","model":"m","dataset":"d","x-fake":"fail"},
          {"kind":"export","model":"m","export":["hf"]}]})");
  ASSERT_TRUE(step_until_state(id, "failed"));
  EXPECT_EQ(job(id).error["hint"].as_string(), "It went wrong.");
}

TEST_F(PipelineTest, CancelsTheStepThatRuns) {
  const std::string id = submit(
      R"({"kind":"pipeline","steps":[{"kind":"train","model":"m","dataset":"d","x-fake":"wait"}]})");
  ASSERT_TRUE(step_until([&] { return job(id).progress["step"].as_int() == 1; }));
  ASSERT_TRUE(hub_->jobs().cancel(id).ok());
  ASSERT_TRUE(step_until_state(id, "cancelled"));
  EXPECT_EQ(hub_->jobs().list({"cancelled", "train", ""}, {50, ""})->items.size(), 1u);
}

TEST_F(PipelineTest, GoesOnAfterARestart) {
  const std::string id = submit(steps(R"({"metric":"bleu","min":1})"));
  ASSERT_TRUE(step_until([&] { return job(id).progress["step"].as_int() == 1; }));
  restart();
  ASSERT_TRUE(step_until_state(id, "done")) << job(id).error.dump();
  EXPECT_EQ(hub_->jobs().list({"", "train", ""}, {50, ""})->items.size(), 1u);
}

Json score(double value, const char* of) {
  return Json::object(
      {{"metric", "m"}, {"name", "bleu"}, {"group", ""}, {"value", value}, {"of", of}});
}

TEST(Gate, ComparesTheTunedWithTheBase) {
  const Json scores = Json::array({score(10, "base"), score(12, "tuned")});
  const auto gate = [&](const char* text) {
    return check_gate(base::parse_json(text).value(), scores);
  };
  EXPECT_TRUE(gate(R"({"metric":"bleu","min":12})").ok());
  EXPECT_TRUE(gate(R"({"metric":"m.bleu","min_gain":2})").ok());
  EXPECT_TRUE(gate(R"({"metric":"bleu","max":12})").ok());
  EXPECT_EQ(gate(R"({"metric":"bleu","min":12.5})").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(gate(R"({"metric":"bleu","max":11})").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(gate(R"({"metric":"bleu","min_gain":3})").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(gate(R"({"metric":"chrf","min":1})").error().code, Code::kNotFound);
}

TEST(Gate, NeedsTheBaseForAGain) {
  EXPECT_EQ(check_gate(base::parse_json(R"({"metric":"bleu","min_gain":3})").value(),
                       Json::array({score(12, "tuned")}))
                .error()
                .code,
            Code::kNotFound);
}

}  // namespace
}  // namespace mortise::run
