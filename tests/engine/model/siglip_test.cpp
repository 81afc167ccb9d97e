// SigLIP: its loss by the formula, images that do not see each other, and what it refuses.
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/infer/forward.h"
#include "engine/model/layout.h"
#include "engine/op/node.h"
#include "tests/engine/op/random_tensor.h"

namespace mortise::engine {
namespace {

class Siglip : public testing::Test {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    const ModelConfig config = parse_config(*base::parse_json(R"({"model_type": "siglip",
            "vision_config": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
                              "num_attention_heads": 2, "image_size": 28, "patch_size": 14},
            "text_config": {"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 1,
                            "num_attention_heads": 2, "projection_size": 16, "vocab_size": 30,
                            "max_position_embeddings": 4}})"))
                                   .value();
    NamedTensors tensors;
    uint64_t seed = 0;
    for (const TensorSpec& spec : layout_of(config)) {
      tensors.emplace_back(spec.name, random_tensor(spec.shape, ++seed) * 0.3);
    }
    model_ = build_model(config, at::kFloat, tensors).value();
    inputs_ = {{"input_ids", at::tensor({3, 4, 1, 1, 9, 8, 7, 2}, at::kLong).view({2, 4})},
               {"pixel_values", random_tensor({2, 3, 28, 28}, 50)}};
  }
  base::Result<NamedTensors> run() { return forward_tensors(device_, *model_, inputs_, {}); }

  Device device_;
  std::unique_ptr<Model> model_;
  TensorMap inputs_;
};

TEST_F(Siglip, TheLossJudgesEachPairByItself) {
  const auto out = run();
  ASSERT_TRUE(out.ok()) << out.error().text();
  const TensorMap map(out->begin(), out->end());
  const at::Tensor& logits = map.at("logits_per_text");
  double want = 0;
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      const double z = logits[i][j].item<double>();
      want += std::log1p(std::exp(i == j ? -z : z)) / 2;  // the mean over two rows
    }
  }
  EXPECT_NEAR(map.at("loss").item<double>(), want, 1e-5);
}

TEST_F(Siglip, AnImageAloneIsWhatItIsInAPair) {
  const auto both = run();
  ASSERT_TRUE(both.ok()) << both.error().text();
  const at::Tensor want = TensorMap(both->begin(), both->end()).at("vision_pooler_output")[1];
  inputs_.erase("input_ids");
  inputs_["pixel_values"] = inputs_["pixel_values"].narrow(0, 1, 1);

  const auto one = run();

  ASSERT_TRUE(one.ok()) << one.error().text();
  const at::Tensor got = TensorMap(one->begin(), one->end()).at("image_features")[0];
  EXPECT_LT((got - want).abs().max().item<double>(), 1e-5);
}

TEST_F(Siglip, RefusesAMaskThatHidesTokens) {
  inputs_["attention_mask"] = at::tensor({1, 1, 1, 1, 1, 1, 1, 1}, at::kLong).view({2, 4});
  EXPECT_TRUE(run().ok());
  inputs_["attention_mask"] = at::tensor({1, 1, 0, 0, 1, 1, 1, 1}, at::kLong).view({2, 4});
  const auto out = run();
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().field, "attention_mask");
}

TEST_F(Siglip, RefusesATextLongerThanItsPositions) {
  inputs_["input_ids"] = at::tensor({1, 2, 3, 4, 5}, at::kLong).view({1, 5});
  EXPECT_EQ(run().error().code, base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace mortise::engine
