// Qwen-VL: where pictures stand, what does not fit, windows at the edge, answers with pictures.
#include "engine/model/qwen_vision.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "engine/infer/forward.h"
#include "engine/infer/generate.h"
#include "engine/lora/adapter.h"
#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "tests/engine/op/random_tensor.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::posix_file_ops;
using tests::TempFolder;

constexpr int32_t kImageId = 2044, kVideoId = 2045;
constexpr int64_t kPatchValues = 3 * 2 * 14 * 14;

class QwenVision : public testing::Test {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    ASSERT_TRUE(
        new_model(posix_file_ops(), {.preset = "qwen2_vl-tiny", .seed = 4}, folder_.path()).ok());
    model_ = load_model(posix_file_ops(), folder_.path()).value();
  }
  // [1, n] ids with one image of 4 x 4 patches, which is four tokens.
  TensorMap inputs() const {
    return {{"input_ids",
             at::tensor({7, kImageId, kImageId, kImageId, kImageId, 8, 9}, at::kLong).view({1, 7})},
            {"pixel_values", random_tensor({16, kPatchValues}, 1)},
            {"image_grid_thw", at::tensor({1, 4, 4}, at::kLong).view({1, 3})}};
  }
  base::Error refusal(const TensorMap& inputs) {
    Device device;
    const auto out = forward_tensors(device, *model_, inputs, {});
    EXPECT_FALSE(out.ok());
    return out.ok() ? base::Error(base::Code::kInternal, "") : out.error();
  }

  TempFolder folder_;
  std::unique_ptr<Model> model_;
};

TEST_F(QwenVision, TextGoesOnBehindTheLongerSideAndALongVideoOverlapsIt) {
  const std::vector<int32_t> ids = {5, kVideoId, kVideoId, kVideoId, 6};
  const std::vector<int32_t> bounds = {0, 5};
  const PatchBatch videos{.patches = {}, .grids = {{3, 2, 2}}, .seconds = {}};

  const MropePositions got = mrope_positions(model_->config, ids, bounds, {}, videos);

  EXPECT_EQ(got.values, (std::vector<int32_t>{0, 1, 2, 3, 2,     // temporal
                                              0, 1, 1, 1, 2,     // height
                                              0, 1, 1, 1, 2}));  // width
  EXPECT_EQ(got.deltas, (std::vector<int32_t>{-1}));             // the largest is 3
}

