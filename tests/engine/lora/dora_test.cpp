// DoRA against the same formula in double, written with libtorch alone: values and gradients, with
// and without dropout, and what a merge gives.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/norm.h>
#include <gtest/gtest.h>

#include "engine/model/linear.h"
#include "engine/op/counter_rng.h"
#include "tests/engine/op/random_tensor.h"

namespace mortise::engine {
namespace {

using at::Tensor;

constexpr int64_t kRows = 6, kInputs = 10, kOutputs = 7, kRank = 3;
constexpr double kScale = 1.5, kDropout = 0.4;
constexpr uint64_t kSeed = 77;

struct Layer {
  LoraFactors factors;
  Linear linear;
  Tensor x;

  explicit Layer(double dropout) {
    factors = {.a = random_tensor({kRank, kInputs}, 1),
               .b = random_tensor({kOutputs, kRank}, 2),
               .magnitude = random_tensor({kOutputs}, 3).abs() + 0.5,
               .scale = kScale,
               .dropout = dropout};
    linear = {.name = "q_proj",
              .weight = random_tensor({kOutputs, kInputs}, 4),
              .bias = random_tensor({kOutputs}, 5),
              .lora = &factors};
    x = random_tensor({kRows, kInputs}, 6);
    for (Tensor* tensor : all()) tensor->set_requires_grad(true);
  }
  std::vector<Tensor*> all() { return {&x, &factors.a, &factors.b, &factors.magnitude}; }
};

// The mask of the first call of a pass with kSeed.
Tensor first_mask(double dropout) {
  const CounterRng random(kSeed, 1);
  Tensor mask = at::empty({kRows, kInputs}, at::kDouble);
  for (int64_t i = 0; i < mask.numel(); ++i) {
    const bool drops =
        random.bits32(static_cast<uint64_t>(i)) < static_cast<uint32_t>(dropout * 4294967296.0);
    mask.mutable_data_ptr<double>()[i] = drops ? 0 : 1 / (1 - dropout);
  }
  return mask;
}

// PEFT's DoraLinearLayer.forward beside Linear.forward, in double.
Tensor by_definition(const std::vector<Tensor>& leaves, const Linear& linear, const Tensor& mask) {
  const Tensor &x = leaves[0], &a = leaves[1], &b = leaves[2], &magnitude = leaves[3];
  const Tensor w = linear.weight.detach().to(at::kDouble);
  const Tensor bias = linear.bias.detach().to(at::kDouble);
  const Tensor norm = at::norm(w + b.detach().matmul(a.detach()) * kScale, 2, {1});  // a constant
  const Tensor m = (magnitude / norm).unsqueeze(0);
  const Tensor dropped = x * mask;
  return x.matmul(w.t()) + bias + (m - 1) * dropped.matmul(w.t()) +
         m * dropped.matmul(a.t()).matmul(b.t()) * kScale;
}

void expect_as_defined(double dropout) {
  Layer layer(dropout);
  Device device;
  Pass pass{.device = &device, .training = true, .dropout_seed = kSeed};
  std::vector<Tensor> leaves;
  for (const Tensor* tensor : layer.all()) {
    leaves.push_back(tensor->detach().to(at::kDouble).set_requires_grad(true));
  }
  const Tensor weights = random_tensor({kRows, kOutputs}, 8);

  const Tensor y = layer.linear.forward(pass, layer.x);
  (y * weights).sum().backward();
  const Tensor want = by_definition(leaves, layer.linear, first_mask(dropout));
  (want * weights.to(at::kDouble)).sum().backward();

  EXPECT_LT((y.to(at::kDouble) - want).abs().max().item<double>(), 2e-5);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const Tensor got = layer.all()[i]->grad().to(at::kDouble);
    EXPECT_LT((got - leaves[i].grad()).abs().max().item<double>(), 5e-5) << "leaf " << i;
  }
}

TEST(Dora, IsItsFormulaWithoutDropout) {
  expect_as_defined(0);
}

TEST(Dora, IsPeftsFormulaWithDropout) {
  expect_as_defined(kDropout);
}

TEST(Dora, DropoutIsOffOutsideTraining) {
  Layer layer(kDropout);
  Device device;
  Pass pass{.device = &device};
  const Tensor y = layer.linear.forward(pass, layer.x);
  const Tensor merged =
      layer.x.matmul(merged_weight(layer.linear.weight, layer.factors).t()) + layer.linear.bias;
  EXPECT_LT((y - merged).abs().max().item<double>(), 2e-5);
  EXPECT_EQ(pass.dropout_calls, 0u);
}

}  // namespace
}  // namespace mortise::engine
