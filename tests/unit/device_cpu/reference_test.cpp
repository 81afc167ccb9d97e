// The fp64 reference itself: each gradient operation against central differences of its forward
// operation, all in float64, and the values that can be known without computing.
#include "conform/reference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "conform/reference_loss.h"
#include "tests/unit/device_cpu/support.h"

namespace mortise::device_test {
namespace {

using sdk::kFloat64;

Case exact(std::string op, std::vector<Tensor> inputs, std::vector<Tensor> outputs,
           std::vector<double> scalars = {}) {
  return {"float64",         std::move(op),      kFloat64,           kFloat64,
          std::move(inputs), std::move(outputs), std::move(scalars), {}};
}

double inner_product(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.count(); ++i) sum += a.get(i) * b.get(i);
  return sum;
}

// d <upstream, output 0> / d input `which`, by central differences.
Tensor slopes(const Case& forward, size_t which, const Tensor& upstream) {
  Tensor slope(kFloat64, forward.inputs[which].shape);
  constexpr double kStep = 1e-5;
  for (int64_t i = 0; i < slope.count(); ++i) {
    double values[2];
    for (const int side : {0, 1}) {
      Case moved = forward;
      Tensor& input = moved.inputs[which];
      input.set(i, input.get(i) + (side == 0 ? kStep : -kStep));
      values[side] = inner_product(upstream, run_reference(moved)[0]);
    }
    slope.set(i, (values[0] - values[1]) / (2 * kStep));
  }
  return slope;
}

// Central differences are good to about step^2 and machine epsilon over step.
constexpr double kSlopeError = 1e-8;

class ReferenceGradient : public testing::Test {
 protected:
  Tensor numbers(std::vector<int64_t> shape) { return random(rng_, kFloat64, std::move(shape)); }
  static Tensor zeros(std::vector<int64_t> shape) { return {kFloat64, std::move(shape)}; }
  // gradient: the output of the gradient operation that belongs to input `which`.
  static void expect_slope(const Case& forward, size_t which, const Tensor& upstream,
                           const Tensor& gradient) {
    EXPECT_LE(normalised_error(gradient, slopes(forward, which, upstream)), kSlopeError)
        << forward.op << " input " << which;
  }
  std::mt19937 rng_{7};
};

TEST_F(ReferenceGradient, OfLinearIsItsSlope) {
  const Tensor x = numbers({3, 5}), w = numbers({4, 5}), dy = numbers({3, 4});
  const Case forward = exact("linear", {x, w, numbers({4})}, {zeros({3, 4})});
  const auto dx = run_reference(exact("linear_grad_input", {dy, w}, {zeros({3, 5})}));
  const auto dw = run_reference(exact("linear_grad_weight", {dy, x}, {zeros({4, 5}), zeros({4})}));
  expect_slope(forward, 0, dy, dx[0]);
  expect_slope(forward, 1, dy, dw[0]);
  expect_slope(forward, 2, dy, dw[1]);
}

TEST_F(ReferenceGradient, OfLinearLoraIsItsSlope) {
  const Tensor x = numbers({3, 5}), w = numbers({4, 5}), a = numbers({2, 5}), b = numbers({4, 2});
  const Case forward =
      exact("linear_lora", {x, w, Tensor(), a, b}, {zeros({3, 4}), zeros({3, 2})}, {0.7});
  const Tensor xa = run_reference(forward)[1], dy = numbers({3, 4});
  const auto grads = run_reference(exact("linear_lora_grad", {dy, x, w, a, b, xa},
                                         {zeros({3, 5}), zeros({2, 5}), zeros({4, 2})}, {0.7}));
  expect_slope(forward, 0, dy, grads[0]);
  expect_slope(forward, 3, dy, grads[1]);
  expect_slope(forward, 4, dy, grads[2]);
}

TEST_F(ReferenceGradient, OfRmsNormIsItsSlope) {
  const Tensor x = numbers({3, 6}), weight = numbers({6}), residual = numbers({3, 6});
  const Case forward =
      exact("rms_norm", {x, weight, residual}, {zeros({3, 6}), zeros({3}), zeros({3, 6})}, {1e-3});
  const auto made = run_reference(forward);
  const Tensor dy = numbers({3, 6});
  const auto grads = run_reference(
      exact("rms_norm_grad", {dy, made[2], weight, made[1]}, {zeros({3, 6}), zeros({6})}));
  expect_slope(forward, 0, dy, grads[0]);
  expect_slope(forward, 1, dy, grads[1]);
  expect_slope(forward, 2, dy, grads[0]);
}

TEST_F(ReferenceGradient, OfLayerNormIsItsSlope) {
  const Tensor x = numbers({3, 6}), weight = numbers({6});
  const Case forward = exact("layer_norm", {x, weight, numbers({6})},
                             {zeros({3, 6}), zeros({3}), zeros({3})}, {1e-3});
  const auto made = run_reference(forward);
  const Tensor dy = numbers({3, 6});
  const auto grads = run_reference(exact("layer_norm_grad", {dy, x, weight, made[1], made[2]},
                                         {zeros({3, 6}), zeros({6}), zeros({6})}));
  expect_slope(forward, 0, dy, grads[0]);
  expect_slope(forward, 1, dy, grads[1]);
  expect_slope(forward, 2, dy, grads[2]);
}

TEST_F(ReferenceGradient, OfRopeIsRopeWithTheOtherSign) {
  const Tensor cos = numbers({3, 4}), sin = numbers({3, 4});
  // The rotation: both halves of the angles are alike.
  Tensor c = cos, s = sin;
  for (int64_t i = 0; i < 12; ++i) {
    c.set(i, cos.get(i / 4 * 4 + i % 2));
    s.set(i, sin.get(i / 4 * 4 + i % 2));
  }
  const Case forward = exact("rope", {numbers({3, 2, 4}), c, s}, {zeros({3, 2, 4})}, {1});
  const Tensor dy = numbers({3, 2, 4});
  const auto grad = run_reference(exact("rope", {dy, c, s}, {zeros({3, 2, 4})}, {-1}));
  expect_slope(forward, 0, dy, grad[0]);
}

TEST_F(ReferenceGradient, OfAttentionIsItsSlopeWithWindowsGroupsAndUnseenRows) {
  for (const double window : {0.0, 3.0}) {
    for (const double causal : {0.0, 1.0}) {
      const Tensor q = numbers({7, 4, 3}), k = numbers({9, 2, 3}), v = numbers({9, 2, 3});
      const Tensor q_bounds = ints({0, 4, 7}), k_bounds = ints({0, 2, 9});
      const Case forward = exact("attention", {q, k, v, q_bounds, k_bounds},
                                 {zeros({7, 4, 3}), zeros({4, 7})}, {0.6, causal, window});
      const auto made = run_reference(forward);
      const Tensor dy = numbers({7, 4, 3});
      const auto grads = run_reference(
          exact("attention_grad", {dy, q, k, v, made[0], made[1], q_bounds, k_bounds},
                {zeros({7, 4, 3}), zeros({9, 2, 3}), zeros({9, 2, 3})}, {0.6, causal, window}));
      for (const size_t input : {0, 1, 2}) expect_slope(forward, input, dy, grads[input]);
    }
  }
}

TEST_F(ReferenceGradient, OfSwigluIsItsSlope) {
  const Tensor gate = numbers({3, 5}), up = numbers({3, 5}), dy = numbers({3, 5});
  const Case forward = exact("swiglu", {gate, up}, {zeros({3, 5})});
  const auto grads =
      run_reference(exact("swiglu_grad", {dy, gate, up}, {zeros({3, 5}), zeros({3, 5})}));
  expect_slope(forward, 0, dy, grads[0]);
  expect_slope(forward, 1, dy, grads[1]);
}

TEST_F(ReferenceGradient, OfGeluIsItsSlopeInAllKinds) {
  for (const double kind : {0.0, 1.0, 2.0}) {
    const Tensor x = numbers({3, 5}), dy = numbers({3, 5});
    const Case forward = exact("gelu", {x}, {zeros({3, 5})}, {kind});
    const auto dx = run_reference(exact("gelu_grad", {dy, x}, {zeros({3, 5})}, {kind}));
    expect_slope(forward, 0, dy, dx[0]);
  }
}

TEST_F(ReferenceGradient, OfEmbeddingIsItsSlopeAndIsAdded) {
  const Tensor ids = ints({2, 0, 2}), table = numbers({4, 3}), dy = numbers({3, 3});
  const Case forward = exact("embedding", {ids, table}, {zeros({3, 3})});
  const Tensor before = numbers({4, 3});
  Tensor added = run_reference(exact("embedding_grad", {dy, ids}, {before}))[0];
  for (int64_t i = 0; i < added.count(); ++i) added.set(i, added.get(i) - before.get(i));
  expect_slope(forward, 1, dy, added);
}

TEST_F(ReferenceGradient, OfLinearCrossEntropyIsItsSlope) {
  const Tensor hidden = numbers({4, 3}), w = numbers({5, 3});
  const Tensor rows = ints({0, 3, 0}), labels = ints({1, 4, 2});
  const Case forward =
      exact("linear_cross_entropy", {hidden, w, rows, labels}, {zeros({1}), zeros({3})});
  Tensor dloss(kFloat64, {1});
  dloss.set(0, 1.5);
  const auto grads = run_reference(exact("linear_cross_entropy_grad",
                                         {hidden, w, rows, labels, run_reference(forward)[1]},
                                         {zeros({4, 3}), zeros({5, 3})}, {1.5}));
  expect_slope(forward, 0, dloss, grads[0]);
  expect_slope(forward, 1, dloss, grads[1]);
}

TEST(ReferenceLoss, HasTheSlopeOfItsLoss) {
  std::vector<double> logits = {0.5, -1, 2, 0, 1, 0.25};  // [2, 3]
  const std::vector<int32_t> rows = {1, 1}, labels = {0, 2};
  const auto exact_gradient = conform::cross_entropy(logits, 3, rows, labels).grad_logits;
  for (size_t i = 0; i < logits.size(); ++i) {
    std::vector<double> up = logits, down = logits;
    up[i] += 1e-5;
    down[i] -= 1e-5;
    const double slope = (conform::cross_entropy(up, 3, rows, labels).loss -
                          conform::cross_entropy(down, 3, rows, labels).loss) /
                         2e-5;
    EXPECT_NEAR(exact_gradient[i], slope, 1e-9);
  }
}

TEST(ReferenceOps, GiveUniformLogitsTheLogOfTheVocabulary) {
  const Tensor hidden(sdk::kFloat32, {2, 4}), w(sdk::kFloat32, {8, 4});
  const auto out = run_reference({"",
                                  "linear_cross_entropy",
                                  sdk::kFloat32,
                                  sdk::kFloat32,
                                  {hidden, w, ints({0, 1}), ints({3, 7})},
                                  {Tensor(sdk::kFloat32, {1}), Tensor(sdk::kFloat32, {2})},
                                  {},
                                  {}});
  EXPECT_FLOAT_EQ(static_cast<float>(out[0].get(0)), static_cast<float>(2 * std::log(8.0)));
}

TEST(ReferenceOps, RefuseAnUnknownOperation) {
  mortise_op_query query{};
  query.struct_size = sizeof(query);
  query.op = sdk::text("fold");
  query.activation = query.weight = sdk::kFloat32;
  mortise_op* op = nullptr;
  sdk::ErrorCollector error;
  EXPECT_EQ(mortise_reference_ops()->prepare(&query, &op, error.raw()),
            MORTISE_STATUS_UNIMPLEMENTED);
}

}  // namespace
}  // namespace mortise::device_test
