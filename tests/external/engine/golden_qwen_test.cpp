// Qwen2-VL and Qwen2.5-VL: towers, positions on three axes, packing and both spellings of the
// configuration against what transformers computed. Gradients are in golden_forward_test.cpp.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/tensor.h>

#include "golden_case.h"

namespace mortise::engine {
namespace {

std::vector<int64_t> numbers_in(const at::Tensor& tensor) {
  const at::Tensor numbers = tensor.to(at::kLong).contiguous();
  const int64_t* data = numbers.const_data_ptr<int64_t>();
  return {data, data + numbers.numel()};
}

PatchBatch pictures_in(const GoldenCase& golden, const char* pixels, const char* grids) {
  PatchBatch pictures;
  pictures.patches = golden.tensor(pixels);
  const std::vector<int64_t> sizes = numbers_in(golden.tensor(grids));
  for (size_t i = 0; i < sizes.size(); i += 3) {
    pictures.grids.push_back({sizes[i], sizes[i + 1], sizes[i + 2]});
  }
  return pictures;
}

class GoldenQwen : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    MORTISE_NEED_FIXTURES();
    golden_ = std::make_unique<GoldenCase>(GetParam());
    model_ = golden_->load();
  }
  TensorMap forward(const TensorMap& inputs) {
    Device device;
    auto out = forward_tensors(device, *model_, inputs, {});
    EXPECT_TRUE(out.ok()) << out.error().text();
    return out.ok() ? map_of(*out) : TensorMap();
  }

  std::unique_ptr<GoldenCase> golden_;
  std::unique_ptr<Model> model_;
};

