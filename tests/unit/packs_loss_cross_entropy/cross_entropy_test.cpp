// The loss through its C tables: values by hand, gradients by finite differences in float64, and
// the device's own operation when there is one. Letters as in plans.h.
#include <gtest/gtest.h>
#include <mortise/draft/loss.h>
#include <mortise/cpp/device_ops.hpp>

#include <cmath>
#include <random>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise {
namespace {

using packs_test::failure_of;
using sdk::TensorView;

constexpr int64_t kN = 5, kC = 3, kV = 4;
constexpr DLDevice kCpu{kDLCPU, 0};

std::vector<double> random_numbers(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> numbers(count);
  for (double& number : numbers) number = normal(random);
  return numbers;
}

// One plan with its memory; Number is the type of the activations.
template <class Number>
class LossRun {
 public:
  LossRun(const mortise_loss& table, int64_t channels, DLDataType dtype,
          const mortise_device_ops* ops = nullptr)
      : table_(table), channels_(channels), dtype_(dtype) {
    EXPECT_EQ(table_.create(sdk::text("{}"), &instance_, nullptr), MORTISE_STATUS_OK);
    mortise_loss_shapes shapes{};
    shapes.struct_size = sizeof(shapes);
    shapes.rows_max = kN;
    shapes.labelled_max = kN;
    shapes.channels = static_cast<uint64_t>(channels);
    shapes.classes = kV;
    shapes.dtype = dtype;
    shapes.device = kCpu;
    mortise_loss_needs needs{};
    needs.struct_size = sizeof(needs);
    EXPECT_EQ(table_.prepare(instance_, &shapes, ops, &plan_, &needs, nullptr), MORTISE_STATUS_OK);
    workspace_.resize(needs.workspace_bytes / 8 + 1);
    saved_.resize(needs.saved_bytes / 8 + 1);
  }
  ~LossRun() {
    table_.plan_destroy(plan_);
    table_.destroy(instance_);
  }

  // Runs forward, and backward when it succeeds and `grad` is set.
  sdk::Failure run(bool grad) {
    const int64_t width = channels_ > 0 ? channels_ : kV;
    const auto labelled = static_cast<int64_t>(labels.size());
    grad_input.assign(input.size(), Number{7});
    const DLDataType loss_type =
        sdk::is_same(dtype_, sdk::kFloat64) ? sdk::kFloat64 : sdk::kFloat32;
    void* loss_place = sdk::is_same(loss_type, sdk::kFloat64) ? static_cast<void*>(&wide_loss)
                                                              : static_cast<void*>(&loss);
    const TensorView input_view(input.data(), dtype_, {kN, width});
    const TensorView weight_view(weight.data(), dtype_, {kV, kC});
    const TensorView rows_view(rows.data(), sdk::kInt32, {labelled});
    const TensorView labels_view(labels.data(), sdk::kInt32, {labelled});
    const TensorView loss_view(loss_place, loss_type, {1});
    const TensorView grad_view(grad_input.data(), dtype_, {kN, width});
    const TensorView grad_weight_view(grad_weight.data(), sdk::kFloat32, {kV, kC});
    mortise_loss_call call{};
    call.struct_size = sizeof(call);
    call.input = input_view.get();
    call.weight = channels_ > 0 ? weight_view.get() : nullptr;
    call.rows = rows_view.get();
    call.labels = labels_view.get();
    call.loss = loss_view.get();
    call.grad_input = grad_view.get();
    call.grad_weight = channels_ > 0 ? grad_weight_view.get() : nullptr;
    call.workspace = workspace_.data();
    call.saved = saved_.data();
    call.grad_loss = grad_loss;
    return failure_of([&](mortise_error* error) {
      const mortise_status status = table_.forward(plan_, &call, error);
      return status != MORTISE_STATUS_OK || !grad ? status : table_.backward(plan_, &call, error);
    });
  }

