// Forward pass, hidden states, gradients and packing against what transformers computed.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "conform/reference.h"
#include "golden_case.h"

namespace mortise::engine {
namespace {

TensorMap run(const Model& model, const TensorMap& inputs,
              const std::vector<Parameter>& trained = {}) {
  Device device;
  auto out = forward_tensors(device, model, inputs, trained);
  EXPECT_TRUE(out.ok()) << out.error().text();
  return out.ok() ? map_of(*out) : TensorMap();
}

std::vector<Parameter> train_all(Model& model) {
  for (Parameter& parameter : model.parameters) make_trainable(parameter);
  return model.parameters;
}

void expect_states(const GoldenCase& golden, const TensorMap& out) {
  const at::Tensor& mask = golden.tensor("in.attention_mask");
  const Tolerance tolerance = golden.tolerance("out.hidden");
  size_t compared = 0;
  for (const auto& [key, want] : golden.tensors()) {
    if (!key.starts_with("out.hidden.")) continue;
    const std::string name = "hidden_states." + key.substr(std::string("out.hidden.").size());
    ASSERT_TRUE(out.contains(name)) << name;
    expect_close(name, out.at(name), want, tolerance, mask);
    ++compared;
  }
  EXPECT_GE(compared, 3u);
}

// `grad_key` is "grad." or "grad_fp32."; every gradient of either side must be there.
void expect_gradients(const GoldenCase& golden, const TensorMap& out, const std::string& grad_key,
                      const Tolerance& tolerance) {
  size_t compared = 0;
  for (const auto& [key, want] : golden.tensors()) {
    if (!key.starts_with(grad_key)) continue;
    const std::string name = "grad." + key.substr(grad_key.size());
    ASSERT_TRUE(out.contains(name)) << name << " was not computed";
    expect_close(name, out.at(name), want, tolerance);
    ++compared;
  }
  size_t computed = 0;
  for (const auto& [key, tensor] : out) computed += key.starts_with("grad.");
  EXPECT_EQ(computed, compared) << "gradients of parameters that the reference does not reach";
  EXPECT_GE(compared, 10u);
}

std::string case_name(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class GoldenDecoder : public testing::TestWithParam<const char*> {};

TEST_P(GoldenDecoder, ForwardAndHiddenStatesMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();

  const TensorMap out = run(*model, golden.inputs());

  const at::Tensor& mask = golden.tensor("in.attention_mask");
  expect_close("logits", out.at("logits"), golden.tensor("out.logits"),
               golden.tolerance("out.logits"), mask);
  expect_close("loss", out.at("loss"), golden.tensor("out.loss"), golden.tolerance("out.loss"));
  expect_states(golden, out);
  if (golden.has("out.image_features")) {
    expect_close("image_features", out.at("image_features"), golden.tensor("out.image_features"),
                 golden.tolerance("out.vision"));
  }
}

class GoldenGradients : public testing::TestWithParam<const char*> {};

TEST_P(GoldenGradients, OfAllParametersMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();

  const TensorMap out = run(*model, golden.inputs(), train_all(*model));

  expect_gradients(golden, out, "grad.", golden.tolerance("grad"));
}

// The same numbers when every operation goes through the table of a device.
TEST_P(GoldenGradients, ThroughADeviceTableMatchTheReferenceWithoutFallback) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();
  Device device(mortise_reference_ops());

  const auto result = forward_tensors(device, *model, golden.inputs(), train_all(*model));

  ASSERT_TRUE(result.ok()) << result.error().text();
  const TensorMap out = map_of(*result);
  expect_close("logits", out.at("logits"), golden.tensor("out.logits"),
               golden.tolerance("out.logits"), golden.tensor("in.attention_mask"));
  expect_gradients(golden, out, "grad.", golden.tolerance("grad"));
  for (const auto& [name, counts] : device.counts()) {
    EXPECT_EQ(counts.fallback, 0u) << name;
    EXPECT_GT(counts.native, 0u) << name;
  }
}

TEST_P(GoldenDecoder, PackedRowsGiveWhatEachGivesAlone) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();
  TensorMap inputs;
  const bool multimodal = model->config.is_multimodal();
  if (multimodal) {  // the rows of the batch, without their padding, end to end
    const at::Tensor ids = golden.tensor("in.input_ids");
    std::vector<at::Tensor> rows;
    std::vector<int64_t> bounds = {0};
    for (int64_t i = 0; i < ids.size(0); ++i) {
      const int64_t length = golden.tensor("pack." + std::to_string(i) + ".logits").size(0);
      rows.push_back(ids.select(0, i).narrow(0, 0, length));
      bounds.push_back(bounds.back() + length);
    }
    inputs["input_ids"] = at::cat(rows, 0);
    inputs["cu_seqlens"] = at::tensor(at::ArrayRef<int64_t>(bounds), at::kLong);
    inputs["pixel_values"] = golden.tensor("in.pixel_values");
  } else {
    for (const char* name : {"input_ids", "cu_seqlens", "position_ids"}) {
      inputs[name] = golden.tensor(std::string("pack.") + name);
    }
  }

