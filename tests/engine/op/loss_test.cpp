// The loss of a pack as a node: both of its tables, growing batches, and a pack that fails.
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <functional>

#include "conform/reference.h"
#include "conform/reference_loss.h"
#include "engine/op/failure.h"
#include "engine/op/op.h"
#include "tests/engine/op/random_tensor.h"

namespace mortise::engine {
namespace {

using at::Tensor;

int plans_made = 0;
bool plan_fails = false;

mortise_status prepare(mortise_loss_instance*, const mortise_loss_shapes* shapes,
                       const mortise_device_ops*, mortise_loss_plan** plan,
                       mortise_loss_needs* needs, mortise_error* error) {
  if (plan_fails) {
    const std::string_view words = "Only float64 is served.";
    error->set(error, MORTISE_STATUS_UNIMPLEMENTED, {words.data(), words.size()});
    return MORTISE_STATUS_UNIMPLEMENTED;
  }
  ++plans_made;
  needs->saved_bytes = 4 * shapes->labelled_max;
  needs->workspace_bytes = 16;
  *plan = reinterpret_cast<mortise_loss_plan*>(new mortise_loss_shapes(*shapes));
  return MORTISE_STATUS_OK;
}
void plan_destroy(mortise_loss_plan* plan) {
  delete reinterpret_cast<mortise_loss_shapes*>(plan);
}

std::vector<int32_t> ints_of(const DLTensor* view) {
  const auto* data = static_cast<const int32_t*>(view->data);
  return {data, data + view->shape[0]};
}

// mortise.loss/1: from logits, by the reference.
conform::CrossEntropy of_logits(const mortise_loss_call* call) {
  const auto* data = static_cast<const float*>(call->input->data);
  const int64_t classes = call->input->shape[1];
  std::vector<double> logits(data, data + call->input->shape[0] * classes);
  return conform::cross_entropy(logits, classes, ints_of(call->rows), ints_of(call->labels));
}
mortise_status logits_forward(mortise_loss_plan*, const mortise_loss_call* call, mortise_error*) {
  *static_cast<float*>(call->loss->data) = static_cast<float>(of_logits(call).loss);
  return MORTISE_STATUS_OK;
}
mortise_status logits_backward(mortise_loss_plan*, const mortise_loss_call* call, mortise_error*) {
  const auto result = of_logits(call);
  auto* out = static_cast<float*>(call->grad_input->data);
  for (size_t i = 0; i < result.grad_logits.size(); ++i) {
    out[i] = static_cast<float>(result.grad_logits[i] * call->grad_loss);
  }
  return MORTISE_STATUS_OK;
}

// mortise.loss.fused_linear/1: through the reference's operations; lse lies in `saved`.
mortise_status run_op(const char* name, std::vector<const DLTensor*> inputs,
                      std::vector<const DLTensor*> outputs, std::vector<double> scalars) {
  mortise_op_call call{};
  call.struct_size = sizeof(call);
  call.inputs = inputs.data();
  call.outputs = outputs.data();
  call.scalars = scalars.data();
  call.inputs_count = static_cast<uint32_t>(inputs.size());
  call.outputs_count = static_cast<uint32_t>(outputs.size());
  call.scalars_count = static_cast<uint32_t>(scalars.size());
  conform::run_reference(name, {kDLFloat, 32, 1}, {kDLFloat, 32, 1}, call);
  return MORTISE_STATUS_OK;
}
mortise_status fused_forward(mortise_loss_plan*, const mortise_loss_call* c, mortise_error*) {
  DLTensor lse = *c->loss;
  lse.shape = c->rows->shape;
  lse.strides = nullptr;
  lse.data = c->saved;
  return run_op("linear_cross_entropy", {c->input, c->weight, c->rows, c->labels}, {c->loss, &lse},
                {});
}
mortise_status fused_backward(mortise_loss_plan*, const mortise_loss_call* c, mortise_error*) {
  DLTensor lse = *c->rows;
  lse.dtype = {kDLFloat, 32, 1};
  lse.data = c->saved;
  return run_op("linear_cross_entropy_grad", {c->input, c->weight, c->rows, c->labels, &lse},
                {c->grad_input, c->grad_weight}, {c->grad_loss});
}

mortise_loss table_of(Loss::Kind kind) {
  mortise_loss table{};
  table.struct_size = sizeof(table);
  table.prepare = prepare;
  table.plan_destroy = plan_destroy;
  table.forward = kind == Loss::Kind::kLogits ? logits_forward : fused_forward;
  table.backward = kind == Loss::Kind::kLogits ? logits_backward : fused_backward;
  return table;
}
mortise_loss_instance* some_instance() {
  static int place;
  return reinterpret_cast<mortise_loss_instance*>(&place);
}

struct Result {
  Tensor loss, hidden_grad, weight_grad;
};

Result result_of(const std::function<Tensor(const Tensor&, const Tensor&)>& loss) {
  Tensor hidden = random_tensor({6, 5}, 1).set_requires_grad(true);
  Tensor weight = random_tensor({9, 5}, 2).set_requires_grad(true);
  const Tensor value = loss(hidden, weight);
  (value / 3).backward();
  return {value.detach(), hidden.grad(), weight.grad()};
}

class LossOfAPack : public testing::TestWithParam<Loss::Kind> {};

TEST_P(LossOfAPack, GivesTheValueAndGradientsOfTheHostsOwnCrossEntropy) {
  plan_fails = false;
  const mortise_loss table = table_of(GetParam());
  Device device;
  Loss loss(&table, some_instance(), GetParam());
  const Tensor rows = ints({0, 4, 5}), labels = ints({8, 0, 3});

  const Result got = result_of([&](const Tensor& hidden, const Tensor& weight) {
    return loss.apply(device, hidden, weight, rows, labels);
  });

  const Result want = result_of([&](const Tensor& hidden, const Tensor& weight) {
    return linear_cross_entropy(device, hidden, weight, rows, labels);
  });
  EXPECT_TRUE(got.loss.allclose(want.loss, 1e-5, 1e-6));
  EXPECT_TRUE(got.hidden_grad.allclose(want.hidden_grad, 1e-5, 1e-6));
  EXPECT_TRUE(got.weight_grad.allclose(want.weight_grad, 1e-5, 1e-6));
}

TEST_P(LossOfAPack, MakesAPlanOnlyWhenABatchIsLargerThanAllBefore) {
  plan_fails = false;
  const mortise_loss table = table_of(GetParam());
  Device device;
  Loss loss(&table, some_instance(), GetParam());
  const Tensor weight = random_tensor({9, 5}, 2);
  const int before = plans_made;

  for (const int64_t rows : {6, 4, 6, 12, 8}) {
    (void)loss.apply(device, random_tensor({rows, 5}, 1), weight,
                     rows > 6 ? ints({1, 2, 3, 4}) : ints({1, 2}),
                     rows > 6 ? ints({1, 2, 3, 4}) : ints({1, 2}));
  }

  EXPECT_EQ(plans_made - before, 2);
}

TEST_P(LossOfAPack, FailsWithThePacksOwnWords) {
  plan_fails = true;
  const mortise_loss table = table_of(GetParam());
  Device device;
  Loss loss(&table, some_instance(), GetParam());

  const auto status = guarded([&]() -> base::Status {
    (void)loss.apply(device, random_tensor({6, 5}, 1), random_tensor({9, 5}, 2), ints({0}),
                     ints({1}));
    return {};
  });

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, base::Code::kUnimplemented);
  EXPECT_EQ(status.error().message, "Only float64 is served.");
}

INSTANTIATE_TEST_SUITE_P(BothTables, LossOfAPack,
                         testing::Values(Loss::Kind::kLogits, Loss::Kind::kFusedLinear),
                         [](const auto& info) {
                           return std::string(info.param == Loss::Kind::kLogits ? "Logits"
                                                                                : "FusedLinear");
                         });

}  // namespace
}  // namespace mortise::engine
