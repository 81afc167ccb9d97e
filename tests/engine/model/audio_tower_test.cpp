// The audio tower: configurations, weights that do not fit, clips that do not see each other,
// answers with sound.
#include "engine/model/audio_tower.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/infer/forward.h"
#include "engine/infer/generate.h"
#include "engine/model/layout.h"
#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "tests/engine/op/random_tensor.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::posix_file_ops;

constexpr int32_t kAudioId = 2047;

class Audio : public testing::Test {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    const auto made =
        new_model(posix_file_ops(), {.preset = "qwen2_audio-tiny", .seed = 4}, folder_.path());
    ASSERT_TRUE(made.ok()) << made.error().text();
    model_ = load_model(posix_file_ops(), folder_.path()).value();
  }
  at::Tensor features_of(const Model& model, const SoundBatch& sounds) {
    Device device;
    const NoRecord quiet;
    Pass pass{.device = &device};
    return run_audio_tower(pass, *model.audio, sounds);
  }
  // One clip of 10 frames of sound, which is two tokens.
  TensorMap inputs() const {
    at::Tensor mask = at::zeros({1, 20}, at::kLong);
    mask.narrow(1, 0, 10).fill_(1);
    return {{"input_ids", at::tensor({7, kAudioId, kAudioId, 8, 9}, at::kLong).view({1, 5})},
            {"input_features", random_tensor({1, 80, 20}, 1)},
            {"feature_attention_mask", mask}};
  }
  base::Error refusal(const TensorMap& inputs) {
    Device device;
    const auto out = forward_tensors(device, *model_, inputs, {});
    EXPECT_FALSE(out.ok());
    return out.ok() ? base::Error(Code::kInternal, "") : out.error();
  }
  base::Result<ModelConfig> changed(const char* field, base::Json value) {
    base::Json json = model_->config.source;
    json["audio_config"][field] = std::move(value);
    return parse_config(json);
  }

  tests::TempFolder folder_;
  std::unique_ptr<Model> model_;
};

TEST_F(Audio, StepsAndTokensFollowFromTheFrames) {
  AudioConfig config;
  EXPECT_EQ(config.tokens(3000), 1500);  // Whisper
  config.pools = true;
  EXPECT_EQ(config.tokens(3000), 750);
  EXPECT_EQ(config.tokens(4), 1);
  EXPECT_EQ(config.tokens(3), 1);
  EXPECT_EQ(config.tokens(2), 0);
}

TEST_F(Audio, PositionsOfANewModelAreWhispers) {
  const at::Tensor& table = model_->audio->positions;  // [1500, 32]
  EXPECT_FLOAT_EQ(table[0][3].item<float>(), 0);
  EXPECT_FLOAT_EQ(table[0][16].item<float>(), 1);
  EXPECT_FLOAT_EQ(table[2][0].item<float>(), std::sin(2.0f));
  EXPECT_NEAR(table[100][31].item<double>(), std::cos(100 * 1e-4), 1e-6);
}

TEST_F(Audio, OneClipDoesNotHearAnother) {
  const at::Tensor mels = random_tensor({60, 80}, 2);
  const at::Tensor both = features_of(*model_, {mels, {{40, 30}, {20, 14}}});
  const at::Tensor second = features_of(*model_, {mels.narrow(0, 40, 20), {{20, 14}}});
  ASSERT_EQ(both.size(0), 7 + 3);
  EXPECT_LT((both.narrow(0, 7, 3) - second).abs().max().item<double>(), 1e-6);
}

TEST_F(Audio, Bf16GivesNearlyTheFeaturesOfFp32) {
  const auto half = load_model(posix_file_ops(), folder_.path(), {.dtype = at::kBFloat16}).value();
  const SoundBatch sounds = {random_tensor({40, 80}, 3), {{40, 40}}};
  const at::Tensor got = features_of(*half, sounds), want = features_of(*model_, sounds);
  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_LT((got.to(at::kFloat) - want).norm().item<double>(), 0.02 * want.norm().item<double>());
}