  const at::Tensor logits = run(*model, inputs).at("logits");

  const at::Tensor bounds = inputs.at("cu_seqlens");
  const Tolerance tolerance = golden.tolerance(multimodal ? "out.logits" : "pack");
  for (int64_t i = 0; i + 1 < bounds.numel(); ++i) {
    const int64_t begin = bounds[i].item<int64_t>(), end = bounds[i + 1].item<int64_t>();
    const std::string name = "pack." + std::to_string(i) + ".logits";
    expect_close(name, logits.narrow(0, begin, end - begin), golden.tensor(name), tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenDecoder,
                         testing::Values("llama-1", "llama-2", "qwen2-1", "qwen2-2", "qwen3-1",
                                         "mistral-1", "llava-1", "llava-2"),
                         case_name);

INSTANTIATE_TEST_SUITE_P(Cases, GoldenGradients,  // llava-2 holds a forward pass only
                         testing::Values("llama-1", "llama-2", "qwen2-1", "qwen2-2", "qwen3-1",
                                         "mistral-1", "llava-1", "qwen2_vl-1", "qwen2_5_vl-1",
                                         "qwen2_audio-1"),
                         case_name);

class GoldenBf16 : public testing::TestWithParam<const char*> {};

TEST_P(GoldenBf16, Fp32ComputeFromBf16WeightsMatchesTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load(at::kFloat);

  const TensorMap out = run(*model, golden.inputs(), train_all(*model));

  expect_close("logits", out.at("logits"), golden.tensor("out.logits_fp32"), {1e-4, 1e-4},
               golden.tensor("in.attention_mask"));
  expect_close("loss", out.at("loss"), golden.tensor("out.loss_fp32"), {1e-5, 0});
  if (golden.name() == "llama-3-bf16") {  // the other case states no gradients
    expect_gradients(golden, out, "grad_fp32.", {1e-5, 1e-3});
  }
}

TEST_P(GoldenBf16, Bf16ComputeIsWithinTwiceTheReferencesOwnDistance) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();
  ASSERT_EQ(model->dtype, at::kBFloat16);

  const TensorMap out = run(*model, golden.inputs(), train_all(*model));

  const base::Json& distance = golden.info()["bf16_vs_fp32"];
  expect_close("logits", out.at("logits"), golden.tensor("out.logits_fp32"),
               {2 * distance["logits_max"].as_double(), 0}, golden.tensor("in.attention_mask"));
  expect_close("loss", out.at("loss"), golden.tensor("out.loss_fp32"),
               {2 * distance["loss"].as_double(), 0});
  for (const auto& [key, want] : golden.tensors()) {
    if (!key.starts_with("grad_fp32.")) continue;
    const std::string name = "grad." + key.substr(10);
    ASSERT_TRUE(out.contains(name)) << name;
    const double off =
        (out.at(name).to(at::kDouble) - want).norm().item<double>() / want.norm().item<double>();
    EXPECT_LE(off, 2 * distance["grad_rel_norm_max"].as_double()) << name;
  }
}

TEST_P(GoldenBf16, PackedRowsGiveWhatEachGivesAlone) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();
  TensorMap inputs;
  for (const char* name : {"input_ids", "cu_seqlens", "position_ids"}) {
    inputs[name] = golden.tensor(std::string("pack.") + name);
  }

  const at::Tensor logits = run(*model, inputs).at("logits");

