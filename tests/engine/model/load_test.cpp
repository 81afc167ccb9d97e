// Loading: what does not fit is listed, whatever the file says.
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "engine/model/layout.h"
#include "engine/model/model.h"
#include "engine/model/presets.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Json;
using base::posix_file_ops;
using tests::TempFolder;

ModelConfig tiny_config(const char* preset = "llama-tiny") {
  return parse_config(preset_config({.preset = preset}).value()).value();
}

NamedTensors zeros_for(const ModelConfig& config) {
  NamedTensors tensors;
  for (const TensorSpec& spec : layout_of(config)) {
    tensors.emplace_back(spec.name, at::zeros(spec.shape));
  }
  return tensors;
}

Json with(const char* key, Json value, const char* preset = "llama-tiny") {
  Json json = preset_config({.preset = preset}).value();
  json[key] = std::move(value);
  return json;
}

TEST(Model, ListsEveryTensorThatIsMissingSurplusOrOfAnotherShape) {
  const ModelConfig config = tiny_config();
  NamedTensors tensors = zeros_for(config);
  const std::string missing = tensors[3].first;
  tensors.erase(tensors.begin() + 3);
  tensors.emplace_back("model.surplus", at::zeros({1}));
  tensors[0].second = at::zeros({7, 9});

  const auto model = build_model(config, at::kFloat, tensors);

  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, base::Code::kInvalidArgument);
  const std::string& message = model.error().message;
  EXPECT_NE(message.find("in 3 tensors"), std::string::npos) << message;
  EXPECT_NE(message.find(missing + " is missing"), std::string::npos) << message;
  EXPECT_NE(message.find("model.surplus is not a tensor"), std::string::npos) << message;
  EXPECT_NE(message.find("has the shape [7, 9], expected [2048, 64]"), std::string::npos)
      << message;
}

TEST(Model, ParametersHaveTheNamesOfTransformersInMemory) {
  const auto model =
      build_model(tiny_config("llava-tiny"), at::kFloat, zeros_for(tiny_config("llava-tiny")))
          .value();

  EXPECT_NE(model->find_parameter("model.language_model.layers.0.self_attn.q_proj.weight"),
            nullptr);
  EXPECT_NE(model->find_parameter("model.vision_tower.pre_layrnorm.bias"), nullptr);
  EXPECT_NE(model->find_parameter("model.multi_modal_projector.linear_1.weight"), nullptr);
  EXPECT_NE(model->find_parameter("lm_head.weight"), nullptr);
  EXPECT_NE(model->find_linear("model.vision_tower.encoder.layers.0.mlp.fc1"), nullptr);
  EXPECT_EQ(model->find_parameter("nothing"), nullptr);
}

TEST(Model, ATiedHeadIsNotAParameterOfItsOwn) {
  const auto model = build_model(tiny_config(), at::kFloat, zeros_for(tiny_config())).value();

  EXPECT_EQ(model->find_parameter("lm_head.weight"), nullptr);
  EXPECT_TRUE(head_weight(*model->text).is_same(model->text->embed.weight));
}

TEST(Model, ConvertsToTheTypeAskedFor) {
  const TempFolder folder;
  ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llama-tiny"}, folder.path()).ok());

  const auto model = load_model(posix_file_ops(), folder.path(), {.dtype = at::kBFloat16}).value();

  for (const Parameter& parameter : model->parameters) {
    EXPECT_EQ(parameter.tensor->scalar_type(), at::kBFloat16) << parameter.name;
    EXPECT_FALSE(parameter.tensor->requires_grad()) << parameter.name;
  }
}

TEST(Model, GivesATrainedParameterMemoryOfItsOwn) {
  const TempFolder folder;
  ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llama-tiny"}, folder.path()).ok());
  const auto model = load_model(posix_file_ops(), folder.path()).value();
  const void* mapped = model->parameters[0].tensor->const_data_ptr();

  make_trainable(model->parameters[0]);

  EXPECT_NE(model->parameters[0].tensor->const_data_ptr(), mapped);
  EXPECT_TRUE(model->parameters[0].tensor->requires_grad());
  model->parameters[0].tensor->detach().fill_(1);  // a mapped file would end the process here
}

