// "loss" and "loss_scale" of messages through whole runs: the weighted mean over tokens is exact.
#include <gtest/gtest.h>

#include "tests/engine/train/talk_run.h"

namespace mortise::engine {
namespace {

using base::Json;

// Two answers, of 4 and of 6 tokens with their end marks.
std::string row_of(const std::string& first, const std::string& second) {
  return R"({"messages": [{"role": "user", "content": "one?"},
                          {"role": "assistant", "content": "yes")" +
         first + R"(}, {"role": "user", "content": "two?"},
                       {"role": "assistant", "content": "never")" +
         second + "}]}";
}

class Weights : public TalkRun {
 protected:
  // Loss of the first step over two such rows.
  double loss_of(const std::string& first, const std::string& second, const char* train = "{}") {
    write_talk("chat", {row_of(first, second), row_of(first, second)});
    Json json = manifest(train);
    json["train"]["max_steps"] = 1;
    const auto result = run(json, "out" + std::to_string(++runs_));
    EXPECT_TRUE(result.ok()) << result.error().text();
    return result.ok() ? result->first_loss : 0;
  }
  int runs_ = 0;
};

TEST_F(Weights, AreAMeanOverTokensWeighedByTheirMessage) {
  const double first = loss_of("", R"(, "loss": false)");
  const double second = loss_of(R"(, "loss_scale": 0)", "");
  const double both = loss_of("", "");
  EXPECT_NEAR(both, (4 * first + 6 * second) / (4 + 6), 1e-6);
  const double weighed = loss_of(R"(, "loss_scale": 0.5)", R"(, "loss_scale": 3)");
  EXPECT_NEAR(weighed, (0.5 * 4 * first + 3 * 6 * second) / (0.5 * 4 + 3 * 6), 1e-6);
  EXPECT_GT(std::abs(weighed - both), 1e-4);
  // One weight for all changes nothing but the rounding.
  EXPECT_NEAR(loss_of(R"(, "loss_scale": 3)", R"(, "loss_scale": 3)"), both, 1e-6);
}

TEST_F(Weights, DoNotDependOnTheCutIntoPasses) {
  const char* first = R"(, "loss_scale": 0.5)";
  const double packed = loss_of(first, "", R"({"packing": true})");
  const double apart = loss_of(first, "", R"({"packing": false, "per_device_train_batch_size": 1,
                                              "gradient_accumulation_steps": 2})");
  EXPECT_NEAR(packed, apart, 1e-6);
}

TEST_F(Weights, RefuseAScaleThatIsNone) {
  write_talk("chat", {row_of("", ""), row_of("", R"(, "loss_scale": -1)")});
  const auto result = run(manifest(R"({"shuffle": false})"), "out");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().field, "/messages/3/loss_scale") << result.error().text();
  EXPECT_EQ(result.error().row, 2);
  write_talk("chat", {row_of(R"(, "loss": false)", R"(, "loss_scale": 0)")});
  EXPECT_EQ(run(manifest("{}"), "none").error().message, "The row leaves no token to learn.");
}

}  // namespace
}  // namespace mortise::engine