TEST_P(GoldenQwen, TowerFeaturesStatesLogitsAndLossMatchTheReference) {
  const TensorMap out = forward(golden_->inputs());

  const at::Tensor& mask = golden_->tensor("in.attention_mask");
  const Tolerance hidden = golden_->tolerance("out.hidden"),
                  vision = golden_->tolerance("out.vision");
  size_t compared = 0;
  for (const auto& [key, want] : golden_->tensors()) {
    if (key.starts_with("out.hidden.")) {
      expect_close(key, out.at("hidden_states." + key.substr(11)), want, hidden, mask);
      ++compared;
    }
    if (key.starts_with("out.vision.hidden.")) {
      expect_close(key, out.at("vision_hidden_states." + key.substr(18)), want, vision);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 4 + static_cast<size_t>(model_->config.qwen_vision->layers) + 1);
  expect_close("features", out.at("image_features"), golden_->tensor("out.image_features"), vision);
  expect_close("logits", out.at("logits"), golden_->tensor("out.logits"),
               golden_->tolerance("out.logits"), mask);
  expect_close("loss", out.at("loss"), golden_->tensor("out.loss"), golden_->tolerance("out.loss"));
}

TEST_P(GoldenQwen, PositionsAndDeltasFollowFromIdsAndGrids) {
  const TensorMap inputs = golden_->inputs();
  const PackedBatch batch = pack_batch(inputs);
  const PatchBatch images = pictures_in(*golden_, "in.pixel_values", "in.image_grid_thw");
  PatchBatch videos = pictures_in(*golden_, "in.pixel_values_videos", "in.video_grid_thw");
  if (golden_->has("in.second_per_grid_ts")) {
    videos.seconds = {golden_->tensor("in.second_per_grid_ts")[0].item<double>()};
  }
  const std::span ids(batch.ids.const_data_ptr<int32_t>(), static_cast<size_t>(batch.ids.size(0)));

  const MropePositions got =
      mrope_positions(model_->config, ids, batch.bounds.host, images, videos);

  EXPECT_EQ(got.values, batch.positions);  // as given, packed
  EXPECT_EQ(std::vector<int64_t>(got.deltas.begin(), got.deltas.end()),
            numbers_in(golden_->tensor("in.rope_deltas")));
}

TEST_P(GoldenQwen, WithoutPositionIdsTheLogitsAreTheSame) {
  TensorMap inputs = golden_->inputs();
  const at::Tensor given = forward(inputs).at("logits");
  inputs.erase("position_ids");
  EXPECT_TRUE(at::equal(forward(inputs).at("logits"), given));
}

TEST_P(GoldenQwen, PackedRowsGiveWhatEachGivesInTheBatchAndAlone) {
  TensorMap inputs = golden_->inputs();
  const at::Tensor mask = golden_->tensor("in.attention_mask").to(at::kBool);
  const at::Tensor all = golden_->tensor("in.input_ids");
  std::vector<int64_t> bounds = {0};
  for (const int64_t length : numbers_in(golden_->tensor("in.attention_mask").sum(-1))) {
    bounds.push_back(bounds.back() + length);
  }
  for (const char* name : {"attention_mask", "position_ids", "labels"}) inputs.erase(name);
  inputs["input_ids"] = at::masked_select(all, mask);
  inputs["cu_seqlens"] = at::tensor(at::ArrayRef<int64_t>(bounds), at::kLong);

  const at::Tensor logits = forward(inputs).at("logits");

  const at::Tensor want = golden_->tensor("out.logits");
  for (int64_t i = 0; i < all.size(0); ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t length = bounds[at + 1] - bounds[at];
    expect_close("row " + std::to_string(i), logits.narrow(0, bounds[at], length),
                 want.select(0, i).narrow(0, 0, length), golden_->tolerance("out.logits"));
  }
  const TensorMap text = {{"input_ids", all.narrow(0, 3, 1).narrow(1, 0, bounds[4] - bounds[3])}};
  expect_close("the text alone", forward(text).at("logits").select(0, 0),
               logits.narrow(0, bounds[3], bounds[4] - bounds[3]),
               golden_->tolerance("out.logits"));
}

TEST_P(GoldenQwen, SpellingOfTransformers4GivesTheSameConfiguration) {
  const auto file =
      base::read_file(base::posix_file_ops(), golden_->model_folder() + "/config.v4.json");
  const auto parsed = parse_config(base::parse_json(file.value()).value());
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  const ModelConfig &a = model_->config, &b = *parsed;
  EXPECT_EQ(a.dtype, b.dtype);
  EXPECT_EQ(a.image_token_id, b.image_token_id);
  EXPECT_EQ(a.video_token_id, b.video_token_id);
  EXPECT_EQ(a.text->rope.type, b.text->rope.type);
  EXPECT_EQ(a.text->rope.theta, b.text->rope.theta);
  EXPECT_EQ(a.text->rope.sections, b.text->rope.sections);
  EXPECT_EQ(a.text->rms_norm_eps, b.text->rms_norm_eps);
  EXPECT_EQ(a.text->tied, b.text->tied);
  EXPECT_EQ(a.text->windows, b.text->windows);
  EXPECT_EQ(a.text->kv_heads, b.text->kv_heads);
  EXPECT_EQ(a.qwen_vision->hidden_size, b.qwen_vision->hidden_size);
  EXPECT_EQ(a.qwen_vision->intermediate_size, b.qwen_vision->intermediate_size);
  EXPECT_EQ(a.qwen_vision->rope_theta, b.qwen_vision->rope_theta);
  EXPECT_EQ(a.qwen_vision->window, b.qwen_vision->window);
  EXPECT_EQ(a.qwen_vision->full_layers, b.qwen_vision->full_layers);
  EXPECT_EQ(a.qwen_vision->tokens_per_second, b.qwen_vision->tokens_per_second);
}

TEST_P(GoldenQwen, WritesTheNamesThatTransformersWrites) {
  const auto file = Checkpoint::open(base::posix_file_ops(), golden_->model_folder()).value();
  const TensorMap ours = map_of(tensors_on_disk(*model_));
  EXPECT_EQ(ours.size(), file.names().size());
  for (const std::string& name : file.names()) EXPECT_TRUE(ours.contains(name)) << name;
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenQwen, testing::Values("qwen2_vl-1", "qwen2_5_vl-1"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(GoldenWindows, OrderOfTheCellsIsTheReferences) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden("qwen2_5_vl-1");
  const auto model = golden.load();
  const PatchBatch images = pictures_in(golden, "in.pixel_values", "in.image_grid_thw");

  const WindowOrder order = window_order(*model->config.qwen_vision, images.grids);

  EXPECT_EQ(order.index, numbers_in(golden.tensor("out.window_index")));
  EXPECT_EQ(order.bounds.back(), 17);
}

}  // namespace
}  // namespace mortise::engine
