// Batches with padding, packed rows, and inputs that do not fit.
#include "engine/infer/batch.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

at::Tensor longs(std::vector<int64_t> values, std::vector<int64_t> shape) {
  return at::tensor(at::ArrayRef<int64_t>(values), at::kLong).view(shape);
}

std::vector<int32_t> list(const at::Tensor& tensor) {
  const int32_t* data = tensor.const_data_ptr<int32_t>();
  return {data, data + tensor.numel()};
}

TensorMap padded() {
  return {{"input_ids", longs({5, 6, 7, 8, 9, 0}, {2, 3})},
          {"attention_mask", longs({1, 1, 1, 1, 1, 0}, {2, 3})}};
}

base::Error error_of(const TensorMap& inputs) {
  const auto status = guarded([&]() -> base::Status {
    (void)pack_batch(inputs);
    return {};
  });
  EXPECT_FALSE(status.ok());
  return status.ok() ? base::Error() : status.error();
}

TEST(PackedBatch, DropsPaddingAndPutsResultsBack) {
  const PackedBatch batch = pack_batch(padded());

  EXPECT_EQ(list(batch.ids), (std::vector<int32_t>{5, 6, 7, 8, 9}));
  EXPECT_EQ(batch.bounds.host, (std::vector<int32_t>{0, 3, 5}));
  EXPECT_EQ(batch.positions, (std::vector<int32_t>{0, 1, 2, 0, 1}));
  const at::Tensor back = batch.unpacked(longs({1, 2, 3, 4, 5}, {5, 1}));
  EXPECT_TRUE(back.equal(longs({1, 2, 3, 4, 5, 0}, {2, 3, 1})));
}

TEST(PackedBatch, ShiftsLabelsInsideEachRowOnly) {
  TensorMap inputs = padded();
  inputs["labels"] = longs({5, -100, 7, 8, 9, -100}, {2, 3});

  const PackedBatch batch = pack_batch(inputs);

  EXPECT_EQ(list(batch.rows), (std::vector<int32_t>{1, 3}));
  EXPECT_EQ(list(batch.labels), (std::vector<int32_t>{7, 9}));
}

TEST(PackedBatch, RestartsPositionsAtEachPackedSequence) {
  const PackedBatch batch = pack_batch(
      {{"input_ids", longs({1, 2, 3, 4, 5}, {5})}, {"cu_seqlens", longs({0, 2, 5}, {3})}});

  EXPECT_EQ(batch.positions, (std::vector<int32_t>{0, 1, 0, 1, 2}));
  const at::Tensor values = longs({1, 2, 3, 4, 5}, {5, 1});
  EXPECT_TRUE(batch.unpacked(values).is_same(values)) << "packed outputs have no batch axis";
}

TEST(PackedBatch, NamesTheMissingIds) {
  EXPECT_EQ(error_of({}).field, "input_ids");
}

TEST(PackedBatch, NamesBothShapesOfALabelTensorThatDoesNotFit) {
  TensorMap inputs = padded();
  inputs["labels"] = longs({1, 2}, {1, 2});
  const base::Error error = error_of(inputs);
  EXPECT_EQ(error.field, "labels");
  EXPECT_NE(error.message.find("[1, 2]"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("[2, 3]"), std::string::npos) << error.message;
}

TEST(PackedBatch, RefusesALabelWhereTheMaskHidesTheToken) {
  TensorMap inputs = padded();
  inputs["labels"] = longs({5, 6, 7, 8, 9, 1}, {2, 3});
  EXPECT_EQ(error_of(inputs).field, "labels");
}

TEST(PackedBatch, RefusesBoundsThatFallOrMissTheEnd) {
  for (const auto& bounds : {std::vector<int64_t>{0, 4, 3}, {1, 5}, {0, 4}, {0, 9}, {0}}) {
    const auto count = static_cast<int64_t>(bounds.size());
    EXPECT_EQ(error_of({{"input_ids", longs({1, 2, 3, 4, 5}, {5})},
                        {"cu_seqlens", longs(bounds, {count})}})
                  .field,
              "cu_seqlens");
  }
}

TEST(PackedBatch, RefusesFractionalIds) {
  EXPECT_EQ(error_of({{"input_ids", longs({1, 2}, {1, 2}).to(at::kFloat)}}).field, "input_ids");
}

TEST(PackedBatch, RefusesARowWithoutABatchAxis) {
  EXPECT_EQ(error_of({{"input_ids", longs({1, 2}, {2})}}).field, "input_ids");
}

}  // namespace
}  // namespace mortise::engine