  std::vector<Number> input, weight, grad_input;
  std::vector<float> grad_weight = std::vector<float>(kV * kC, 0.0F);
  std::vector<int32_t> rows = {0, 2, 3};
  std::vector<int32_t> labels = {1, 3, 0};
  float loss = -1;
  double wide_loss = -1;
  double grad_loss = 1.0;

 private:
  const mortise_loss& table_;
  int64_t channels_;
  DLDataType dtype_;
  mortise_loss_instance* instance_ = nullptr;
  mortise_loss_plan* plan_ = nullptr;
  std::vector<double> workspace_, saved_;
};

class CrossEntropy : public testing::Test {
 protected:
  const mortise_loss& logits() const { return pack_.get<mortise_loss>(MORTISE_KIND_LOSS); }
  const mortise_loss& fused() const {
    return pack_.get<mortise_loss>(MORTISE_KIND_LOSS_FUSED_LINEAR);
  }

  // Central differences of the loss in every element of `where` against `gradient`.
  template <class Numbers>
  static void expect_gradient(LossRun<double>& run, std::vector<double>& where,
                              const Numbers& gradient, double tolerance) {
    constexpr double kStep = 1e-5;
    for (size_t i = 0; i < where.size(); ++i) {
      const double here = where[i];
      where[i] = here + kStep;
      ASSERT_EQ(run.run(false).code, 0);
      const double above = run.wide_loss;
      where[i] = here - kStep;
      ASSERT_EQ(run.run(false).code, 0);
      where[i] = here;
      const double slope = run.grad_loss * (above - run.wide_loss) / (2 * kStep);
      EXPECT_NEAR(static_cast<double>(gradient[i]), slope, tolerance) << "element " << i;
    }
  }

