// Every operation twice: composed in libtorch by the host, and by the scalar fp64 reference through
// the table of mortise.device_ops/1. Results and gradients must agree; so the composition is an
// oracle and the calls of the table carry the right tensors.
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <functional>

#include "conform/reference.h"
#include "engine/model/decoder.h"
#include "engine/op/op.h"
#include "tests/engine/op/random_tensor.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

struct OpCase {
  const char* name;
  Tensors inputs;  // fp32; converted to the type under test, all but the first `fp32_from` on
  std::function<Tensors(Device&, const Tensors&)> run;
  size_t fp32_from = 100;  // inputs from here on stay fp32 (factors of LoRA)
};

void PrintTo(const OpCase& op, std::ostream* out) {
  *out << op.name;
}

Bounds bounds(std::vector<int32_t> values) {
  return Bounds::of(std::move(values));
}
OpCase attention_case(const char* name, std::vector<int32_t> q, std::vector<int32_t> k, bool causal,
                      int32_t window) {
  return {name,
          {random_tensor({q.back(), 4, 8}, 1), random_tensor({k.back(), 2, 8}, 2),
           random_tensor({k.back(), 2, 8}, 3)},
          [=](Device& d, const Tensors& t) -> Tensors {
            return {attention(d, t[0], t[1], t[2], bounds(q), bounds(k), {0.35, causal, window})};
          }};
}

void add_loss_cases(const Tensor& x, std::vector<OpCase>& cases) {
  cases.push_back(
      {"LinearCrossEntropy",
       {x, random_tensor({20, 12}, 25)},
       [](Device& d, const Tensors& t) -> Tensors {
         return {linear_cross_entropy(d, t[0], t[1], ints({0, 2, 6}), ints({4, 19, 0}))};
       }});
  cases.push_back({"LinearCrossEntropyOfNoLabel",
                   {x, random_tensor({20, 12}, 25)},
                   [](Device& d, const Tensors& t) -> Tensors {
                     return {linear_cross_entropy(d, t[0], t[1], ints({}), ints({}))};
                   }});
  // Two answers; the head trains, or is frozen as under LoRA.
  for (const bool trains : {true, false}) {
    cases.push_back({trains ? "AnswerLogProbs" : "AnswerLogProbsOfAFrozenHead",
                     {x, random_tensor({20, 12}, 25)},
                     [trains](Device& d, const Tensors& t) -> Tensors {
                       return {answer_log_probs(d, t[0], trains ? t[1] : t[1].detach(),
                                                ints({0, 2, 5, 6}), ints({4, 19, 7, 0}),
                                                {1, 0, 1, 1}, 2)};
                     }});
  }
}

std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  const Tensor x = random_tensor({7, 12}, 11), w = random_tensor({5, 12}, 12);
  const Tensor bias = random_tensor({5}, 13);
  cases.push_back({"Linear", {x, w, bias}, [](Device& d, const Tensors& t) -> Tensors {
                     return {linear(d, t[0], t[1], t[2])};
                   }});
  cases.push_back({"LinearWithoutBias", {x, w}, [](Device& d, const Tensors& t) -> Tensors {
                     return {linear(d, t[0], t[1], Tensor())};
                   }});
  cases.push_back({"LinearLora",
                   {x, w, bias, random_tensor({3, 12}, 14), random_tensor({5, 3}, 15)},
                   [](Device& d, const Tensors& t) -> Tensors {
                     return {linear_lora(d, t[0], t[1], t[2], t[3], t[4], 0.5)};
                   },
                   3});
  cases.push_back(
      {"RmsNorm", {x, random_tensor({12}, 16)}, [](Device& d, const Tensors& t) -> Tensors {
         return {rms_norm(d, t[0], t[1], 1e-5)};
       }});
  cases.push_back({"RmsNormResidual",
                   {x, random_tensor({7, 12}, 17), random_tensor({12}, 18)},
                   [](Device& d, const Tensors& t) -> Tensors {
                     const auto [y, sum] = rms_norm_residual(d, t[0], t[1], t[2], 1e-5);
                     return {y, sum};
                   }});
  cases.push_back({"LayerNorm",
                   {x, random_tensor({12}, 19), random_tensor({12}, 20)},
                   [](Device& d, const Tensors& t) -> Tensors {
                     return {layer_norm(d, t[0], t[1], t[2], 1e-5)};
                   }});
  cases.push_back(
      {"Rope", {random_tensor({6, 3, 8}, 21)}, [](Device& d, const Tensors& t) -> Tensors {
         TextConfig config;
         config.head_dim = 8;
         const std::vector<int32_t> positions = {0, 1, 2, 0, 1, 7};
         const auto [cos, sin] = rotary_table(config, positions);
         return {rope(d, t[0], cos.to(t[0].options()), sin.to(t[0].options()))};
       }});
  cases.push_back(attention_case("AttentionCausal", {0, 5, 6, 13}, {0, 5, 6, 13}, true, 0));
  cases.push_back(attention_case("AttentionAll", {0, 4, 9}, {0, 4, 9}, false, 0));
  cases.push_back(attention_case("AttentionWindow", {0, 9, 12}, {0, 9, 12}, true, 3));
  cases.push_back(attention_case("AttentionAgainstLongerKeys", {0, 2, 3}, {0, 7, 11}, true, 0));
  cases.push_back({"Swiglu",
                   {random_tensor({7, 9}, 22), random_tensor({7, 9}, 23)},
                   [](Device& d, const Tensors& t) -> Tensors { return {swiglu(d, t[0], t[1])}; }});
  for (const auto& [name, kind] :
       {std::pair("GeluErf", Gelu::kErf), {"GeluTanh", Gelu::kTanh}, {"GeluQuick", Gelu::kQuick}}) {
    cases.push_back({name, {x}, [kind = kind](Device& d, const Tensors& t) -> Tensors {
                       return {gelu(d, t[0], kind)};
                     }});
  }
  cases.push_back(
      {"Embedding", {random_tensor({10, 4}, 24)}, [](Device& d, const Tensors& t) -> Tensors {
         return {embedding(d, ints({3, 0, 9, 3}), t[0])};
       }});
  add_loss_cases(x, cases);
  return cases;
}

