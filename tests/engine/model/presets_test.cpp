// New models: equal seeds give equal bytes, every preset loads and runs, mistakes are named.
#include "engine/model/presets.h"

#include <gtest/gtest.h>

#include "engine/infer/generate.h"
#include "engine/model/model.h"
#include "engine/op/node.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Json;
using base::posix_file_ops;
using tests::TempFolder;

std::string bytes_of(const TempFolder& folder) {
  return base::read_file(posix_file_ops(), (folder / "model.safetensors")).value();
}

TEST(Preset, EqualSeedsGiveEqualBytesAndOthersDoNot) {
  const TempFolder a, b, c;
  for (const auto* folder : {&a, &b}) {
    ASSERT_TRUE(
        new_model(posix_file_ops(), {.preset = "llava-tiny", .seed = 7}, folder->path()).ok());
  }
  ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llava-tiny", .seed = 8}, c.path()).ok());

  EXPECT_EQ(bytes_of(a), bytes_of(b));
  EXPECT_NE(bytes_of(a), bytes_of(c));
}

TEST(Preset, EverySmallOneLoadsAndGenerates) {
  set_compute_threads(1);
  for (const std::string& name : preset_names()) {
    if (name == "qwen2-0.5b" || name == "qwen2-60m") continue;  // large: the benches make them
    const TempFolder folder;
    const auto made = new_model(posix_file_ops(), {.preset = name, .seed = 1}, folder.path());
    ASSERT_TRUE(made.ok()) << name << made.error().text();
    const auto model = load_model(posix_file_ops(), folder.path());
    ASSERT_TRUE(model.ok()) << name << model.error().text();
    Device device;
    GenerateRequest request;
    request.prompt = {1, 2, 3};
    request.new_tokens_max = 4;

    const auto result = generate(device, **model, request);

    ASSERT_TRUE(result.ok()) << name << result.error().text();
    EXPECT_EQ(result->tokens.size(), 4u);
  }
}

TEST(Preset, OverridesChangeTheShape) {
  NewModelRequest request{.preset = "llava-tiny"};
  request.overrides =
      Json::object({{"text_config", Json::object({{"vocab_size", 300}, {"eos_token_id", 2}})},
                    {"image_token_index", 299}});
  const TempFolder folder;

  ASSERT_TRUE(new_model(posix_file_ops(), request, folder.path()).ok());

  const auto model = load_model(posix_file_ops(), folder.path()).value();
  EXPECT_EQ(model->text->embed.weight.size(0), 300);
  EXPECT_EQ(model->config.image_token_id, 299);
  EXPECT_EQ(model->config.text->eos_ids, std::vector<int32_t>{2});
}

TEST(Preset, WeightsHaveTheDeviationOfTheConfiguration) {
  const TempFolder folder;
  ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llama-tiny", .seed = 3}, folder.path()).ok());
  const auto model = load_model(posix_file_ops(), folder.path()).value();

  const at::Tensor& embed = model->text->embed.weight;  // 131072 numbers

  EXPECT_NEAR(embed.mean().item<double>(), 0, 2e-4);
  EXPECT_NEAR(embed.std().item<double>(), 0.02, 2e-4);
  EXPECT_EQ(model->text->norm.weight.min().item<double>(), 1);
}

TEST(Preset, NamesThePresetsWhenOneIsUnknown) {
  const auto config = preset_config({.preset = "gpt-5"});
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, base::Code::kNotFound);
  EXPECT_NE(config.error().hint.find("llava-tiny"), std::string::npos);
}

TEST(Preset, RefusesAnOverrideThatThePresetDoesNotHave) {
  NewModelRequest request{.preset = "llama-tiny"};
  request.overrides = Json::object({{"hiden_size", 32}});
  const auto config = preset_config(request);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().field, "/hiden_size");
}

TEST(Preset, RefusesAnOverrideThatNoModelCanHave) {
  NewModelRequest request{.preset = "llama-tiny"};
  request.overrides = Json::object({{"num_key_value_heads", 3}});
  const auto config = preset_config(request);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().field, "num_key_value_heads");
}

TEST(Preset, DoesNotOverwriteAModel) {
  const TempFolder folder;
  ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llama-tiny"}, folder.path()).ok());
  const auto again =
      new_model(posix_file_ops(), {.preset = "llama-tiny", .seed = 5}, folder.path());
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, base::Code::kAlreadyExists);
}

}  // namespace
}  // namespace mortise::engine
