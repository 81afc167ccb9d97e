// Adapters made by PEFT: outputs, gradients, merged weights, and a byte-equal way back.
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "engine/lora/adapter.h"
#include "tests/external/engine/golden_case.h"

namespace mortise::engine {
namespace {

const char* const kVariants[] = {
    "llama-1/lora-r8-all7",   "llama-1/lora-r64-qv",     "llama-1/lora-all-linear",
    "llama-1/lora-rslora",    "llama-1/lora-layers-1",   "llama-1/lora-save-head",
    "llama-1/lora-patterns",  "llama-1/lora-dora",       "llama-1/lora-embed",
    "qwen2-1/lora-r8-all7",   "qwen2-1/lora-r64-qv",     "qwen2-1/lora-rslora",
    "qwen2-1/lora-bias-lora", "llava-1/lora-all-linear", "llava-1/lora-llm-r8"};

std::string parent_of(const std::string& variant) {
  return variant.substr(0, variant.find('/'));
}

// The inputs of the variant, or all those of its parent.
TensorMap inputs_of(const GoldenCase& variant, const GoldenCase& parent) {
  return variant.has("in.input_ids") ? variant.inputs() : parent.inputs();
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class LoraGolden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { MORTISE_NEED_FIXTURES(); }
};

TEST_P(LoraGolden, GivesPeftsOutputsAndGradients) {
  const GoldenCase variant(GetParam()), parent(parent_of(GetParam()));
  const auto model = parent.load();
  auto adapter = Adapter::load(base::posix_file_ops(), variant.folder() + "/adapter", *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  for (const Parameter& parameter : (*adapter)->parameters()) {
    parameter.tensor->set_requires_grad(true);
  }
  Device device;
  const TensorMap inputs = inputs_of(variant, parent);
  const auto result = forward_tensors(device, *model, inputs, (*adapter)->parameters());
  ASSERT_TRUE(result.ok()) << result.error().text();
  const TensorMap out = map_of(*result);

  if (variant.has("out.logits")) {
    expect_close("logits", out.at("logits"), variant.tensor("out.logits"),
                 variant.tolerance("logits"), inputs.at("attention_mask"));
  }
  expect_close("loss", out.at("loss"), variant.tensor("out.loss"), variant.tolerance("loss"));
  size_t grads = 0;
  for (const auto& [name, tensor] : variant.tensors()) {
    if (!name.starts_with("grad.")) continue;
    ASSERT_TRUE(out.contains(name)) << name;
    expect_close(name, out.at(name), tensor, variant.tolerance("grad"));
    ++grads;
  }
  EXPECT_GE(grads, 4u);
}

TEST_P(LoraGolden, WritesBackWhatItRead) {
  const GoldenCase parent(parent_of(GetParam()));
  const std::string folder = fixtures_folder() + "/goldens/" + GetParam() + "/adapter";
  const auto model = parent.load();
  auto adapter = Adapter::load(base::posix_file_ops(), folder, *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  const std::string copy =
      (std::filesystem::temp_directory_path() / ("mortise_lora_" + std::to_string(getpid())))
          .string();

  ASSERT_TRUE((*adapter)->save(base::posix_file_ops(), copy, "").ok());

  EXPECT_TRUE(bytes_of(copy + "/adapter_model.safetensors") ==
              bytes_of(folder + "/adapter_model.safetensors"));
  const auto before = base::parse_json(bytes_of(folder + "/adapter_config.json"));
  const auto after = base::parse_json(bytes_of(copy + "/adapter_config.json"));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_TRUE(*before == *after) << after->dump();
  std::filesystem::remove_all(copy);
}

TEST_P(LoraGolden, MergesIntoWeightsThatComputeTheSame) {
  const GoldenCase variant(GetParam()), parent(parent_of(GetParam()));
  const auto model = parent.load();
  auto adapter = Adapter::load(base::posix_file_ops(), variant.folder() + "/adapter", *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();

  ASSERT_TRUE((*adapter)->merge().ok());
  adapter->reset();

  Device device;
  const TensorMap inputs = inputs_of(variant, parent);
  const auto result = forward_tensors(device, *model, inputs, {});
  ASSERT_TRUE(result.ok()) << result.error().text();
  const TensorMap out = map_of(*result);
  expect_close("loss", out.at("loss"), variant.tensor("out.loss"), variant.tolerance("loss"));
  if (!variant.has("out.logits")) return;
  expect_close("logits", out.at("logits"), variant.tensor("out.logits"),
               variant.tolerance("logits"), inputs.at("attention_mask"));
}

std::string case_name(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (c == '/' || c == '-') c = '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Goldens, LoraGolden, ::testing::ValuesIn(kVariants), case_name);

TEST(AdapterGolden, MergedWeightsAreThoseOfPeft) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase variant("llama-1/lora-r8-all7"), parent("llama-1");
  const auto model = parent.load();
  auto adapter = Adapter::load(base::posix_file_ops(), variant.folder() + "/adapter", *model);
  ASSERT_TRUE(adapter.ok());
  ASSERT_TRUE((*adapter)->merge().ok());
  const auto want =
      Checkpoint::open_file(base::posix_file_ops(), variant.folder() + "/merged.safetensors");
  ASSERT_TRUE(want.ok());
  for (const std::string& name : want->names()) {
    Parameter* parameter = model->find_parameter(name);
    ASSERT_NE(parameter, nullptr) << name;
    expect_close(name, *parameter->tensor, *want->tensor(name), variant.tolerance("merged"));
  }
  EXPECT_EQ(want->names().size(), 14u);
}

// transformers before 4.52 named llava's text modules differently.
TEST(AdapterGolden, ReadsTheModulePathsOfOlderTransformers) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase variant("llava-1/lora-llm-r8"), parent("llava-1");
  const std::string from = variant.folder() + "/adapter";
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("mortise_old_" + std::to_string(getpid())))
          .string();
  std::filesystem::create_directories(folder);
  std::filesystem::copy(from + "/adapter_config.json", folder + "/adapter_config.json");
  std::filesystem::permissions(folder + "/adapter_config.json", std::filesystem::perms::all);
  const auto file =
      Checkpoint::open_file(base::posix_file_ops(), from + "/adapter_model.safetensors");
  NamedTensors renamed;
  for (std::string key : file->names()) {
    const at::Tensor tensor = *file->tensor(key);
    const std::string now = "base_model.model.model.language_model.";
    ASSERT_TRUE(key.starts_with(now)) << key;
    key.replace(0, now.size(), "base_model.model.language_model.model.");
    renamed.emplace_back(key, tensor);
  }
  ASSERT_TRUE(
      save_tensors(base::posix_file_ops(), folder + "/adapter_model.safetensors", renamed).ok());
  const auto model = parent.load();

  const auto adapter = Adapter::load(base::posix_file_ops(), folder, *model);

  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  for (const auto& [key, tensor] : (*adapter)->tensors()) {
    EXPECT_TRUE(tensor.equal(*file->tensor(key))) << key;
  }
  std::filesystem::remove_all(folder);
}

TEST(AdapterGolden, RefusesAnAdapterOfAnotherModelListingWhatDiffers) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase variant("llama-1/lora-r8-all7"), other("qwen2-1");
  const auto model = other.load();
  const auto adapter = Adapter::load(base::posix_file_ops(), variant.folder() + "/adapter", *model);
  ASSERT_FALSE(adapter.ok());
  EXPECT_EQ(adapter.error().code, base::Code::kInvalidArgument);
  EXPECT_NE(adapter.error().message.find("has the shape"), std::string::npos);
  for (const Linear* linear : model->linears) EXPECT_EQ(linear->lora, nullptr) << linear->name;
}

TEST(AdapterGolden, Bf16BaseTakesAnFp32Adapter) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase variant("llama-3-bf16/lora-r8-all7"), parent("llama-3-bf16");
  const auto model = parent.load();
  auto adapter = Adapter::load(base::posix_file_ops(), variant.folder() + "/adapter", *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  for (const Parameter& parameter : (*adapter)->parameters()) {
    EXPECT_EQ(parameter.tensor->scalar_type(), at::kFloat);
  }
}

TEST(AdapterGolden, RefusesConv1dAdapterByName) {
  MORTISE_NEED_FIXTURES();
  const auto config =
      read_adapter_config(base::posix_file_ops(), fixtures_folder() + "/adapters/gpt2-fmi-mit");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, base::Code::kUnimplemented);
  EXPECT_NE(config.error().message.find("fan_in_fan_out"), std::string::npos);
}

}  // namespace
}  // namespace mortise::engine
