// What device_cpu refuses, and the words it uses: the operation, the tensor, both shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device_cpu/ops.h"
#include "tests/unit/device_cpu/support.h"

namespace mortise::device_test {
namespace {

using sdk::kBfloat16;
using sdk::kFloat32;
using testing::HasSubstr;

Case linear_case() {
  std::mt19937 rng(1);
  return {"",
          "linear",
          kFloat32,
          kFloat32,
          {random(rng, kFloat32, {3, 4}), random(rng, kFloat32, {5, 4}), Tensor()},
          {Tensor(kFloat32, {3, 5})},
          {},
          {}};
}

Case attention_case() {
  std::mt19937 rng(1);
  return {"",
          "attention",
          kFloat32,
          kFloat32,
          {random(rng, kFloat32, {6, 4, 8}), random(rng, kFloat32, {6, 2, 8}),
           random(rng, kFloat32, {6, 2, 8}), ints({0, 2, 6}), ints({0, 2, 6})},
          {Tensor(kFloat32, {6, 4, 8}), Tensor(kFloat32, {4, 6})},
          {0.5, 1, 0},
          {}};
}

// The failure of a launch; the test fails when there is none.
sdk::Failure failure_of(const Case& c, DLDevice where = {kDLCPU, 0}) {
  Device device;
  device.ops = device_cpu::device_ops();
  device.where = where;
  try {
    run(device, c);
  } catch (const sdk::Failure& failure) {
    return failure;
  }
  ADD_FAILURE() << "the launch succeeded";
  return {MORTISE_STATUS_OK, ""};
}

TEST(CpuRefusal, NamesTheTensorAndBothShapes) {
  Case c = linear_case();
  c.inputs[1] = Tensor(kFloat32, {5, 3});
  const sdk::Failure failure = failure_of(c);
  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure.message, "linear: Tensor \"w\" is float32 [5, 3], expected float32 [any, 4].");
}

TEST(CpuRefusal, NamesBothTypes) {
  Case c = linear_case();
  c.outputs[0] = Tensor(kBfloat16, {3, 5});
  EXPECT_THAT(failure_of(c).message,
              HasSubstr("\"y\" is bfloat16 [3, 5], expected float32 [3, 5]"));
}

TEST(CpuRefusal, NamesBothCounts) {
  Case c = linear_case();
  c.inputs.pop_back();
  EXPECT_THAT(failure_of(c).message, HasSubstr("linear got 2 inputs, expected 3"));
}

TEST(CpuRefusal, TakesNoAbsentTensorThatIsNeeded) {
  Case c = linear_case();
  c.inputs[0] = Tensor();
  EXPECT_THAT(failure_of(c).message, HasSubstr("\"x\" is absent"));
}

TEST(CpuRefusal, TakesNoTensorWithGaps) {
  Case c = linear_case();
  c.inputs[0] = Tensor(kFloat32, {4, 4});
  c.inputs[0].shape = {3, 4};
  c.inputs[0].strides = {5, 1};
  EXPECT_THAT(failure_of(c).message, HasSubstr("\"x\" is float32 [3, 4] with gaps"));
}

TEST(CpuRefusal, TakesNoTensorOfAnotherDevice) {
  EXPECT_EQ(failure_of(linear_case(), {kDLCUDA, 0}).code, MORTISE_STATUS_UNIMPLEMENTED);
}

TEST(CpuRefusal, NamesTheFirstIdOutsideTheVocabulary) {
  Case c = cases_of("embedding")[1];
  c.inputs[0] = ints({0, 10, 11, -1, 0});
  const sdk::Failure failure = failure_of(c);
  EXPECT_EQ(failure.message, "embedding: ids[2] is 11, expected 0 .. 10.");
  EXPECT_EQ(failure.field, "ids");
}

TEST(CpuRefusal, NamesTheFirstLabelOutsideTheVocabulary) {
  Case c = cases_of("linear_cross_entropy")[1];
  c.inputs[3] = ints({-100});
  EXPECT_THAT(failure_of(c).message, HasSubstr("labels[0] is -100, expected 0 .. 9"));
}

TEST(CpuRefusal, NamesTheFirstLabelledRowOutside) {
  Case c = cases_of("linear_cross_entropy")[1];
  c.inputs[2] = ints({3});
  EXPECT_THAT(failure_of(c).message, HasSubstr("rows[0] is 3, expected 0 .. 2"));
}

TEST(CpuRefusal, TakesNoBoundsThatFall) {
  Case c = attention_case();
  c.inputs[3] = ints({0, 4, 2});
  EXPECT_THAT(failure_of(c).message, HasSubstr("q_bounds[2] is 2; bounds must rise"));
}

TEST(CpuRefusal, TakesNoBoundsBeyondTheRows) {
  Case c = attention_case();
  c.inputs[4] = ints({0, 2, 7});
  EXPECT_THAT(failure_of(c).message, HasSubstr("k_bounds[2] is 7"));
}

TEST(CpuRefusal, TakesNoEmptyBounds) {
  Case c = attention_case();
  c.inputs[3] = c.inputs[4] = ints({});
  EXPECT_THAT(failure_of(c).message, HasSubstr("\"q_bounds\" is empty"));
}

TEST(CpuRefusal, TakesOnlyQueryHeadsThatKeyHeadsDivide) {
  Case c = attention_case();
  c.inputs[1] = c.inputs[2] = Tensor(kFloat32, {6, 3, 8});
  EXPECT_THAT(failure_of(c).message, HasSubstr("must be a multiple"));
}

TEST(CpuRefusal, TakesNoOddHeadInRope) {
  const Case c{"",
               "rope",
               kFloat32,
               kFloat32,
               {Tensor(kFloat32, {2, 1, 3}), Tensor(kFloat32, {2, 3}), Tensor(kFloat32, {2, 3})},
               {Tensor(kFloat32, {2, 1, 3})},
               {1},
               {}};
  EXPECT_THAT(failure_of(c).message, HasSubstr("head size of \"x\" is 3"));
}

TEST(CpuRefusal, TakesNoUnknownKindOfGelu) {
  Case c = cases_of("gelu")[0];
  c.scalars = {3};
  EXPECT_THAT(failure_of(c).message, HasSubstr("expected 0 (erf), 1 (tanh) or 2 (quick)"));
}

TEST(CpuRefusal, TakesNoStepBeforeTheFirst) {
  Case c = cases_of("adamw")[2];
  c.scalars[5] = 0;
  EXPECT_THAT(failure_of(c).message, HasSubstr("the first step is 1"));
}

TEST(CpuRefusal, CallsUnknownOperationsAndTypesUnsupported) {
  for (const auto& [name, type] : std::vector<std::pair<std::string, DLDataType>>{
           {"fold", kFloat32}, {"linear", sdk::kFloat64}, {"linear", sdk::kInt32}}) {
    mortise_op_query query{};
    query.struct_size = sizeof(query);
    query.op = sdk::text(name);
    query.activation = query.weight = type;
    uint32_t answer = MORTISE_OP_NATIVE;
    mortise_op* op = nullptr;
    sdk::ErrorCollector error;
    EXPECT_EQ(device_cpu::device_ops()->query(&query, &answer, error.raw()), MORTISE_STATUS_OK);
    EXPECT_EQ(answer, MORTISE_OP_UNSUPPORTED) << name;
    EXPECT_EQ(device_cpu::device_ops()->prepare(&query, &op, error.raw()),
              MORTISE_STATUS_UNIMPLEMENTED);
  }
}

TEST(CpuRefusal, ReportsTheEndOfThePacksMemoryBudget) {
  static const mortise_memory_service broke = [] {
    mortise_memory_service service{};
    service.struct_size = sizeof(service);
    service.allocate = [](mortise_host*, uint64_t, uint64_t, mortise_text) -> void* {
      return nullptr;
    };
    service.free = [](mortise_host*, void*) {};
    return service;
  }();
  mortise_hello hello{};
  hello.get_service = [](mortise_host*, mortise_text id) -> const void* {
    return sdk::view(id) == MORTISE_SERVICE_MEMORY ? &broke : nullptr;
  };
  sdk::set_host(hello);
  EXPECT_EQ(failure_of(linear_case()).code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
  use_pool(2);
}

TEST(CpuAttention, ReadsQueriesKeysAndValuesFromOneStridedTensor) {
  std::mt19937 rng(3);
  Case packed = attention_case();
  const Case plain = packed;
  // Each becomes rows of 5 more elements than it needs.
  for (const size_t i : {0, 1, 2}) {
    const Tensor& from = plain.inputs[i];
    const int64_t row = from.shape[1] * from.shape[2];
    Tensor wide = random(rng, kFloat32, {from.shape[0], row + 5});
    for (int64_t j = 0; j < from.count(); ++j) wide.set(j / row * (row + 5) + j % row, from.get(j));
    wide.shape = from.shape;
    wide.strides = {row + 5, from.shape[2], 1};
    packed.inputs[i] = wide;
  }
  Device device;
  device.ops = device_cpu::device_ops();
  const auto expected = run(device, plain), got = run(device, packed);
  EXPECT_EQ(got[0].bytes, expected[0].bytes);
  EXPECT_EQ(got[1].bytes, expected[1].bytes);
}

TEST(CpuOpsNumbers, LetNanThrough) {
  for (const std::string op : {"swiglu", "gelu", "rms_norm", "attention", "linear"}) {
    for (Case c : cases_of(op)) {
      if (c.inputs[0].count() == 0 || c.outputs[0].count() == 0) continue;
      c.inputs[0].set(c.inputs[0].count() - 1, NAN);
      Device device;
      device.ops = device_cpu::device_ops();
      const Tensor y = run(device, c)[0], expected = run_reference(c)[0];
      for (int64_t i = 0; i < y.count(); ++i) {
        ASSERT_EQ(std::isnan(y.get(i)), std::isnan(expected.get(i))) << op << " " << c.name << i;
      }
    }
  }
}

}  // namespace
}  // namespace mortise::device_test
