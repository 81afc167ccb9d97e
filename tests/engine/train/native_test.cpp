// What README and ARCHITECTURE promise of the CPU's pack: training calls its kernels, and nothing
// is composed in their place without anybody noticing.
#include <gtest/gtest.h>

#include "tests/engine/train/tiny_run.h"
#include "tests/support/cpu_pack.h"

namespace mortise::engine {
namespace {

class NativeRun : public TinyRun {
 protected:
  void train(const char* settings, const char* method) {
    ops_ = tests::cpu_pack_ops();
    const auto result = run(manifest(settings, method), "out");
    ASSERT_TRUE(result.ok()) << result.error().text();
    ASSERT_EQ(result->steps, 3);
    for (const auto& [name, counts] : counts_) {
      EXPECT_EQ(counts.composed, 0u) << name;
      EXPECT_EQ(counts.fallback, 0u) << name;
    }
  }
  void expect_called(std::initializer_list<const char*> ops) {
    for (const char* op : ops) EXPECT_GT(counts_[op].native, 0u) << op;
  }
};

TEST_F(NativeRun, ThreeStepsOfLoraRunOnTheKernelsAlone) {
  train(R"({"max_steps": 3})",
        R"({"type": "lora", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"})");

  expect_called({"embedding", "linear_lora", "linear_lora_grad", "rms_norm", "rms_norm_grad",
                 "rope", "attention", "attention_grad", "swiglu", "swiglu_grad",
                 "linear_cross_entropy", "linear_cross_entropy_grad", "adamw"});
}

TEST_F(NativeRun, ThreeStepsOfAllWeightsRunOnTheKernelsAlone) {
  train(R"({"max_steps": 3})", R"({"type": "full"})");

  expect_called({"embedding", "embedding_grad", "linear", "linear_grad_input", "linear_grad_weight",
                 "rms_norm", "rms_norm_grad", "rope", "attention", "attention_grad", "swiglu",
                 "swiglu_grad", "linear_cross_entropy", "linear_cross_entropy_grad", "adamw"});
}

// The counts see it: without the pack every call is the host's composition.
TEST_F(NativeRun, WithoutThePackTheCountsSaySo) {
  ASSERT_TRUE(run(manifest(R"({"max_steps": 3})"), "out").ok());

  for (const auto& [name, counts] : counts_) EXPECT_EQ(counts.native, 0u) << name;
  EXPECT_GT(counts_["attention"].fallback, 0u);
}

}  // namespace
}  // namespace mortise::engine
