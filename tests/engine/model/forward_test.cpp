// `model forward` from file to file, and its refusals.
#include "engine/infer/forward.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "tests/engine/op/random_tensor.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::posix_file_ops;
using tests::TempFolder;

class Forward : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(new_model(posix_file_ops(), {.preset = "llama-tiny"}, (folder_ / "model")).ok());
    request_.model_folder = (folder_ / "model");
    request_.input_path = (folder_ / "in.safetensors");
    request_.output_path = (folder_ / "out.safetensors");
    inputs_ = {{"input_ids", at::tensor({1, 2, 3, 4}, at::kLong).view({1, 4})},
               {"labels", at::tensor({-100, 2, 3, 4}, at::kLong).view({1, 4})}};
  }
  base::Status run() {
    EXPECT_TRUE(save_tensors(posix_file_ops(), request_.input_path, inputs_).ok());
    Device device;
    return run_forward(posix_file_ops(), device, request_);
  }

  TempFolder folder_;
  ForwardRequest request_;
  NamedTensors inputs_;
};

TEST_F(Forward, WritesLogitsLossStatesAndGradients) {
  request_.grad = true;

  const auto status = run();

  ASSERT_TRUE(status.ok()) << status.error().text();
  const auto out = Checkpoint::open_file(posix_file_ops(), request_.output_path).value();
  EXPECT_EQ(out.find("logits")->shape, (std::vector<int64_t>{1, 4, 2048}));
  EXPECT_EQ(out.find("loss")->shape, (std::vector<int64_t>{1}));
  for (const char* name :
       {"hidden_states.0", "hidden_states.1", "hidden_states.2", "hidden_states.norm",
        "grad.model.embed_tokens.weight", "grad.model.layers.1.mlp.down_proj.weight"}) {
    EXPECT_TRUE(out.contains(name)) << name;
  }
  EXPECT_FALSE(out.contains("grad.lm_head.weight")) << "the head is tied";
}

TEST_F(Forward, ComputesInTheTypeAskedFor) {
  request_.dtype = "bfloat16";
  ASSERT_TRUE(run().ok());
  const auto out = Checkpoint::open_file(posix_file_ops(), request_.output_path).value();
  EXPECT_EQ(out.find("logits")->dtype, "BF16");
  EXPECT_EQ(out.find("loss")->dtype, "F32");
}

TEST_F(Forward, GivesTheSameBytesTwice) {
  request_.grad = true;
  ASSERT_TRUE(run().ok());
  const auto first = base::read_file(posix_file_ops(), request_.output_path).value();
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(base::read_file(posix_file_ops(), request_.output_path).value(), first);
}

TEST_F(Forward, RefusesADtypeThatIsNotKnown) {
  request_.dtype = "float8";
  const auto status = run();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("float8"), std::string::npos);
}

TEST_F(Forward, RefusesAnInputThatIsNotKnownByName) {
  inputs_.emplace_back("input_idz", at::tensor({1}, at::kLong));
  const auto status = run();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().field, "input_idz");
}

TEST_F(Forward, RefusesWhatOnlyQwenVlTakes) {
  inputs_.emplace_back("image_grid_thw", at::tensor({1, 2, 2}, at::kLong).view({1, 3}));
  EXPECT_EQ(run().error().field, "image_grid_thw");
  inputs_.back() = {"position_ids", at::tensor({0, 1, 2, 3}, at::kLong).repeat({3, 1, 1})};
  EXPECT_EQ(run().error().field, "position_ids");
}

TEST_F(Forward, RefusesGradientsWithoutLabels) {
  inputs_.pop_back();
  request_.grad = true;
  const auto status = run();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("labels"), std::string::npos);
  EXPECT_FALSE(posix_file_ops().exists(request_.output_path).value());
}

TEST_F(Forward, RefusesLabelsThatLabelNothing) {
  inputs_[1].second.fill_(-100);
  EXPECT_EQ(run().error().code, base::Code::kInvalidArgument);
}

TEST_F(Forward, RefusesImagesForAModelWithoutATower) {
  inputs_.emplace_back("pixel_values", random_tensor({1, 3, 56, 56}, 1));
  const auto status = run();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("no vision tower"), std::string::npos);
}

TEST_F(Forward, SaysThatTheModelFolderHoldsNoModel) {
  request_.model_folder = folder_.path();
  const auto status = run();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, base::Code::kNotFound);
}

TEST_F(Forward, SaysThatTheAdapterFolderHoldsNoAdapter) {
  request_.adapter_folder = folder_.path();
  EXPECT_EQ(run().error().code, base::Code::kNotFound);
}

}  // namespace
}  // namespace mortise::engine