TEST_F(QwenVision, WindowsAtTheEdgeAreSmaller) {
  QwenVisionConfig config;
  config.window = 2;

  const WindowOrder order = window_order(config, {{1, 6, 4}, {2, 2, 2}});

  EXPECT_EQ(order.index, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(order.bounds, (std::vector<int32_t>{0, 4, 6, 7, 8}));
  EXPECT_EQ(window_order(config, {{1, 2, 6}}).bounds, (std::vector<int32_t>{0, 2, 3}));
  EXPECT_EQ(window_order(config, {{1, 4, 6}}).index, (std::vector<int64_t>{0, 1, 3, 4, 2, 5}));
}

TEST_F(QwenVision, OneImageDoesNotSeeAnother) {
  Device device;
  const NoRecord quiet;
  Pass pass{.device = &device};
  const at::Tensor patches = random_tensor({24, kPatchValues}, 2);
  const QwenFeatures both =
      run_qwen_vision(pass, *model_->qwen_vision, {patches, {{1, 4, 4}, {1, 2, 4}}, {}});
  const QwenFeatures second =
      run_qwen_vision(pass, *model_->qwen_vision, {patches.narrow(0, 16, 8), {{1, 2, 4}}, {}});

  EXPECT_LT((both.features.narrow(0, 4, 2) - second.features).abs().max().item<double>(), 1e-6);
}

TEST_F(QwenVision, Bf16GivesNearlyTheFeaturesOfFp32) {
  const auto half = load_model(posix_file_ops(), folder_.path(), {.dtype = at::kBFloat16}).value();
  const PatchBatch images = {random_tensor({16, kPatchValues}, 3), {{1, 4, 4}}, {}};
  Device device;
  const NoRecord quiet;
  Pass pass{.device = &device};

  const at::Tensor got = run_qwen_vision(pass, *half->qwen_vision, images).features;

  const at::Tensor want = run_qwen_vision(pass, *model_->qwen_vision, images).features;
  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  const double off = (got.to(at::kFloat) - want).norm().item<double>() / want.norm().item<double>();
  EXPECT_LT(off, 0.02);
}

TEST_F(QwenVision, NamesGridAndPlaceholdersThatDoNotFit) {
  TensorMap in = inputs();
  in["image_grid_thw"] = at::tensor({1, 2, 8, 1, 4, 4}, at::kLong).view({2, 3});
  EXPECT_NE(refusal(in).message.find("2 images were given, but the text has placeholders for 1"),
            std::string::npos)
      << refusal(in).message;
  in = inputs();
  in["image_grid_thw"] = at::tensor({1, 4, 6}, at::kLong).view({1, 3});
  EXPECT_NE(refusal(in).message.find("takes 6 image tokens, but the text has 4"), std::string::npos)
      << refusal(in).message;
}

TEST_F(QwenVision, NamesGridAndPatchesThatDoNotFit) {
  TensorMap in = inputs();
  in["pixel_values"] = random_tensor({12, kPatchValues}, 1);
  EXPECT_NE(refusal(in).message.find("[12, 1176], but 1 grids of this tower take [16, 1176]"),
            std::string::npos)
      << refusal(in).message;
}

TEST_F(QwenVision, RefusesAGridThatCannotBeMerged) {
  TensorMap in = inputs();
  in["position_ids"] = at::tensor({0, 1, 2, 3, 4, 5, 6}, at::kLong).view({1, 7});
  in["image_grid_thw"] = at::tensor({1, 16, 1}, at::kLong).view({1, 3});
  EXPECT_NE(refusal(in).message.find("multiples of 2"), std::string::npos) << refusal(in).message;
}

TEST_F(QwenVision, NamesPicturesWithoutPlaceholdersAndPlaceholdersWithoutPictures) {
  TensorMap in = inputs();
  in["input_ids"] = at::tensor({7, 8, 9}, at::kLong).view({1, 3});
  EXPECT_NE(refusal(in).message.find("1 images were given"), std::string::npos);
  in = inputs();
  in.erase("pixel_values");
  EXPECT_EQ(refusal(in).field, "image_grid_thw");
  in.erase("image_grid_thw");
  EXPECT_NE(refusal(in).message.find("more images than the 0"), std::string::npos);
}

TEST_F(QwenVision, RefusesGridsOfAWrongShapeOrSize) {
  TensorMap in = inputs();
  in["image_grid_thw"] = at::tensor({1, 4, 4}, at::kLong);
  EXPECT_EQ(refusal(in).field, "image_grid_thw");
  in["image_grid_thw"] = at::tensor({1, -4, 4}, at::kLong).view({1, 3});
  EXPECT_NE(refusal(in).message.find("-4"), std::string::npos);
  in = inputs();
  in["second_per_grid_ts"] = at::tensor({1.0});
  EXPECT_EQ(refusal(in).field, "second_per_grid_ts");
}

GenerateRequest picture_request(uint64_t seed) {
  GenerateRequest request;
  request.prompt = {7, kImageId, kImageId, kImageId, kImageId, 8, 9};
  request.images = {random_tensor({16, kPatchValues}, seed), {{1, 4, 4}}, {}};
  request.new_tokens_max = 6;
  request.logprobs = 2;
  return request;
}

TEST_F(QwenVision, TwoAnswersThatAdvanceTogetherAreWhatEachIsAlone) {
  Device device;
  const auto a = generate(device, *model_, picture_request(1));
  const auto b = generate(device, *model_, picture_request(2));
  ASSERT_TRUE(a.ok()) << a.error().text();
  ASSERT_TRUE(b.ok()) << b.error().text();
  EXPECT_NE(a->tokens[0].best[0].second, b->tokens[0].best[0].second);
  const auto one = Sequence::create(*model_, picture_request(1)).value();
  const auto two = Sequence::create(*model_, picture_request(2)).value();
  Sequence* const first[] = {one.get()};
  ASSERT_TRUE(generate_step(device, *model_, first).ok());
  Sequence* const both[] = {one.get(), two.get()};  // one decodes while two reads its picture
  while (two->finish() == Finish::kNone) ASSERT_TRUE(generate_step(device, *model_, both).ok());
  EXPECT_EQ((GenerateResult{one->tokens(), Finish::kNone}).ids(), a->ids());
  EXPECT_EQ((GenerateResult{two->tokens(), Finish::kNone}).ids(), b->ids());
}

TEST_F(QwenVision, APlaceholderThatWasGeneratedIsATokenAsAnyOther) {
  Device device;
  GenerateRequest request;
  request.prompt = {1, 2, 3};
  request.new_tokens_max = 4;
  const auto want = generate(device, *model_, request);
  ASSERT_TRUE(want.ok());
  const auto sequence = Sequence::create(*model_, request).value();
  Sequence* const one[] = {sequence.get()};
  ASSERT_TRUE(generate_step(device, *model_, one).ok());

  model_->config.image_token_id = want->ids()[0];
  while (sequence->finish() == Finish::kNone) {
    const base::Status stepped = generate_step(device, *model_, one);
    ASSERT_TRUE(stepped.ok()) << stepped.error().text();
  }

  EXPECT_EQ((GenerateResult{sequence->tokens(), Finish::kNone}).ids(), want->ids());
}

TEST_F(QwenVision, RefusesAPromptWhosePicturesDoNotFit) {
  GenerateRequest request = picture_request(1);
  request.images.grids = {{1, 4, 6}};
  const auto sequence = Sequence::create(*model_, std::move(request));
  ASSERT_FALSE(sequence.ok());
  EXPECT_EQ(sequence.error().code, base::Code::kInvalidArgument);
}

AdapterConfig all_linear() {
  return parse_adapter_config(*base::parse_json(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4,
                                                    "target_modules": "all-linear"})"))
      .value();
}

TEST_F(QwenVision, AllLinearTakesTowerAndMergerInUnderNamesThatMeanNothingElse) {
  const auto adapter = Adapter::create(*model_, all_linear(), 1);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  const std::vector<std::string> want = {"attn.proj", "down_proj", "fc1",   "fc2",    "gate_proj",
                                         "k_proj",    "mlp.0",     "mlp.2", "o_proj", "q_proj",
                                         "qkv",       "up_proj",   "v_proj"};
  EXPECT_EQ((*adapter)->config().target_modules.names, want);
}

// Before transformers 4.52 the text was model.* and the tower visual.* in memory too.
std::string old_key(std::string key) {
  for (const char* part : {"model.language_model.", "model.visual."}) {
    const std::string from = std::string("base_model.model.") + part;
    const std::string to =
        std::string("base_model.model.") + (part[6] == 'l' ? "model." : "visual.");
    if (key.starts_with(from)) return to + key.substr(from.size());
  }
  return key;
}

TEST_F(QwenVision, AnAdapterUnderTheKeysOfOlderTransformersIsRead) {
  const TempFolder folder;
  NamedTensors saved;
  {
    const auto adapter = Adapter::create(*model_, all_linear(), 1).value();
    ASSERT_TRUE(adapter->save(posix_file_ops(), folder.path(), "").ok());
    for (const auto& [key, tensor] : adapter->tensors()) {
      saved.emplace_back(old_key(key), tensor.clone());
    }
  }
  EXPECT_NE(saved[0].first.find("base_model.model."), std::string::npos);
  const std::string path = folder / "adapter_model.safetensors";
  ASSERT_TRUE(save_tensors(posix_file_ops(), path, saved).ok());

  const auto read = Adapter::load(posix_file_ops(), folder.path(), *model_);

  ASSERT_TRUE(read.ok()) << read.error().text();
  const NamedTensors got = (*read)->tensors();
  ASSERT_EQ(got.size(), saved.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(old_key(got[i].first), saved[i].first);
    EXPECT_TRUE(at::equal(got[i].second, saved[i].second)) << got[i].first;
  }
}

}  // namespace
}  // namespace mortise::engine