TEST(Model, WritesWhatItReadUnderTheNamesOnDisk) {
  const TempFolder a, b;
  ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llava-tiny", .seed = 2}, a.path()).ok());
  const auto model = load_model(posix_file_ops(), a.path()).value();

  ASSERT_TRUE(save_checkpoint(posix_file_ops(), b.path(), tensors_on_disk(*model)).ok());

  const auto want = Checkpoint::open(posix_file_ops(), a.path()).value();
  const auto got = Checkpoint::open(posix_file_ops(), b.path()).value();
  ASSERT_EQ(got.names(), want.names());
  for (const std::string& name : want.names()) {
    EXPECT_TRUE(at::equal(got.tensor(name).value(), want.tensor(name).value())) << name;
  }
}

TEST(Names, PublishedAndInMemorySpellingsOfLlavaAreUnderstood) {
  EXPECT_EQ(memory_name("llava", "language_model.model.norm.weight"),
            "model.language_model.norm.weight");
  EXPECT_EQ(memory_name("llava", "language_model.lm_head.weight"), "lm_head.weight");
  EXPECT_EQ(memory_name("llava", "vision_tower.vision_model.pre_layrnorm.bias"),
            "model.vision_tower.pre_layrnorm.bias");
  EXPECT_EQ(memory_name("llava", "vision_tower.pre_layrnorm.bias"),
            "model.vision_tower.pre_layrnorm.bias");
  EXPECT_EQ(memory_name("llava", "model.language_model.norm.weight"),
            "model.language_model.norm.weight");
  EXPECT_EQ(memory_name("llama", "model.norm.weight"), "model.norm.weight");
  EXPECT_EQ(disk_name("llava", "model.vision_tower.pre_layrnorm.bias"),
            "vision_tower.pre_layrnorm.bias");
}

TEST(Names, PublishedAndInMemorySpellingsOfQwenVlAreUnderstood) {
  for (const char* type : {"qwen2_vl", "qwen2_5_vl"}) {
    EXPECT_EQ(memory_name(type, "model.norm.weight"), "model.language_model.norm.weight");
    EXPECT_EQ(memory_name(type, "model.language_model.norm.weight"),
              "model.language_model.norm.weight");
    EXPECT_EQ(memory_name(type, "visual.merger.mlp.0.bias"), "model.visual.merger.mlp.0.bias");
    EXPECT_EQ(memory_name(type, "model.visual.merger.mlp.0.bias"),
              "model.visual.merger.mlp.0.bias");
    EXPECT_EQ(memory_name(type, "lm_head.weight"), "lm_head.weight");
    EXPECT_EQ(disk_name(type, "model.language_model.norm.weight"), "model.norm.weight");
    EXPECT_EQ(disk_name(type, "model.visual.blocks.0.norm1.weight"),
              "visual.blocks.0.norm1.weight");
  }
}

TEST(Model, ListsWhatATowerOfQwenVlLacksAndHasTooMuch) {
  const ModelConfig config = tiny_config("qwen2_vl-tiny");
  NamedTensors tensors = zeros_for(config);
  std::erase_if(tensors,
                [](const auto& named) { return named.first.ends_with("merger.ln_q.bias"); });
  tensors.emplace_back("model.visual.blocks.0.mlp.gate_proj.weight", at::zeros({1}));

  const auto model = build_model(config, at::kFloat, tensors);

  ASSERT_FALSE(model.ok());
  const std::string& message = model.error().message;
  EXPECT_NE(message.find("model.visual.merger.ln_q.bias is missing (expected [32])"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("blocks.0.mlp.gate_proj.weight is not a tensor"), std::string::npos)
      << message;
}

// A field inside vision_config of the tiny Qwen2-VL.
Json with_vision(const char* key, Json value) {
  Json json = preset_config({.preset = "qwen2_vl-tiny"}).value();
  json["vision_config"][key] = std::move(value);
  return json;
}

Json with_sections(const char* type, int64_t a, int64_t b, int64_t c) {
  return with("rope_scaling",
              Json::object({{"type", type}, {"mrope_section", Json::array({a, b, c})}}),
              "qwen2_vl-tiny");
}

Json siglip(const char* key, Json value) {
  Json json = *base::parse_json(R"({"model_type": "siglip",
      "vision_config": {"hidden_size": 32, "num_attention_heads": 4, "patch_size": 14},
      "text_config": {"hidden_size": 24, "num_attention_heads": 4, "projection_size": 32}})");
  json[std::string(key).starts_with("projection") ? "text_config" : "vision_config"][key] =
      std::move(value);
  return json;
}

