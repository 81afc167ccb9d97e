#include "engine/model/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/norm.h>

#include "engine/op/counter_rng.h"
#include "engine/op/failure.h"
#include "engine/op/node.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;

// 0 with probability `dropout`, else 1 / (1 - dropout), in fp32; a function of seed and call
// number.
Tensor dropout_mask(Pass& pass, const Tensor& x, double dropout) {
  const CounterRng random(pass.dropout_seed, ++pass.dropout_calls);
  Tensor mask = at::empty(x.sizes(), at::TensorOptions().dtype(at::kFloat));
  float* values = mask.mutable_data_ptr<float>();
  const auto keep = static_cast<float>(1 / (1 - dropout));
  const auto threshold = static_cast<uint32_t>(dropout * 4294967296.0);
  const int64_t count = mask.numel();
  for (int64_t i = 0; i < count; i += 4) {
    const auto bits = random.block(static_cast<uint64_t>(i) / 4);
    for (int64_t j = i; j < std::min(i + 4, count); ++j) {
      values[j] = bits[static_cast<size_t>(j - i)] < threshold ? 0.0f : keep;
    }
  }
  return mask.to(x.device());
}

// W + scale * B A in fp32.
Tensor summed_weight(const Tensor& weight, const LoraFactors& lora) {
  return weight.to(at::kFloat) + at::mm(lora.b, lora.a) * lora.scale;
}

// magnitude / norm of each row of (W + scale B A); the norm is a constant in the backward pass
// (Liu et al. 2024, section 4.3). [O]
Tensor dora_factor(const Tensor& weight, const LoraFactors& lora) {
  Tensor norm;
  {
    const NoRecord quiet;
    norm = at::norm(summed_weight(weight, lora), 2, {1});
  }
  return lora.magnitude / norm;
}

// scale * B A x, in fp32. [N, O]
Tensor low_rank_part(Pass& pass, const Tensor& x, const LoraFactors& lora) {
  const Tensor xa = linear(*pass.device, x, lora.a, Tensor());  // [N, R]
  return linear(*pass.device, xa, lora.b, Tensor()) * lora.scale;
}

// DoRA in fp32: with m = magnitude / norm, and x' = dropout(x),
//   y = W x + bias + (m - 1) W x' + m scale B A x',
// which without dropout is m (W x + scale B A x) + bias. PEFT drops the input of the second product
// of W too.
Tensor dora_forward(Pass& pass, const Linear& l, const Tensor& x, bool drops) {
  const LoraFactors& lora = *l.lora;
  const Tensor m = dora_factor(l.weight, lora);  // [O]
  Tensor y;
  if (drops) {
    const Tensor base = linear(*pass.device, x, l.weight, Tensor()).to(at::kFloat);
    const Tensor dropped = x.to(at::kFloat) * dropout_mask(pass, x, lora.dropout);  // [N, K]
    const Tensor again = linear(*pass.device, dropped.to(x.scalar_type()), l.weight, Tensor());
    y = base + again.to(at::kFloat) * (m - 1) + low_rank_part(pass, dropped, lora) * m;
  } else {
    y = linear_lora(*pass.device, x, l.weight, Tensor(), lora.a, lora.b, lora.scale)
            .to(at::kFloat) *
        m;
  }
  return l.bias.defined() ? y + l.bias.to(at::kFloat) : y;
}

}  // namespace

Tensor Linear::forward(Pass& pass, const Tensor& x) const {
  if (lora == nullptr) return linear(*pass.device, x, weight, bias);
  const bool drops = pass.training && lora->dropout > 0;
  if (lora->magnitude.defined()) return dora_forward(pass, *this, x, drops).to(x.scalar_type());
  if (!drops) return linear_lora(*pass.device, x, weight, bias, lora->a, lora->b, lora->scale);
  const Tensor base = linear(*pass.device, x, weight, bias).to(at::kFloat);
  const Tensor dropped = x.to(at::kFloat) * dropout_mask(pass, x, lora->dropout);  // [N, K]
  return (base + low_rank_part(pass, dropped, *lora)).to(x.scalar_type());
}

Tensor Embedding::forward(Pass& pass, const Tensor& ids) const {
  Tensor y = embedding(*pass.device, ids, weight);  // [N, C]
  if (lora == nullptr) return y;
  const Tensor rows = embedding(*pass.device, ids, lora->a.t());                     // [N, R]
  const Tensor delta = linear(*pass.device, rows, lora->b, Tensor()) * lora->scale;  // [N, C]
  return (y.to(at::kFloat) + delta).to(y.scalar_type());
}

Tensor merged_weight(const Tensor& weight, const LoraFactors& lora) {
  const NoRecord quiet;
  Tensor sum = summed_weight(weight, lora);
  if (lora.magnitude.defined()) sum = sum * dora_factor(weight, lora).unsqueeze(1);
  return sum.to(weight.scalar_type());
}

}  // namespace mortise::engine