  const at::Tensor& bounds = inputs.at("cu_seqlens");
  const double limit = 2 * golden.info()["bf16_vs_fp32"]["logits_max"].as_double();
  for (int64_t i = 0; i + 1 < bounds.numel(); ++i) {
    const int64_t begin = bounds[i].item<int64_t>(), end = bounds[i + 1].item<int64_t>();
    const std::string name = "pack." + std::to_string(i) + ".logits";
    expect_close(name, logits.narrow(0, begin, end - begin), golden.tensor(name), {limit, 0});
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenBf16, testing::Values("llama-3-bf16", "qwen3-2"), case_name);

class GoldenClip : public testing::TestWithParam<const char*> {};

TEST_P(GoldenClip, BothTowersAndTheContrastiveGradientsMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load();

  const TensorMap out = run(*model, golden.inputs(), train_all(*model));

  const Tolerance logits = golden.tolerance("out.logits"), hidden = golden.tolerance("out.hidden");
  for (const char* name : {"image_embeds", "text_embeds", "logits_per_image", "logits_per_text"}) {
    expect_close(name, out.at(name), golden.tensor(std::string("out.") + name), logits);
  }
  expect_close("loss", out.at("loss"), golden.tensor("out.loss"), golden.tolerance("out.loss"));
  for (const auto& [key, want] : golden.tensors()) {
    const bool vision = key.starts_with("out.vision.hidden."), text = key.starts_with("out.text.h");
    if (!(vision || text) || key == "out.vision.hidden.norm") continue;
    const std::string number = key.substr(key.find_last_of('.') + 1);
    const std::string name = (vision ? "vision_hidden_states." : "text_hidden_states.") + number;
    expect_close(name, out.at(name), want, hidden,
                 text ? golden.tensor("in.attention_mask") : at::Tensor());
  }
  expect_close("pooled", out.at("vision_pooler_output"), golden.tensor("out.vision.hidden.norm"),
               hidden);
  if (golden.name() == "clip-1") {  // the other case states no gradients
    expect_gradients(golden, out, "grad.", golden.tolerance("grad"));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenClip, testing::Values("clip-1", "clip-2"), case_name);

TEST(GoldenSiglip, BothTowersAndTheGradientsOfTheSigmoidLossMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("siglip-1");
  const auto model = golden.load();

  const TensorMap out = run(*model, golden.inputs(), train_all(*model));

  const Tolerance logits = golden.tolerance("out.logits"), hidden = golden.tolerance("out.hidden");
  for (const char* name : {"image_embeds", "text_embeds", "logits_per_image"}) {
    expect_close(name, out.at(name), golden.tensor(std::string("out.") + name), logits);
  }
  expect_close("loss", out.at("loss"), golden.tensor("out.loss"), golden.tolerance("out.loss"));
  for (const char* tower : {"vision", "text"}) {
    const std::string name(tower);
    expect_close(name + " pooled", out.at(name + "_pooler_output"),
                 golden.tensor("out." + name + ".pooled"), hidden);
    for (const char* state : {"0", "1", "2", "norm"}) {
      expect_close(name + state, out.at(name + "_hidden_states." + state),
                   golden.tensor("out." + name + ".hidden." + state), hidden);
    }
  }
  expect_gradients(golden, out, "grad.", golden.tolerance("grad"));
}

// The older spelling of config.json describes the same model.
TEST(GoldenConfig, SpellingOfTransformers4GivesTheSameConfiguration) {
  MORTISE_NEED_FIXTURES();
  for (const char* name : {"llama-2", "qwen2-2"}) {
    const std::string folder = fixtures_folder() + "/goldens/" + name + "/model/";
    std::vector<ModelConfig> configs;
    for (const char* file : {"config.json", "config.v4.json"}) {
      const auto text = base::read_file(base::posix_file_ops(), folder + file);
      configs.push_back(parse_config(base::parse_json(text.value()).value()).value());
    }
    const TextConfig &a = *configs[0].text, &b = *configs[1].text;
    EXPECT_EQ(configs[0].dtype, configs[1].dtype);
    EXPECT_EQ(a.rope.type, b.rope.type);
    EXPECT_EQ(a.rope.theta, b.rope.theta);
    EXPECT_EQ(a.rope.factor, b.rope.factor);
    EXPECT_EQ(a.rope.original_positions, b.rope.original_positions);
    EXPECT_EQ(a.head_dim, b.head_dim);
    EXPECT_EQ(a.kv_heads, b.kv_heads);
    EXPECT_EQ(a.tied, b.tied);
    EXPECT_EQ(a.windows, b.windows);
    EXPECT_EQ(a.qkv_bias, b.qkv_bias);
  }
}

}  // namespace
}  // namespace mortise::engine
