// Seeded tensors for the tests of the engine.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <vector>

#include "engine/op/counter_rng.h"
#include "engine/op/node.h"

namespace mortise::engine {

// The tensors of these tests are so small that a second thread only waits.
inline const bool kOneThread = (set_compute_threads(1), true);

inline at::Tensor random_tensor(const std::vector<int64_t>& shape, uint64_t stream,
                                double scale = 1.0) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  const CounterRng random(20260101, stream);
  float* data = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    data[i] = static_cast<float>(scale * random.normal(static_cast<uint64_t>(i)));
  }
  return tensor;
}

// int32, [size of values].
inline at::Tensor ints(const std::vector<int32_t>& values) {
  return at::tensor(at::ArrayRef<int32_t>(values), at::kInt);
}

}  // namespace mortise::engine
