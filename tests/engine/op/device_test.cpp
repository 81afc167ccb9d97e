// What the engine does when a device refuses, leaves out or breaks an operation.
#include "engine/op/device.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "conform/reference.h"
#include "engine/op/failure.h"
#include "engine/op/op.h"
#include "tests/engine/op/random_tensor.h"

namespace mortise::engine {
namespace {

using at::Tensor;

mortise_text text(const char* words) {
  return {words, std::string_view(words).size()};
}

// A device that has no operation at all.
mortise_device_ops empty_device() {
  mortise_device_ops ops{};
  ops.struct_size = sizeof(ops);
  ops.query = [](const mortise_op_query*, uint32_t* answer, mortise_error*) {
    *answer = MORTISE_OP_UNSUPPORTED;
    return MORTISE_STATUS_OK;
  };
  return ops;
}

// A device that promises everything and fails at launch.
mortise_device_ops broken_device() {
  mortise_device_ops ops = empty_device();
  ops.query = [](const mortise_op_query*, uint32_t* answer, mortise_error*) {
    *answer = MORTISE_OP_COMPOSED;
    return MORTISE_STATUS_OK;
  };
  ops.prepare = [](const mortise_op_query*, mortise_op** op, mortise_error*) {
    static int place;
    *op = reinterpret_cast<mortise_op*>(&place);
    return MORTISE_STATUS_OK;
  };
  ops.launch = [](mortise_op*, const mortise_op_call*, mortise_error* error) {
    error->set(error, MORTISE_STATUS_RESOURCE_EXHAUSTED, text("The scratch memory is used up."));
    error->detail(error, text("hint"), text("Use a smaller batch."));
    return MORTISE_STATUS_RESOURCE_EXHAUSTED;
  };
  ops.op_destroy = [](mortise_op*) {};
  return ops;
}

// The error of a call that must fail.
template <class Call>
base::Error error_of(Call&& call) {
  const auto status = guarded([&]() -> base::Status {
    call();
    return {};
  });
  EXPECT_FALSE(status.ok());
  return status.ok() ? base::Error() : status.error();
}

TEST(Device, CountsAFallbackForWhatTheDeviceDoesNotHave) {
  const mortise_device_ops ops = empty_device();
  Device device(&ops);

  const Tensor y = linear(device, random_tensor({2, 3}, 1), random_tensor({4, 3}, 2), Tensor());

  EXPECT_EQ(y.size(1), 4);
  EXPECT_EQ(device.counts().at("linear").fallback, 1u);
  EXPECT_EQ(device.counts().at("linear").native, 0u);
}

TEST(Device, CountsNativeForwardAndBackward) {
  Device device(mortise_reference_ops());
  Tensor x = random_tensor({2, 3}, 1).set_requires_grad(true);

  linear(device, x, random_tensor({4, 3}, 2), Tensor()).sum().backward();

  EXPECT_EQ(device.counts().at("linear").native, 1u);
  EXPECT_EQ(device.counts().at("linear_grad_input").native, 1u);
  EXPECT_FALSE(device.counts().contains("linear_grad_weight")) << "the weight does not train";
}

TEST(Device, FailsWithTheDevicesOwnWordsAndTheOperation) {
  const mortise_device_ops ops = broken_device();
  Device device(&ops);

  const base::Error error = error_of([&] {
    (void)linear(device, random_tensor({2, 3}, 1), random_tensor({4, 3}, 2), Tensor());
  });

  EXPECT_EQ(error.code, base::Code::kResourceExhausted);
  EXPECT_EQ(error.message, "The scratch memory is used up.");
  ASSERT_EQ(error.details.size(), 2u);
  EXPECT_EQ(error.details[0].second, "Use a smaller batch.");
  EXPECT_EQ(error.details[1].second, "linear");
}

TEST(Device, AnErrorInTheBackwardPassKeepsItsWords) {
  mortise_device_ops ops = broken_device();
  ops.query = [](const mortise_op_query* query, uint32_t* answer, mortise_error*) {
    const std::string_view op(query->op.data, query->op.size_bytes);
    *answer = op == "linear_grad_input" ? MORTISE_OP_NATIVE : MORTISE_OP_UNSUPPORTED;
    return MORTISE_STATUS_OK;
  };
  Device device(&ops);
  Tensor x = random_tensor({2, 3}, 1).set_requires_grad(true);
  const Tensor y = linear(device, x, random_tensor({4, 3}, 2), Tensor()).sum();

  const base::Error error = error_of([&] { y.backward(); });

  EXPECT_EQ(error.code, base::Code::kResourceExhausted);
  EXPECT_EQ(error.message, "The scratch memory is used up.");
}

TEST(Node, RefusesASecondBackwardPassOverFreedTensors) {
  Device device;
  Tensor x = random_tensor({2, 3}, 1).set_requires_grad(true);
  const Tensor y = swiglu(device, x, x).sum();
  y.backward();

  const base::Error error = error_of([&] { y.backward(); });

  EXPECT_FALSE(error.message.empty());
  EXPECT_NE(error.code, base::Code::kOk);
}

TEST(Node, RecordsNothingWhenNothingTrains) {
  Device device;
  const Tensor y = linear(device, random_tensor({2, 3}, 1), random_tensor({4, 3}, 2), Tensor());
  EXPECT_FALSE(y.requires_grad());
}

TEST(Node, FreesWhatItSavedOnceTheBackwardPassIsDone) {
  Device device;
  Tensor x = random_tensor({2, 3}, 1).set_requires_grad(true);
  Tensor scaled = x * 2;
  const Tensor y = swiglu(device, scaled, scaled).sum();
  const auto before = scaled.storage().use_count();

  y.backward();

  EXPECT_LT(scaled.storage().use_count(), before);
}

TEST(Embedding, NamesTheIdThatIsOutsideTheVocabulary) {
  Device device;
  const base::Error error = error_of([&] {
    (void)embedding(device, ints({1, 9, 2}), random_tensor({5, 2}, 1));
  });
  EXPECT_EQ(error.code, base::Code::kInvalidArgument);
  EXPECT_NE(error.message.find("id 9 at position 1"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("5 ids"), std::string::npos) << error.message;
}

TEST(LinearCrossEntropy, NamesTheLabelThatIsOutsideTheVocabulary) {
  Device device;
  const base::Error error = error_of([&] {
    (void)linear_cross_entropy(device, random_tensor({3, 2}, 1), random_tensor({5, 2}, 2),
                               ints({0, 1}), ints({4, -1}));
  });
  EXPECT_EQ(error.code, base::Code::kInvalidArgument);
  EXPECT_NE(error.message.find("Label -1"), std::string::npos) << error.message;
}

TEST(Attention, RefusesBoundsThatDoNotFitTheRows) {
  Device device;
  const Tensor q = random_tensor({4, 2, 8}, 1);
  const base::Error error = error_of([&] {
    (void)attention(device, q, q, q, Bounds::of({0, 3}), Bounds::of({0, 4}), {});
  });
  EXPECT_EQ(error.code, base::Code::kInternal);
}

// A row's result does not depend on what else is packed beside it.
TEST(Attention, SequencesDoNotSeeEachOther) {
  Device device;
  const Tensor q = random_tensor({7, 4, 8}, 1), k = random_tensor({7, 2, 8}, 2);
  const Tensor v = random_tensor({7, 2, 8}, 3);
  const Tensor packed =
      attention(device, q, k, v, Bounds::of({0, 3, 7}), Bounds::of({0, 3, 7}), {0.3, true, 0});

  const Tensor alone = attention(device, q.narrow(0, 3, 4), k.narrow(0, 3, 4), v.narrow(0, 3, 4),
                                 Bounds::of({0, 4}), Bounds::of({0, 4}), {0.3, true, 0});

  EXPECT_TRUE(packed.narrow(0, 3, 4).allclose(alone, 1e-6, 1e-6));
}

}  // namespace
}  // namespace mortise::engine