TEST_F(Audio, NamesWhatDoesNotFit) {
  TensorMap in = inputs();
  in["input_ids"] = at::tensor({7, kAudioId, 8, 9}, at::kLong).view({1, 4});
  EXPECT_EQ(refusal(in).message, "The rows hold 1 sound tokens, but the sounds give 2 features.");
  in = inputs();
  in["input_features"] = random_tensor({1, 128, 20}, 1);
  EXPECT_EQ(refusal(in).message,
            "The spectra have the shape [20, 128], but 1 clips of this tower take [20, 80].");
  in = inputs();
  in["feature_attention_mask"][0][15] = 1;
  EXPECT_EQ(refusal(in).message,
            "The input \"feature_attention_mask\" hides frame 10 of clip 0, but not frame 15.");
  in = inputs();
  in.erase("input_features");
  EXPECT_NE(refusal(in).message.find("give both or none"), std::string::npos);
  in = {{"input_ids", in.at("input_ids")}};
  EXPECT_EQ(refusal(in).message, "The rows hold 2 sound tokens, but no sound was given.");
  in = inputs();
  in["input_features"] = random_tensor({1, 80, 3002}, 1);
  in["feature_attention_mask"] = at::ones({1, 3002}, at::kLong);
  EXPECT_EQ(refusal(in).message, "A clip has 3002 frames; the audio tower takes 1 to 3000.");
}

TEST_F(Audio, AnswersWithSoundAsTheForwardPassWould) {
  Device device;
  GenerateRequest request;
  request.prompt = {7, kAudioId, kAudioId, 8, 9};
  request.new_tokens_max = 1;
  request.ignores_eos = true;
  const auto blind = generate(device, *model_, request);
  ASSERT_FALSE(blind.ok());
  EXPECT_EQ(blind.error().message,
            "The prompt holds 2 sound tokens, but 0 sounds give 0 features.");
  request.sounds = sounds_of(inputs());
  const auto answer = generate(device, *model_, request);
  ASSERT_TRUE(answer.ok()) << answer.error().text();
  const auto out = forward_tensors(device, *model_, inputs(), {});
  ASSERT_TRUE(out.ok());
  const at::Tensor logits = TensorMap(out->begin(), out->end()).at("logits")[0][4];
  EXPECT_EQ(answer->ids().at(0), logits.argmax().item<int64_t>());
}

TEST_F(Audio, RefusesAConfigurationByItsField) {
  EXPECT_EQ(changed("encoder_attention_heads", 5).error().field, "encoder_attention_heads");
  EXPECT_EQ(changed("d_model", 0).error().field, "d_model");
  EXPECT_EQ(changed("activation_function", "relu").error().field, "activation_function");
  EXPECT_EQ(changed("model_type", "seamless").error().field, "audio_config.model_type");
  EXPECT_EQ(changed("max_source_positions", "x").error().field, "max_source_positions");
}

TEST_F(Audio, ListsTensorsThatAreMissingSurplusOrOfAnotherShape) {
  NamedTensors tensors;
  for (const Parameter& parameter : model_->parameters) {
    if (parameter.name == "model.audio_tower.conv2.bias") continue;
    const bool is_kernel = parameter.name == "model.audio_tower.conv1.weight";
    tensors.emplace_back(parameter.name, is_kernel ? at::zeros({32, 80, 5}) : *parameter.tensor);
  }
  tensors.emplace_back("model.audio_tower.conv3.weight", at::zeros({1}));
  const auto built = build_model(model_->config, at::kFloat, tensors);
  ASSERT_FALSE(built.ok());
  const std::string& text = built.error().message;
  EXPECT_NE(text.find("in 3 tensors"), std::string::npos) << text;
  EXPECT_NE(text.find("model.audio_tower.conv2.bias is missing (expected [32])"),
            std::string::npos);
  EXPECT_NE(text.find("conv1.weight has the shape [32, 80, 5], expected [32, 80, 3]"),
            std::string::npos);
  EXPECT_NE(text.find("model.audio_tower.conv3.weight is not a tensor"), std::string::npos);
}

TEST_F(Audio, WhispersDecoderIsLeftOut) {
  const auto config = parse_config(*base::parse_json(
      R"({"model_type": "whisper", "d_model": 16, "encoder_layers": 1,
          "encoder_attention_heads": 2, "encoder_ffn_dim": 24, "max_source_positions": 10})"));
  ASSERT_TRUE(config.ok()) << config.error().text();
  EXPECT_EQ(config->audio->mel_bins, 80);
  EXPECT_TRUE(is_ignorable(*config, "model.decoder.layers.0.fc1.weight"));
  EXPECT_TRUE(is_ignorable(*config, "proj_out.weight"));
  EXPECT_FALSE(is_ignorable(*config, "encoder.layers.0.fc1.weight"));
  EXPECT_EQ(memory_name("whisper", "model.encoder.conv1.weight"), "encoder.conv1.weight");
  EXPECT_EQ(memory_name("whisper", "encoder.conv1.weight"), "encoder.conv1.weight");
}

}  // namespace
}  // namespace mortise::engine