struct BadConfig {
  const char* name;
  Json json;
  base::Code code;
  const char* field;
};
void PrintTo(const BadConfig& bad, std::ostream* out) {
  *out << bad.name;
}

class BadConfigs : public testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, AreRefusedByField) {
  const auto config = parse_config(GetParam().json);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, GetParam().code);
  EXPECT_EQ(config.error().field, GetParam().field);
  EXPECT_FALSE(config.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadConfigs,
    testing::Values(
        BadConfig{"UnknownArchitecture", with("model_type", "gpt_neox"), base::Code::kUnimplemented,
                  "model_type"},
        BadConfig{"NoArchitecture", with("model_type", ""), base::Code::kInvalidArgument,
                  "model_type"},
        BadConfig{"LayersAsText", with("num_hidden_layers", "2"), base::Code::kInvalidArgument,
                  "num_hidden_layers"},
        BadConfig{"TooManyLayers", with("num_hidden_layers", 100000), base::Code::kInvalidArgument,
                  "num_hidden_layers"},
        BadConfig{"NegativeVocabulary", with("vocab_size", -1), base::Code::kInvalidArgument,
                  "vocab_size"},
        BadConfig{"HeadsThatDoNotDivide", with("num_key_value_heads", 3),
                  base::Code::kInvalidArgument, "num_key_value_heads"},
        BadConfig{"OddHeadSize", with("head_dim", 15), base::Code::kInvalidArgument, "head_dim"},
        BadConfig{"UnknownActivation", with("hidden_act", "relu"), base::Code::kUnimplemented,
                  "hidden_act"},
        BadConfig{"UnknownRope",
                  with("rope_scaling", Json::object({{"rope_type", "yarn"}, {"factor", 4.0}})),
                  base::Code::kUnimplemented, "rope_type"},
        BadConfig{"LayerTypesTooFew", with("layer_types", Json::array({Json("full_attention")})),
                  base::Code::kInvalidArgument, "layer_types"},
        BadConfig{"FeatureLayerOutside", with("vision_feature_layer", 9, "llava-tiny"),
                  base::Code::kInvalidArgument, "vision_feature_layer"},
        BadConfig{"UnknownSelect", with("vision_feature_select_strategy", "cls", "llava-tiny"),
                  base::Code::kUnimplemented, "vision_feature_select_strategy"},
        BadConfig{"TowerHeadsOfSixChannels", with_vision("embed_dim", 12),
                  base::Code::kInvalidArgument, "num_heads"},
        BadConfig{"FeaturesOfAnotherSize", with_vision("hidden_size", 48),
                  base::Code::kInvalidArgument, "hidden_size"},
        BadConfig{"UnknownTowerRope",
                  with_vision("rope_parameters", Json::object({{"rope_type", "spiral"}})),
                  base::Code::kUnimplemented, "rope_type"},
        BadConfig{"UnknownMrope", with_sections("yarn", 2, 3, 3), base::Code::kUnimplemented,
                  "rope_type"},
        BadConfig{"SectionsThatDoNotAddUp", with_sections("mrope", 2, 3, 4),
                  base::Code::kInvalidArgument, "mrope_section"},
        BadConfig{"NoSections", with("rope_scaling", Json(), "qwen2_vl-tiny"),
                  base::Code::kInvalidArgument, "mrope_section"},
        BadConfig{"MropeOfATextModel",
                  with("rope_scaling", Json::object({{"type", "mrope"}}), "qwen2-tiny"),
                  base::Code::kUnimplemented, "rope_type"},
        BadConfig{"OneTokenForImagesAndVideos", with("video_token_id", 2044, "qwen2_vl-tiny"),
                  base::Code::kInvalidArgument, "video_token_id"},
        BadConfig{"SiglipWithoutHead", siglip("vision_use_head", false), base::Code::kUnimplemented,
                  "vision_use_head"},
        BadConfig{"SiglipTowersOfTwoSizes", siglip("projection_size", 48),
                  base::Code::kInvalidArgument, "projection_size"},
        BadConfig{"TiedAsNumber", with("tie_word_embeddings", 1), base::Code::kInvalidArgument,
                  "tie_word_embeddings"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace mortise::engine
