// Every operation of the list on device_cpu (each variant of its kernels) against the fp64
// reference, and the same bits whatever the number of threads.
#include <gtest/gtest.h>

#include "device_cpu/kernel/pairs.h"
#include "device_cpu/ops.h"
#include "tests/unit/device_cpu/support.h"

namespace mortise::device_test {
namespace {

Device cpu() {
  Device device;
  device.ops = device_cpu::device_ops();
  device.rounds_factors = device_cpu::pair_kernels() != nullptr;
  return device;
}

class CpuOps : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { use_pool(2); }
  // Back to the widest variant.
  void TearDown() override { use(device_cpu::Isa::kAvx512); }
  static bool use(device_cpu::Isa isa) {
    if (!device_cpu::has(isa)) return false;
    device_cpu::force_isa(isa);
    return true;
  }
  void expect_all_close() {
    const std::vector<Case> cases = cases_of(GetParam());
    ASSERT_FALSE(cases.empty());
    for (const Case& c : cases) expect_close(cpu(), c);
  }
};

TEST_P(CpuOps, AgreeWithReferenceInScalarCode) {
  ASSERT_TRUE(use(device_cpu::Isa::kScalar));
  expect_all_close();
}

TEST_P(CpuOps, AgreeWithReferenceInAvx2) {
  if (!use(device_cpu::Isa::kAvx2)) GTEST_SKIP() << "this processor has no AVX2";
  expect_all_close();
}

TEST_P(CpuOps, AgreeWithReferenceInAvx512) {
  if (!use(device_cpu::Isa::kAvx512)) GTEST_SKIP() << "this processor has no AVX-512";
  expect_all_close();
}

TEST_P(CpuOps, GiveTheSameBitsWithOneTwoAndFiveThreads) {
  for (const Case& c : cases_of(GetParam())) {
    use_pool(0);
    const std::vector<Tensor> alone = run(cpu(), c);
    for (const uint32_t threads : {2u, 5u}) {
      use_pool(threads);
      const std::vector<Tensor> together = run(cpu(), c);
      for (size_t i = 0; i < alone.size(); ++i) {
        ASSERT_EQ(alone[i].bytes, together[i].bytes) << c.op << " " << c.name << " output " << i;
      }
    }
  }
}

TEST_P(CpuOps, AreNativeInBothTypes) {
  for (const DLDataType type : {sdk::kFloat32, sdk::kBfloat16}) {
    mortise_op_query query{};
    query.struct_size = sizeof(query);
    query.op = sdk::text(GetParam());
    query.activation = query.weight = type;
    uint32_t answer = MORTISE_OP_UNSUPPORTED;
    sdk::ErrorCollector error;
    ASSERT_EQ(device_cpu::device_ops()->query(&query, &answer, error.raw()), MORTISE_STATUS_OK);
    EXPECT_EQ(answer, MORTISE_OP_NATIVE);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryOperation, CpuOps, testing::ValuesIn(all_ops()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace mortise::device_test