// Outputs, then the gradient of each input under a fixed upstream gradient.
Tensors results_of(const OpCase& op, Device& device, at::ScalarType type) {
  Tensors inputs;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    Tensor input = op.inputs[i].to(i < op.fp32_from ? type : at::kFloat).clone();
    inputs.push_back(input.set_requires_grad(true));
  }
  Tensors results = op.run(device, inputs);
  Tensor total;
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor upstream = random_tensor(results[i].sizes().vec(), 90 + i);
    const Tensor part = (results[i].to(at::kFloat) * upstream).sum();
    total = total.defined() ? total + part : part;
  }
  total.backward();
  for (const Tensor& input : inputs) {
    results.push_back(input.grad().defined() ? input.grad() : at::zeros_like(input));
  }
  return results;
}

void expect_agreement(const OpCase& op, at::ScalarType type, double tolerance) {
  Device composed, reference(mortise_reference_ops());

  const Tensors got = results_of(op, composed, type), want = results_of(op, reference, type);

  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].sizes(), want[i].sizes());
    ASSERT_EQ(got[i].scalar_type(), want[i].scalar_type());
    if (got[i].numel() == 0) continue;
    const double scale = 1 + want[i].abs().max().item<double>();
    const double off =
        (got[i].to(at::kDouble) - want[i].to(at::kDouble)).abs().max().item<double>();
    EXPECT_LE(off / scale, tolerance) << op.name << " result " << i;
  }
  for (const auto& [name, counts] : reference.counts()) {
    EXPECT_EQ(counts.fallback, 0u) << name << " was not asked of the device";
    EXPECT_GT(counts.native, 0u) << name;
  }
  for (const auto& [name, counts] : composed.counts()) EXPECT_EQ(counts.native, 0u) << name;
}

TEST(AnswerLogProbs, SumToTheCrossEntropyOfAllLabels) {
  Device device;
  const Tensor x = random_tensor({7, 12}, 11), w = random_tensor({20, 12}, 25);
  const Tensor rows = ints({0, 2, 5}), labels = ints({4, 19, 7});
  const Tensor sums = answer_log_probs(device, x, w, rows, labels, {0, 2, 2}, 3);
  EXPECT_NEAR(-sums.sum().item<double>(),
              linear_cross_entropy(device, x, w, rows, labels).item<double>(), 1e-5);
  EXPECT_EQ(sums[1].item<double>(), 0);
  EXPECT_NEAR(-sums[0].item<double>(),
              linear_cross_entropy(device, x, w, ints({0}), ints({4})).item<double>(), 1e-5);
}

class Operation : public testing::TestWithParam<OpCase> {};

TEST_P(Operation, ComposedAndReferenceAgreeInFp32WithGradients) {
  expect_agreement(GetParam(), at::kFloat, 5e-6);
}
TEST_P(Operation, ComposedAndReferenceAgreeInBf16WithGradients) {
  expect_agreement(GetParam(), at::kBFloat16, 1.6e-2);  // two units in the last place of bf16
}

INSTANTIATE_TEST_SUITE_P(All, Operation, testing::ValuesIn(all_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace mortise::engine
