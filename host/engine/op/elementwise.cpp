// rope, swiglu, gelu and embedding: forward, backward, and the composition of each in libtorch.
// Letters: N rows, H heads, D head size, F inner size, V vocabulary, C channels.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

#include "engine/op/failure.h"
#include "engine/op/node.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;

constexpr double kQuickGelu = 1.702;

// y = x cos + sign * rotate_half(x) sin, pairs (d, d + D/2) (Su et al. 2021), in x's type as
// transformers does. The gradient is the same with sign -1.
Tensor rope_run(Device& device, const Tensor& x, const Tensor& cos, const Tensor& sin,
                double sign) {
  Tensor y = at::empty(x.sizes(), x.options());
  if (run_on(device, MORTISE_OP_ROPE, x, x, {x, cos, sin}, {y}, {sign})) return y;
  const int64_t half = x.size(2) / 2;
  const Tensor first = x.narrow(2, 0, half), second = x.narrow(2, half, half);  // [N, H, D/2]
  const Tensor rotated = at::cat({second.neg(), first}, 2);                     // [N, H, D]
  return x * cos.unsqueeze(1) + rotated * (sin.unsqueeze(1) * sign);            // [N, H, D]
}

// d silu(g) = s (1 + g (1 - s)) with s = sigmoid(g).
std::vector<Tensor> swiglu_grad(Device& device, const Tensor& dy, const Tensor& gate,
                                const Tensor& up) {
  Tensor dgate = at::empty(gate.sizes(), gate.options());
  Tensor dup = at::empty(up.sizes(), up.options());
  if (run_on(device, MORTISE_OP_SWIGLU_GRAD, gate, gate, {dy, gate, up}, {dgate, dup})) {
    return {dgate, dup};
  }
  const Tensor g = gate.to(at::kFloat), dy32 = dy.to(at::kFloat);  // [N, F]
  const Tensor s = at::sigmoid(g);                                 // [N, F]
  dup = (dy32 * g * s).to(up.scalar_type());
  dgate = (dy32 * up.to(at::kFloat) * s * (1 + g * (1 - s))).to(gate.scalar_type());
  return {dgate, dup};
}

Tensor gelu_composed(const Tensor& x, Gelu kind) {
  if (kind == Gelu::kQuick) return x * at::sigmoid(x * kQuickGelu);
  return at::gelu(x, kind == Gelu::kTanh ? "tanh" : "none");
}

Tensor gelu_grad(Device& device, const Tensor& dy, const Tensor& x, Gelu kind) {
  Tensor dx = at::empty(x.sizes(), x.options());
  if (run_on(device, MORTISE_OP_GELU_GRAD, x, x, {dy, x}, {dx}, {static_cast<double>(kind)})) {
    return dx;
  }
  if (kind != Gelu::kQuick) return at::gelu_backward(dy, x, kind == Gelu::kTanh ? "tanh" : "none");
  const Tensor x32 = x.to(at::kFloat), s = at::sigmoid(x32 * kQuickGelu);
  return (dy.to(at::kFloat) * s * (1 + kQuickGelu * x32 * (1 - s))).to(x.scalar_type());
}

void check_ids(const Tensor& ids, int64_t vocabulary) {
  const Tensor host = ids.cpu().contiguous();
  const int32_t* data = host.const_data_ptr<int32_t>();
  for (int64_t i = 0; i < host.numel(); ++i) {
    if (data[i] >= 0 && data[i] < vocabulary) continue;
    fail(base::Code::kInvalidArgument,
         "Token id " + std::to_string(data[i]) + " at position " + std::to_string(i) +
             " is outside the model's vocabulary of " + std::to_string(vocabulary) + " ids.",
         "Use the tokenizer that belongs to this model.");
  }
}

}  // namespace

Tensor rope(Device& device, const Tensor& x, const Tensor& cos, const Tensor& sin) {
  Tensor y;
  {
    const NoRecord quiet;
    y = rope_run(device, x, cos, sin, 1);
  }
  record("rope", {x}, {&y},
         [&device, cos, sin](const auto& grads, const auto&) -> std::vector<Tensor> {
           return {rope_run(device, grads[0].contiguous(), cos, sin, -1)};
         });
  return y;
}

Tensor swiglu(Device& device, const Tensor& gate, const Tensor& up) {
  Tensor y;
  {
    const NoRecord quiet;
    y = at::empty(gate.sizes(), gate.options());
    if (!run_on(device, MORTISE_OP_SWIGLU, gate, gate, {gate, up}, {y})) {
      y = at::silu(gate) * up;
    }
  }
  record("swiglu", {gate, up}, {&y},
         [&device, gate = gate.detach(), up = up.detach()](const auto& grads,
                                                           const auto&) -> std::vector<Tensor> {
           return swiglu_grad(device, grads[0].contiguous(), gate, up);
         });
  return y;
}

Tensor gelu(Device& device, const Tensor& x, Gelu kind) {
  Tensor y;
  {
    const NoRecord quiet;
    y = at::empty(x.sizes(), x.options());
    if (!run_on(device, MORTISE_OP_GELU, x, x, {x}, {y}, {static_cast<double>(kind)})) {
      y = gelu_composed(x, kind);
    }
  }
  record("gelu", {x}, {&y},
         [&device, x = x.detach(), kind](const auto& grads, const auto&) -> std::vector<Tensor> {
           return {gelu_grad(device, grads[0].contiguous(), x, kind)};
         });
  return y;
}

Tensor embedding(Device& device, const Tensor& ids, const Tensor& table) {
  check_ids(ids, table.size(0));
  Tensor y;
  {
    const NoRecord quiet;
    y = at::empty({ids.size(0), table.size(1)}, table.options());
    if (!run_on(device, MORTISE_OP_EMBEDDING, table, table, {ids, table}, {y})) {
      y = at::index_select(table, 0, ids);
    }
  }
  record("embedding", {table}, {&y},
         [&device, ids, table = table.detach()](const auto& grads,
                                                const auto&) -> std::vector<Tensor> {
           const Tensor dy = grads[0].contiguous();
           Tensor dtable = at::zeros(table.sizes(), table.options().dtype(at::kFloat));
           if (!run_on(device, MORTISE_OP_EMBEDDING_GRAD, table, table, {dy, ids}, {dtable})) {
             dtable.index_add_(0, ids, dy.to(at::kFloat));
           }
           return {dtable};
         });
  return y;
}

}  // namespace mortise::engine
