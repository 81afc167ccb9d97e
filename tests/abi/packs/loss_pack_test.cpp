// The example loss: gradient by finite differences, refusals by name.
#include <gmock/gmock.h>

#include <cmath>

#include "mortise/cpp/dlpack.hpp"
#include "mortise/draft/loss.h"
#include "tests/abi/fake_host.h"

namespace mortise::abi {
namespace {

constexpr int64_t kRows = 3;
constexpr int64_t kClasses = 5;

class SmoothedPack : public ::testing::Test {
 protected:
  SmoothedPack() : pack_(std::string(MORTISE_PACKS) + "/loss_cpp/lib/loss_cpp.so", host_) {
    table_ = pack_.table<mortise_loss>(MORTISE_KIND_LOSS);
    sdk::ErrorCollector error;
    table_->create(sdk::text(R"({"smoothing": 0.2})"), &instance_, error.raw());
    shapes_.struct_size = sizeof(shapes_);
    shapes_.rows_max = kRows;
    shapes_.labelled_max = 2;
    shapes_.classes = kClasses;
    shapes_.dtype = sdk::kFloat32;
    shapes_.device = {kDLCPU, 0};
    for (size_t i = 0; i < kRows * kClasses; ++i) {
      logits_[i] = std::sin(static_cast<float>(3 * i + 1)) * 2;
    }
  }
  ~SmoothedPack() override {
    table_->plan_destroy(plan_);
    table_->destroy(instance_);
  }

  sdk::Failure prepare() {
    needs_.struct_size = sizeof(needs_);
    return reported([&](mortise_error* error) {
      return table_->prepare(instance_, &shapes_, nullptr, &plan_, &needs_, error);
    });
  }
  mortise_loss_call call() {
    mortise_loss_call call{};
    call.struct_size = sizeof(call);
    call.input = input_.get();
    call.rows = rows_view_.get();
    call.labels = labels_view_.get();
    call.loss = loss_view_.get();
    call.grad_input = grad_view_.get();
    call.saved = saved_;
    call.grad_loss = 1;
    return call;
  }
  sdk::Failure forward() {
    return reported([&](mortise_error* error) {
      const mortise_loss_call one = call();
      return table_->forward(plan_, &one, error);
    });
  }
  double loss() {
    EXPECT_EQ(forward().message, "");
    return static_cast<double>(loss_[0]);
  }

  FakeHost host_;
  LoadedPack pack_;
  const mortise_loss* table_;
  mortise_loss_instance* instance_ = nullptr;
  mortise_loss_plan* plan_ = nullptr;
  mortise_loss_shapes shapes_{};
  mortise_loss_needs needs_{};
  float logits_[kRows * kClasses], grad_[kRows * kClasses], loss_[1];
  int32_t rows_[2] = {0, 2}, labels_[2] = {4, 1};
  double saved_[2];
  sdk::TensorView input_{logits_, sdk::kFloat32, {kRows, kClasses}};
  sdk::TensorView grad_view_{grad_, sdk::kFloat32, {kRows, kClasses}};
  sdk::TensorView loss_view_{loss_, sdk::kFloat32, {1}};
  sdk::TensorView rows_view_{rows_, sdk::kInt32, {2}};
  sdk::TensorView labels_view_{labels_, sdk::kInt32, {2}};
};

TEST_F(SmoothedPack, GradientEqualsFiniteDifferences) {
  ASSERT_EQ(prepare().message, "");
  loss();
  const mortise_loss_call one = call();
  ASSERT_EQ(table_->backward(plan_, &one, sdk::ErrorCollector().raw()), 0);

  for (size_t i = 0; i < kRows * kClasses; ++i) {
    const float kept = logits_[i];
    constexpr float kStep = 1e-2F;
    logits_[i] = kept + kStep;
    const double above = loss();
    logits_[i] = kept - kStep;
    const double below = loss();
    logits_[i] = kept;
    EXPECT_NEAR(static_cast<double>(grad_[i]), (above - below) / (2 * 1e-2), 2e-4) << i;
  }
}

TEST_F(SmoothedPack, SaysWhatItNeeds) {
  ASSERT_EQ(prepare().message, "");

  EXPECT_EQ(needs_.saved_bytes, 2 * sizeof(double));
  EXPECT_EQ(needs_.flags, 1u);
}

TEST_F(SmoothedPack, RefusesLabelsAndRowsOutOfRange) {
  prepare();

  labels_[1] = 5;
  EXPECT_EQ(forward().message, "labels[1] is 5, expected 0 .. 4.");
  labels_[1] = 0;
  rows_[0] = -1;
  EXPECT_EQ(forward().message, "rows[0] is -1, expected 0 .. 2.");
}

TEST_F(SmoothedPack, RefusesWhatItCannotServe) {
  shapes_.dtype = sdk::kInt32;
  EXPECT_THAT(prepare().message, ::testing::HasSubstr("int32"));
  shapes_.dtype = sdk::kFloat32;
  shapes_.device.device_type = kDLCUDA;
  EXPECT_EQ(prepare().code, MORTISE_STATUS_UNIMPLEMENTED);
}

TEST_F(SmoothedPack, RefusesALargerCallThanPlanned) {
  shapes_.labelled_max = 1;
  prepare();

  EXPECT_EQ(forward().code, MORTISE_STATUS_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace mortise::abi
