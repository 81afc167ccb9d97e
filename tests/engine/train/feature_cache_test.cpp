// What a frozen tower gives is computed once, and the loss is that of a run without a cache.
#include "engine/train/feature_cache.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "engine/model/presets.h"
#include "engine/op/counter_rng.h"
#include "engine/op/node.h"
#include "engine/op/op.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::posix_file_ops;
using tests::TempFolder;

constexpr int32_t kImageId = 2044, kVideoId = 2045;
constexpr int64_t kValues = 3 * 2 * 14 * 14;

at::Tensor noise(std::vector<int64_t> shape, uint64_t stream) {
  at::Tensor out = at::empty(shape, at::kFloat);
  const CounterRng random(17, stream);
  float* data = out.mutable_data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    data[i] = static_cast<float>(random.normal(static_cast<uint64_t>(i)));
  }
  return out;
}

// An image of 6 x 4 patches, one of 4 x 4, a film of 2 x 4 x 4; two rows of them.
PassBatch batch_of_pictures() {
  PassBatch batch;
  std::vector<int32_t> ids = {7};
  const auto add = [&](int32_t id, size_t times) { ids.insert(ids.end(), times, id); };
  add(kImageId, 6);
  add(8, 2);
  add(kVideoId, 8);
  add(9, 3);
  const auto first = static_cast<int32_t>(ids.size());
  add(kImageId, 4);
  add(5, 2);
  batch.inputs.ids = int_tensor(ids);
  batch.inputs.bounds = Bounds::of({0, first, static_cast<int32_t>(ids.size())});
  batch.inputs.images = {noise({24 + 16, kValues}, 1), {{1, 6, 4}, {1, 4, 4}}, {}};
  batch.inputs.videos = {noise({32, kValues}, 2), {{2, 4, 4}}, {1}};
  batch.image_keys = {"a", "b"};
  batch.video_keys = {"film"};
  return batch;
}

class FeatureCaches : public ::testing::TestWithParam<std::tuple<const char*, FrozenPart>> {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    const auto made =
        new_model(posix_file_ops(), {.preset = std::get<0>(GetParam()), .seed = 4}, folder_.path());
    ASSERT_TRUE(made.ok()) << made.error().text();
    model_ = load_model(posix_file_ops(), folder_.path()).value();
  }
  at::Tensor last_states(PassBatch batch, FeatureCache* cache) {
    const NoRecord quiet;
    Pass pass{.device = &device_};
    place_pictures(*model_, batch.inputs);
    if (cache != nullptr) cache->place(pass, *model_, batch);
    return run_text(pass, *model_, batch.inputs).last;
  }

  TempFolder folder_;
  Device device_;
  std::unique_ptr<Model> model_;
};

TEST_P(FeatureCaches, GiveTheStatesOfARunWithoutThem) {
  const at::Tensor want = last_states(batch_of_pictures(), nullptr);
  FeatureCache cache(std::get<1>(GetParam()));

  const at::Tensor first = last_states(batch_of_pictures(), &cache);
  const at::Tensor second = last_states(batch_of_pictures(), &cache);

  EXPECT_TRUE(at::allclose(first, want, 1e-5, 1e-5));
  EXPECT_TRUE(at::equal(second, first)) << "bit for bit";
  EXPECT_EQ(cache.tower_runs(), 3) << "two images and a film, once";
}

TEST_P(FeatureCaches, OfAnotherOrderHaveTheSameBits) {
  FeatureCache known(std::get<1>(GetParam())), fresh(std::get<1>(GetParam()));
  PassBatch alone = batch_of_pictures();  // the second image, with others or by itself
  alone.inputs.ids = alone.inputs.ids.narrow(0, 20, 6).contiguous();
  alone.inputs.bounds = Bounds::of({0, 6});
  alone.inputs.images = {alone.inputs.images.patches.narrow(0, 24, 16), {{1, 4, 4}}, {}};
  alone.inputs.videos = {};
  alone.image_keys = {"b"};
  alone.video_keys = {};
  last_states(batch_of_pictures(), &known);

  EXPECT_TRUE(at::equal(last_states(alone, &known), last_states(alone, &fresh)));
  EXPECT_EQ(known.tower_runs(), 3);
  EXPECT_EQ(fresh.tower_runs(), 1);
}

TEST_P(FeatureCaches, ComputeAgainWhatDoesNotFit) {
  FeatureCache cache(std::get<1>(GetParam()), /*bytes_max=*/0);
  const at::Tensor first = last_states(batch_of_pictures(), &cache);
  EXPECT_TRUE(at::equal(last_states(batch_of_pictures(), &cache), first));
  EXPECT_EQ(cache.tower_runs(), 6);
}

INSTANTIATE_TEST_SUITE_P(Towers, FeatureCaches,
                         ::testing::Combine(::testing::Values("qwen2_vl-tiny", "qwen2_5_vl-tiny"),
                                            ::testing::Values(FrozenPart::kTower,
                                                              FrozenPart::kTowerAndProjector)));

TEST(FrozenParts, FollowFromWhatTrains) {
  const TempFolder folder;
  ASSERT_TRUE(
      new_model(posix_file_ops(), {.preset = "qwen2_vl-tiny", .seed = 4}, folder.path()).ok());
  const auto model = load_model(posix_file_ops(), folder.path()).value();
  const auto part = [&](std::vector<std::string> names) {
    std::vector<Parameter> trained;
    for (std::string& name : names) trained.push_back({std::move(name), nullptr});
    return frozen_part(*model, trained);
  };
  const std::string text = "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A";
  const std::string merger = "base_model.model.model.visual.merger.mlp.0.lora_A";
  EXPECT_EQ(part({text}), FrozenPart::kTowerAndProjector);
  EXPECT_EQ(part({text, merger}), FrozenPart::kTower);
  EXPECT_EQ(part({text, merger, "model.visual.blocks.0.attn.qkv.weight"}), FrozenPart::kNothing);
}

TEST(FrozenParts, OfAModelOfTextAreNone) {
  const TempFolder folder;
  ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llama-tiny", .seed = 4}, folder.path()).ok());
  EXPECT_EQ(frozen_part(*load_model(posix_file_ops(), folder.path()).value(), {}),
            FrozenPart::kNothing);
}

}  // namespace
}  // namespace mortise::engine
