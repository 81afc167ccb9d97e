// The goldens once more through the table of the shipped device_cpu: every operation native, every
// number within the same tolerance.
#ifdef MORTISE_WITH_DEVICE_CPU
#include <ATen/TensorOperators.h>

#include "engine/infer/generate.h"
#include "golden_case.h"
#include "tests/support/cpu_pack.h"

namespace mortise::engine {
namespace {

void expect_all_native(const Device& device) {
  EXPECT_GE(device.counts().size(), 10u);
  for (const auto& [name, counts] : device.counts()) {
    EXPECT_GT(counts.native, 0u) << name;
    EXPECT_EQ(counts.composed + counts.fallback, 0u) << name;
  }
}

class DeviceCpuGolden : public testing::TestWithParam<const char*> {};

TEST_P(DeviceCpuGolden, ForwardAndGradientsMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();
  for (Parameter& parameter : model->parameters) make_trainable(parameter);
  Device device(tests::cpu_pack_ops());

  const auto result = forward_tensors(device, *model, golden.inputs(), model->parameters);

  ASSERT_TRUE(result.ok()) << result.error().text();
  const TensorMap out = map_of(*result);
  expect_close("logits", out.at("logits"), golden.tensor("out.logits"),
               golden.tolerance("out.logits"), golden.tensor("in.attention_mask"));
  expect_close("loss", out.at("loss"), golden.tensor("out.loss"), golden.tolerance("out.loss"));
  for (const auto& [key, want] : golden.tensors()) {
    if (!key.starts_with("grad.")) continue;
    ASSERT_TRUE(out.contains(key)) << key;
    expect_close(key, out.at(key), want, golden.tolerance("grad"));
  }
  expect_all_native(device);
}

INSTANTIATE_TEST_SUITE_P(Cases, DeviceCpuGolden,
                         testing::Values("llama-1", "llama-2", "qwen2-1", "qwen2-2", "qwen3-1",
                                         "mistral-1", "llava-1", "qwen2_vl-1", "qwen2_5_vl-1",
                                         "qwen2_audio-1"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(DeviceCpuGoldenBf16, IsWithinTwiceTheReferencesOwnDistance) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("llama-3-bf16");
  const auto model = golden.load();
  for (Parameter& parameter : model->parameters) make_trainable(parameter);
  Device device(tests::cpu_pack_ops());

  const auto result = forward_tensors(device, *model, golden.inputs(), model->parameters);

  ASSERT_TRUE(result.ok()) << result.error().text();
  const TensorMap out = map_of(*result);
  const base::Json& distance = golden.info()["bf16_vs_fp32"];
  expect_close("logits", out.at("logits"), golden.tensor("out.logits_fp32"),
               {2 * distance["logits_max"].as_double(), 0}, golden.tensor("in.attention_mask"));
  for (const auto& [key, want] : golden.tensors()) {
    if (!key.starts_with("grad_fp32.")) continue;
    const at::Tensor& got = out.at("grad." + key.substr(10));
    const double off =
        (got.to(at::kDouble) - want).norm().item<double>() / want.norm().item<double>();
    EXPECT_LE(off, 2 * distance["grad_rel_norm_max"].as_double()) << key;
  }
  expect_all_native(device);
}

TEST(DeviceCpuStories260K, GreedyIdsOf200TokensAreExact) {
  MORTISE_NEED_FIXTURES();
  const std::string folder = fixtures_folder() + "/weights/stories260K-hf";
  const auto text =
      base::read_file(base::posix_file_ops(), folder + "/expected_greedy.json").value();
  const base::Json expected = base::parse_json(text).value();
  const auto model = load_model(base::posix_file_ops(), folder);
  ASSERT_TRUE(model.ok()) << model.error().text();
  GenerateRequest request;
  request.prompt = {static_cast<int32_t>(expected["prompt_ids"].at(0).as_int())};
  request.new_tokens_max = 200;
  request.logprobs = 0;
  Device device(tests::cpu_pack_ops());

  const auto result = generate(device, **model, request);

  ASSERT_TRUE(result.ok()) << result.error().text();
  ASSERT_EQ(result->tokens.size(), 200u);
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(result->tokens[i].id, expected["greedy_ids"].at(i + 1).as_int()) << "token " << i;
    EXPECT_NEAR(result->tokens[i].logprob, expected["greedy_logprobs"].at(i).as_double(), 1e-3);
  }
}

}  // namespace
}  // namespace mortise::engine
#endif