  packs_test::PackUnderTest pack_{MORTISE_PACK_LIBRARY};
};

TEST_F(CrossEntropy, OfEqualLogitsIsTheLogarithmOfTheClasses) {
  LossRun<float> run(logits(), 0, sdk::kFloat32);
  run.input.assign(kN * kV, 0.25F);

  ASSERT_EQ(run.run(true).code, 0);

  EXPECT_FLOAT_EQ(run.loss, static_cast<float>(3 * std::log(4.0)));
  EXPECT_FLOAT_EQ(run.grad_input[1], 0.25F - 1);  // row 0, label 1
  EXPECT_FLOAT_EQ(run.grad_input[0], 0.25F);
  EXPECT_EQ(run.grad_input[kV], 0.0F);  // row 1 has no label
}

TEST_F(CrossEntropy, GradientOfLogitsAgreesWithFiniteDifferences) {
  LossRun<double> run(logits(), 0, sdk::kFloat64);
  run.input = random_numbers(kN * kV, 1);
  run.grad_loss = 0.37;
  ASSERT_EQ(run.run(true).code, 0);

  expect_gradient(run, run.input, std::vector<double>(run.grad_input), 1e-8);
}

TEST_F(CrossEntropy, GradientsOfHiddenAndWeightAgreeWithFiniteDifferences) {
  LossRun<double> run(fused(), kC, sdk::kFloat64);
  run.input = random_numbers(kN * kC, 2);
  run.weight = random_numbers(kV * kC, 3);
  run.grad_loss = 1.7;
  ASSERT_EQ(run.run(true).code, 0);

  expect_gradient(run, run.input, std::vector<double>(run.grad_input), 1e-8);
  expect_gradient(run, run.weight, run.grad_weight, 1e-6);  // float32
}

TEST_F(CrossEntropy, OnHiddenEqualsThatOnTheirLogits) {
  LossRun<double> whole(logits(), 0, sdk::kFloat64);
  LossRun<double> run(fused(), kC, sdk::kFloat64);
  run.input = random_numbers(kN * kC, 4);
  run.weight = random_numbers(kV * kC, 5);
  for (int64_t n = 0; n < kN; ++n) {
    for (int64_t v = 0; v < kV; ++v) {
      double z = 0;
      for (int64_t c = 0; c < kC; ++c) {
        z += run.input[static_cast<size_t>(n * kC + c)] *
             run.weight[static_cast<size_t>(v * kC + c)];
      }
      whole.input.push_back(z);
    }
  }

  ASSERT_EQ(run.run(true).code, 0);
  ASSERT_EQ(whole.run(true).code, 0);

  EXPECT_NEAR(run.wide_loss, whole.wide_loss, 1e-12);
}

TEST_F(CrossEntropy, AddsBothLabelsOfOneRow) {
  LossRun<double> run(logits(), 0, sdk::kFloat64);
  run.input = random_numbers(kN * kV, 6);
  run.rows = {2, 2};
  run.labels = {0, 3};
  ASSERT_EQ(run.run(true).code, 0);

  expect_gradient(run, run.input, std::vector<double>(run.grad_input), 1e-8);
}

TEST_F(CrossEntropy, AddsToTheGradientOfTheWeight) {
  LossRun<double> run(fused(), kC, sdk::kFloat64);
  run.input = random_numbers(kN * kC, 7);
  run.weight = random_numbers(kV * kC, 8);
  ASSERT_EQ(run.run(true).code, 0);
  const std::vector<float> once = run.grad_weight;
  ASSERT_EQ(run.run(true).code, 0);

  for (size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(run.grad_weight[i], 2 * once[i], 1e-5);
}

TEST_F(CrossEntropy, IsZeroWithoutLabels) {
  for (const int64_t channels : {int64_t{0}, kC}) {
    LossRun<float> run(channels == 0 ? logits() : fused(), channels, sdk::kFloat32);
    run.input.assign(static_cast<size_t>(kN * (channels == 0 ? kV : kC)), 1.0F);
    run.weight.assign(kV * kC, 1.0F);
    run.rows.clear();
    run.labels.clear();

    ASSERT_EQ(run.run(true).code, 0);

    EXPECT_EQ(run.loss, 0.0F);
    for (const float slope : run.grad_input) EXPECT_EQ(slope, 0.0F);
  }
}

TEST_F(CrossEntropy, TakesBfloat16) {
  LossRun<uint16_t> run(logits(), 0, sdk::kBfloat16);
  run.input.assign(kN * kV, sdk::float_to_bfloat16(0.5F));

  ASSERT_EQ(run.run(true).code, 0);

  EXPECT_FLOAT_EQ(run.loss, static_cast<float>(3 * std::log(4.0)));
  EXPECT_EQ(sdk::bfloat16_to_float(run.grad_input[1]), -0.75F);
}

TEST_F(CrossEntropy, NamesTheLabelAndTheRowThatAreOutOfRange) {
  LossRun<float> run(logits(), 0, sdk::kFloat32);
  run.input.assign(kN * kV, 0.0F);
  run.labels = {1, 4, 0};
  const sdk::Failure label = run.run(false);
  run.labels = {1, -100, 0};
  const sdk::Failure ignored = run.run(false);
  run.labels = {1, 3, 0};
  run.rows = {0, 2, 5};
  const sdk::Failure row = run.run(false);

  EXPECT_EQ(label.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(label.message.find("labels[1] is 4"), std::string::npos) << label.message;
  EXPECT_EQ(ignored.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(row.message.find("rows[2] is 5"), std::string::npos) << row.message;
}

class CrossEntropyPlan : public CrossEntropy {
 protected:
  sdk::Failure prepare(const mortise_loss& table, uint64_t channels, DLDataType dtype,
                       DLDevice device, const mortise_device_ops* ops = nullptr) {
    mortise_loss_instance* instance = nullptr;
    EXPECT_EQ(table.create(sdk::text("{}"), &instance, nullptr), MORTISE_STATUS_OK);
    mortise_loss_shapes shapes{};
    shapes.struct_size = sizeof(shapes);
    shapes.rows_max = shapes.labelled_max = 4;
    shapes.channels = channels;
    shapes.classes = 8;
    shapes.dtype = dtype;
    shapes.device = device;
    mortise_loss_needs needs{};
    needs.struct_size = sizeof(needs);
    mortise_loss_plan* plan = nullptr;
    const sdk::Failure failure = failure_of([&](mortise_error* error) {
      return table.prepare(instance, &shapes, ops, &plan, &needs, error);
    });
    table.plan_destroy(plan);
    table.destroy(instance);
    return failure;
  }
};

TEST_F(CrossEntropyPlan, RefusesATypeAndADeviceItCannotServe) {
  constexpr DLDataType kInt8{kDLInt, 8, 1};
  const sdk::Failure type = prepare(logits(), 0, kInt8, kCpu);
  const sdk::Failure device = prepare(fused(), 3, sdk::kFloat32, {kDLCUDA, 0});

  EXPECT_EQ(type.code, MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_NE(type.message.find("int8"), std::string::npos);
  EXPECT_EQ(device.code, MORTISE_STATUS_UNIMPLEMENTED);
}

TEST_F(CrossEntropyPlan, RefusesTheShapesOfTheOtherInterface) {
  EXPECT_EQ(prepare(logits(), 3, sdk::kFloat32, kCpu).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(prepare(fused(), 0, sdk::kFloat32, kCpu).code, MORTISE_STATUS_INVALID_ARGUMENT);
}

// A device that has the two operations and writes down what it was given.
struct Recorded {
  std::vector<std::string> launched;
  std::vector<uint32_t> inputs, outputs;
  double scalar = 0;
};
Recorded recorded;

class RecordingOp : public sdk::Op {
 public:
  explicit RecordingOp(std::string name) : name_(std::move(name)) {}
  void launch(const sdk::OpCall& call) override {
    recorded.launched.push_back(name_);
    recorded.inputs.push_back(call.raw().inputs_count);
    recorded.outputs.push_back(call.raw().outputs_count);
    if (call.raw().scalars_count > 0) recorded.scalar = call.scalar(0);
    if (name_ == MORTISE_OP_LINEAR_CROSS_ENTROPY) *sdk::elements<float>(*call.output(0)) = 42.0F;
  }

 private:
  std::string name_;
};

class RecordingOps : public sdk::DeviceOps {
 public:
  uint32_t query(const sdk::OpQuery& query) override {
    const bool known = query.op == MORTISE_OP_LINEAR_CROSS_ENTROPY ||
                       query.op == MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD;
    return known ? MORTISE_OP_NATIVE : MORTISE_OP_UNSUPPORTED;
  }
  std::unique_ptr<sdk::Op> prepare(const sdk::OpQuery& query) override {
    return std::make_unique<RecordingOp>(std::string(query.op));
  }
};

TEST_F(CrossEntropyPlan, UsesTheOperationOfTheDeviceWhenItHasOne) {
  recorded = {};
  LossRun<float> run(fused(), kC, sdk::kFloat32, sdk::device_ops_table<RecordingOps>());
  run.input.assign(kN * kC, 1.0F);
  run.weight.assign(kV * kC, 1.0F);
  run.grad_loss = 0.5;

  ASSERT_EQ(run.run(true).code, 0);

  EXPECT_EQ(run.loss, 42.0F);
  EXPECT_EQ(recorded.launched,
            (std::vector<std::string>{"linear_cross_entropy", "linear_cross_entropy_grad"}));
  EXPECT_EQ(recorded.inputs, (std::vector<uint32_t>{4, 5}));
  EXPECT_EQ(recorded.outputs, (std::vector<uint32_t>{2, 2}));
  EXPECT_EQ(recorded.scalar, 0.5);
}

TEST_F(CrossEntropyPlan, ChecksLabelsBeforeTheDeviceSeesThem) {
  recorded = {};
  LossRun<float> run(fused(), kC, sdk::kFloat32, sdk::device_ops_table<RecordingOps>());
  run.input.assign(kN * kC, 1.0F);
  run.weight.assign(kV * kC, 1.0F);
  run.labels = {0, 1, kV};

  EXPECT_EQ(run.run(true).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(recorded.launched.empty());
}

}  // namespace
}  // namespace mortise
