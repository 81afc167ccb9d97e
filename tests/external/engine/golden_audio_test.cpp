// Whisper's encoder and Qwen2-Audio against what transformers computed.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "golden_case.h"

namespace mortise::engine {
namespace {

TensorMap forward(const Model& model, const TensorMap& inputs) {
  Device device;
  auto out = forward_tensors(device, model, inputs, {});
  EXPECT_TRUE(out.ok()) << out.error().text();
  return out.ok() ? map_of(*out) : TensorMap();
}

TEST(GoldenWhisper, EncoderStatesMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("whisper-1");
  const auto model = golden.load();

  const TensorMap out = forward(*model, {{"input_features", golden.tensor("in.input_features")}});

  const Tolerance tolerance = golden.tolerance("out.hidden");
  for (const char* k : {"0", "1", "2"}) {
    expect_close(k, out.at(std::string("hidden_states.") + k),
                 golden.tensor(std::string("out.hidden.") + k), tolerance);
  }
  expect_close("norm", out.at("last_hidden_state"), golden.tensor("out.hidden.norm"), tolerance);
  expect_close("encoder", out.at("last_hidden_state"), golden.tensor("out.encoder"), tolerance);
}

TEST(GoldenWhisper, GradientsOfAllParametersMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("whisper-1");
  const auto model = golden.load();
  for (Parameter& parameter : model->parameters) make_trainable(parameter);
  Device device;
  Pass pass{.device = &device};

  const at::Tensor last = run_audio_tower(pass, *model->audio, sounds_of(golden.inputs()));
  const at::Tensor probe = golden.tensor("in.probe");
  (last * probe.reshape(last.sizes())).sum().backward();

  size_t compared = 0;
  for (const Parameter& parameter : model->parameters) {
    const std::string key = "grad." + parameter.name;
    ASSERT_TRUE(golden.has(key)) << key;
    expect_close(key, parameter.tensor->grad(), golden.tensor(key), golden.tolerance("grad"));
    ++compared;
  }
  EXPECT_EQ(compared, 37u);
}

TEST(GoldenWhisper, FramesBehindTheSoundDecideNothing) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("whisper-1");
  const auto model = golden.load();
  Device device;
  const NoRecord quiet;
  Pass pass{.device = &device};
  SoundBatch whole = sounds_of({{"input_features", golden.tensor("in.input_features")}});
  SoundBatch cut;
  std::vector<at::Tensor> mels;
  for (size_t i = 0; i < 2; ++i) {
    whole.clips[i].heard = i == 0 ? 51 : 90;
    const int64_t needed = AudioConfig::frames_needed(whole.clips[i].heard);
    mels.push_back(whole.mels.narrow(0, static_cast<int64_t>(i) * 120, needed));
    cut.clips.push_back({needed, whole.clips[i].heard});
  }
  cut.mels = at::cat(mels, 0);

  const at::Tensor want = run_audio_tower(pass, *model->audio, whole);

  EXPECT_EQ(want.size(0), 26 + 45);
  EXPECT_TRUE(at::equal(run_audio_tower(pass, *model->audio, cut), want));
}

TEST(GoldenQwen2Audio, StatesLogitsAndLossMatchTheReference) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("qwen2_audio-1");
  const auto model = golden.load();

  const TensorMap out = forward(*model, golden.inputs());

  const at::Tensor& mask = golden.tensor("in.attention_mask");
  for (const char* k : {"0", "1", "2", "norm"}) {
    expect_close(k, out.at(std::string("hidden_states.") + k),
                 golden.tensor(std::string("out.hidden.") + k), golden.tolerance("out.hidden"),
                 mask);
  }
  EXPECT_EQ(out.at("audio_features").size(0), 20 + 12);
  expect_close("logits", out.at("logits"), golden.tensor("out.logits"),
               golden.tolerance("out.logits"), mask);
  expect_close("loss", out.at("loss"), golden.tensor("out.loss"), golden.tolerance("out.loss"));
}

TEST(GoldenQwen2Audio, PackedRowsGiveWhatTheyGiveInTheBatch) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("qwen2_audio-1");
  const auto model = golden.load();
  TensorMap inputs = golden.inputs();
  const at::Tensor mask = inputs.at("attention_mask").to(at::kBool);
  const at::Tensor want = forward(*model, inputs).at("logits").index({mask});
  const auto first = mask.select(0, 0).sum().item<int64_t>();
  inputs["input_ids"] = inputs.at("input_ids").index({mask});
  inputs["cu_seqlens"] = at::tensor({int64_t{0}, first, want.size(0)}, at::kLong);
  inputs.erase("attention_mask");
  inputs.erase("labels");
  expect_close("packed", forward(*model, inputs).at("logits"), want,
               golden.tolerance("out.logits"));
}

TEST(GoldenQwen2Audio, WritesTheNamesThatTransformersWrites) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("qwen2_audio-1");
  const auto model = golden.load();
  const auto file = Checkpoint::open(base::posix_file_ops(), golden.model_folder()).value();
  const TensorMap ours = map_of(tensors_on_disk(*model));
  EXPECT_EQ(ours.size(), file.names().size());
  for (const std::string& name : file.names()) EXPECT_TRUE(ours.contains(name)) << name;
}

}  // namespace
}  // namespace mortise::engine
