// Adapters as PEFT wrote them: forward, loss, gradients of every factor, and the merged model.
#include <ATen/TensorOperators.h>

#include "engine/lora/adapter.h"
#include "golden_case.h"

namespace mortise::engine {
namespace {

struct Variant {
  const char* model;
  const char* lora;
};
void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.model << "/" << variant.lora;
}

// The inputs of the variant; where it has none, those of its base case.
TensorMap inputs_of(const GoldenCase& base, const GoldenCase& variant) {
  return variant.has("in.input_ids") ? variant.inputs() : base.inputs();
}

class GoldenLora : public testing::TestWithParam<Variant> {};

TEST_P(GoldenLora, ForwardLossAndGradientsMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase base(GetParam().model);
  const GoldenCase golden(std::string(GetParam().model) + "/lora-" + GetParam().lora);
  const auto model = base.load();
  const auto adapter = Adapter::load(base::posix_file_ops(), golden.folder() + "/adapter", *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  std::vector<Parameter> trained = (*adapter)->parameters();
  for (Parameter& parameter : trained) make_trainable(parameter);
  const TensorMap inputs = inputs_of(base, golden);
  Device device;

  const auto result = forward_tensors(device, *model, inputs, trained);

  ASSERT_TRUE(result.ok()) << result.error().text();
  const TensorMap out = map_of(*result);
  if (golden.has("out.logits")) {
    expect_close("logits", out.at("logits"), golden.tensor("out.logits"),
                 golden.tolerance("logits"), inputs.at("attention_mask"));
  }
  expect_close("loss", out.at("loss"), golden.tensor("out.loss"), golden.tolerance("loss"));
  size_t compared = 0, computed = 0;
  for (const auto& [key, want] : golden.tensors()) {
    if (!key.starts_with("grad.")) continue;
    ASSERT_TRUE(out.contains(key)) << key << " was not computed";
    expect_close(key, out.at(key), want, golden.tolerance("grad"));
    ++compared;
  }
  for (const auto& [key, tensor] : out) computed += key.starts_with("grad.");
  EXPECT_GE(compared, 2u);
  EXPECT_EQ(computed, compared);
}

class GoldenMerge : public testing::TestWithParam<Variant> {};

TEST_P(GoldenMerge, GivesTheReferencesLogitsAndWeights) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase base(GetParam().model);
  const GoldenCase golden(std::string(GetParam().model) + "/lora-" + GetParam().lora);
  const auto model = base.load();
  auto adapter = Adapter::load(base::posix_file_ops(), golden.folder() + "/adapter", *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  const auto merged = (*adapter)->merge();
  ASSERT_TRUE(merged.ok()) << merged.error().text();
  const TensorMap inputs = inputs_of(base, golden);
  Device device;

  const auto result = forward_tensors(device, *model, inputs, {});

  ASSERT_TRUE(result.ok()) << result.error().text();
  expect_close("logits", map_of(*result).at("logits"), golden.tensor("merged.logits"),
               golden.tolerance("logits"), inputs.at("attention_mask"));
  if (golden.name() != "llama-1/lora-r8-all7") return;  // only this one states the weights too
  const auto weights =
      Checkpoint::open_file(base::posix_file_ops(), golden.folder() + "/merged.safetensors");
  ASSERT_TRUE(weights.ok()) << weights.error().text();
  const TensorMap ours = map_of(tensors_on_disk(*model));
  for (const std::string& name : weights->names()) {
    ASSERT_TRUE(ours.contains(name)) << name;
    expect_close(name, ours.at(name), weights->tensor(name).value(), golden.tolerance("merged"));
  }
}

TEST(GoldenLoraBf16, Fp32AdapterOnABf16BaseIsWithinTheStatedDistance) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase base("llama-3-bf16"), golden("llama-3-bf16/lora-r8-all7");
  const auto model = base.load();
  const auto adapter = Adapter::load(base::posix_file_ops(), golden.folder() + "/adapter", *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  std::vector<Parameter> trained = (*adapter)->parameters();
  for (Parameter& parameter : trained) make_trainable(parameter);
  Device device;

  const auto result = forward_tensors(device, *model, golden.inputs(), trained);

  ASSERT_TRUE(result.ok()) << result.error().text();
  const TensorMap out = map_of(*result);
  const double distance = base.info()["bf16_vs_fp32"]["logits_max"].as_double();
  expect_close("logits", out.at("logits"), golden.tensor("out.logits"), {2 * distance, 0},
               golden.tensor("in.attention_mask"));
  const double limit = golden.info()["tolerance"]["grad"]["relative_norm_per_tensor"].as_double();
  ASSERT_GT(limit, 0);
  for (const auto& [key, want] : golden.tensors()) {
    if (!key.starts_with("grad.")) continue;
    ASSERT_TRUE(out.contains(key)) << key;
    const double off = (out.at(key) - want).norm().item<double>() / want.norm().item<double>();
    EXPECT_LE(off, limit) << key;
  }
}

std::string variant_name(const testing::TestParamInfo<Variant>& info) {
  std::string name = std::string(info.param.model) + "_" + info.param.lora;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// The variants whose merged logits are stated.
INSTANTIATE_TEST_SUITE_P(Cases, GoldenMerge,
                         testing::Values(Variant{"llama-1", "r8-all7"}, Variant{"llama-1", "dora"},
                                         Variant{"qwen3-1", "r8-all7"}),
                         variant_name);

INSTANTIATE_TEST_SUITE_P(
    Cases, GoldenLora,
    testing::Values(
        Variant{"llama-1", "r8-all7"}, Variant{"llama-1", "r64-qv"}, Variant{"llama-1", "rslora"},
        Variant{"llama-1", "all-linear"}, Variant{"llama-1", "save-head"},
        Variant{"llama-1", "dora"}, Variant{"llama-1", "patterns"}, Variant{"llama-1", "layers-1"},
        Variant{"llama-1", "embed"}, Variant{"llama-2", "rslora"}, Variant{"qwen2-1", "r8-all7"},
        Variant{"qwen2-1", "r64-qv"}, Variant{"qwen2-1", "rslora"}, Variant{"qwen2-1", "bias-lora"},
        Variant{"qwen2-2", "all-linear"}, Variant{"qwen2-2", "save-head"},
        Variant{"qwen3-1", "r8-all7"}, Variant{"qwen3-1", "r64-qv"}, Variant{"qwen3-1", "rslora"},
        Variant{"mistral-1", "r8-all7"}, Variant{"llava-1", "llm-r8"},
        Variant{"llava-1", "all-linear"}, Variant{"qwen2_vl-1", "llm-r8"},
        Variant{"qwen2_vl-1", "all-linear"}, Variant{"qwen2_5_vl-1", "llm-r8"},
        Variant{"qwen2_5_vl-1", "all-linear"}, Variant{"qwen2_audio-1", "llm-r8"}),
    variant_name);

}  // namespace
}  // namespace mortise::engine
