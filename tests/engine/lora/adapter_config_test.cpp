// PEFT's rules of matching and its config file.
#include "engine/lora/adapter_config.h"

#include <gtest/gtest.h>

namespace mortise::engine {
namespace {

using base::Code;

AdapterConfig parsed(const char* text) {
  auto config = parse_adapter_config(*base::parse_json(text));
  EXPECT_TRUE(config.ok()) << config.error().text();
  return std::move(config).value();
}
bool targets(const AdapterConfig& config, const char* module) {
  const auto result = is_target(config, module);
  EXPECT_TRUE(result.ok());
  return result.ok() && *result;
}

TEST(IsTarget, MatchesNamesAtTheEndOfThePath) {
  const AdapterConfig config = parsed(R"({"target_modules": ["q_proj", "lm_head"]})");
  EXPECT_TRUE(targets(config, "model.layers.0.self_attn.q_proj"));
  EXPECT_TRUE(targets(config, "lm_head"));
  EXPECT_FALSE(targets(config, "model.layers.0.self_attn.my_q_proj"));
  EXPECT_FALSE(targets(config, "model.layers.0.self_attn.k_proj"));
}

TEST(IsTarget, MatchesAPatternAsAWhole) {
  const AdapterConfig config = parsed(R"({"target_modules": "model\\.layers\\.\\d+\\.mlp\\..*"})");
  EXPECT_TRUE(targets(config, "model.layers.11.mlp.up_proj"));
  EXPECT_FALSE(targets(config, "x.model.layers.11.mlp.up_proj"));
}

TEST(IsTarget, ExcludesBeforeItIncludes) {
  EXPECT_FALSE(targets(parsed(R"({"target_modules": ["q_proj"], "exclude_modules": ["q_proj"]})"),
                       "a.q_proj"));
  const AdapterConfig pattern =
      parsed(R"({"target_modules": ["q_proj"], "exclude_modules": "vision.*"})");
  EXPECT_FALSE(targets(pattern, "vision.q_proj"));
  EXPECT_TRUE(targets(pattern, "text.q_proj"));
}

TEST(IsTarget, KeepsToTheLayersAsked) {
  const AdapterConfig config =
      parsed(R"({"target_modules": ["q_proj"], "layers_to_transform": [1, 12]})");
  EXPECT_TRUE(targets(config, "model.layers.12.self_attn.q_proj"));
  EXPECT_FALSE(targets(config, "model.layers.2.self_attn.q_proj"));
  EXPECT_FALSE(targets(config, "model.q_proj"));
  const AdapterConfig named = parsed(
      R"({"target_modules": ["q_proj"], "layers_to_transform": 1, "layers_pattern": "layers"})");
  EXPECT_TRUE(targets(named, "model.layers.1.self_attn.q_proj"));
  EXPECT_FALSE(targets(named, "model.blocks.1.self_attn.q_proj"));
}

TEST(RankOf, TakesTheFirstPatternThatFits) {
  const AdapterConfig config = parsed(R"({"target_modules": ["x"], "r": 4, "lora_alpha": 8,
      "rank_pattern": {"down_proj": 12, "layers\\.0\\..*q_proj": 2}, "alpha_pattern": {"down_proj": 6}})");
  EXPECT_EQ(rank_of(config, "model.layers.0.self_attn.q_proj")->rank, 2);
  EXPECT_EQ(rank_of(config, "model.layers.1.self_attn.q_proj")->rank, 4);
  EXPECT_DOUBLE_EQ(rank_of(config, "model.layers.0.mlp.down_proj")->scale, 0.5);
  const AdapterConfig rs = parsed(R"({"r": 16, "lora_alpha": 8, "use_rslora": true})");
  EXPECT_DOUBLE_EQ(rank_of(rs, "a")->scale, 2);
}

TEST(AdapterConfigJson, KeepsKeysThatItDoesNotKnow) {
  const auto before = *base::parse_json(
      R"({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "bias": "none",
          "use_rslora": false, "use_dora": false, "rank_pattern": {}, "alpha_pattern": {},
          "modules_to_save": null, "target_modules": ["b", "a"], "peft_version": "0.21.2",
          "new_field": [1]})");
  EXPECT_TRUE(adapter_config_json(*parse_adapter_config(before), "") == before);
}

TEST(ParseAdapterConfig, RefusesByName) {
  const auto error = [](const char* text) {
    const auto config = parse_adapter_config(*base::parse_json(text));
    EXPECT_FALSE(config.ok()) << text;
    return config.ok() ? base::Error() : config.error();
  };
  EXPECT_EQ(error(R"({"peft_type": "IA3"})").field, "/peft_type");
  EXPECT_EQ(error(R"({"fan_in_fan_out": true})").code, Code::kUnimplemented);
  EXPECT_EQ(error(R"({"target_parameters": ["a"]})").field, "/target_parameters");
  EXPECT_EQ(error(R"({"r": 0})").field, "/r");
  EXPECT_EQ(error(R"({"lora_dropout": 1})").field, "/lora_dropout");
  EXPECT_EQ(error(R"({"bias": "some"})").field, "/bias");
  EXPECT_EQ(error(R"({"target_modules": "("})").field, "/target_modules");
  EXPECT_EQ(error(R"({"target_modules": [1]})").field, "/target_modules");
  EXPECT_EQ(error(R"({"rank_pattern": {"a": "b"}})").field, "/rank_pattern");
  EXPECT_EQ(error("[]").code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace mortise::engine
