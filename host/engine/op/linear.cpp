// linear and linear_lora: forward, backward, and the composition of both in libtorch.
// Letters: N rows, K inputs, O outputs, R rank.
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include "engine/op/node.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;

Tensor with_type_of(const Tensor& x, const Tensor& like) {
  return x.to(like.scalar_type());
}

// x [N, K] times the transpose of w [O, K], in x's type. -> [N, O]
Tensor times_transposed(const Tensor& x, const Tensor& w, const Tensor& bias) {
  const Tensor wt = with_type_of(w, x).t();  // [K, O]
  if (!bias.defined()) return at::mm(x, wt);
  return at::addmm(with_type_of(bias, x), x, wt);
}

// dy [N, O], w [O, K] -> dx [N, K]
Tensor grad_input(Device& device, const Tensor& dy, const Tensor& w) {
  Tensor dx = at::empty({dy.size(0), w.size(1)}, dy.options());
  if (run_on(device, MORTISE_OP_LINEAR_GRAD_INPUT, dy, w, {dy, w}, {dx})) return dx;
  return at::mm(dy, with_type_of(w, dy));
}

// dy [N, O], x [N, K] -> {dw [O, K], dbias [O]}; each undefined when not wanted.
std::pair<Tensor, Tensor> grad_weight(Device& device, const Tensor& dy, const Tensor& x,
                                      const Tensor& w, const Tensor& bias, bool want_weight,
                                      bool want_bias) {
  if (!want_weight) {
    if (!want_bias) return {};
    return {Tensor(), dy.sum(0, /*keepdim=*/false, at::kFloat)};
  }
  Tensor dw = at::empty(w.sizes(), w.options());
  Tensor dbias = want_bias ? at::empty(bias.sizes(), w.options()) : Tensor();
  if (run_on(device, MORTISE_OP_LINEAR_GRAD_WEIGHT, dy, w, {dy, x}, {dw, dbias})) {
    return {dw, dbias};
  }
  if (want_bias) dbias = dy.sum(0, /*keepdim=*/false, at::kFloat);
  return {at::mm(dy.t(), x), dbias};
}

// What the backward pass of a LoRA layer reads again.
struct LoraSaved {
  Tensor x, w, bias, a, b, xa;  // [N, K], [O, K], [O], [R, K], [O, R], [N, R]
  double scale;
};

// {y [N, O], xa [N, R]}: the base in x's type, the factors in fp32, the sum rounded once.
std::pair<Tensor, Tensor> linear_lora_composed(const Tensor& x, const Tensor& w, const Tensor& bias,
                                               const Tensor& a, const Tensor& b, double scale) {
  const Tensor xa = at::mm(x.to(at::kFloat), a.t());                // [N, R]
  const Tensor base = times_transposed(x, w, bias).to(at::kFloat);  // [N, O]
  return {at::addmm(base, xa, b.t(), 1, scale).to(x.scalar_type()), xa};
}

// {dx, da, db}: dxa = scale dy b; da = dxa^T x; db = scale dy^T xa; dx = dy w + dxa a.
std::vector<Tensor> linear_lora_grad(Device& device, const Tensor& dy, const LoraSaved& s,
                                     bool want_dx) {
  Tensor dx = want_dx ? at::empty(s.x.sizes(), s.x.options()) : Tensor();
  Tensor da = at::empty(s.a.sizes(), s.a.options());
  Tensor db = at::empty(s.b.sizes(), s.b.options());
  if (run_on(device, MORTISE_OP_LINEAR_LORA_GRAD, s.x, s.w, {dy, s.x, s.w, s.a, s.b, s.xa},
             {dx, da, db}, {s.scale})) {
    return {dx, da, db};
  }
  const Tensor dy32 = dy.to(at::kFloat);
  const Tensor dxa = at::mm(dy32, s.b).mul_(s.scale);  // [N, R]
  da = at::mm(dxa.t(), s.x.to(at::kFloat));            // [R, K]
  db = at::mm(dy32.t(), s.xa).mul_(s.scale);           // [O, R]
  if (want_dx) {
    const Tensor base = at::mm(dy, with_type_of(s.w, dy)).to(at::kFloat);
    dx = at::addmm(base, dxa, s.a).to(s.x.scalar_type());  // [N, K]
  }
  return {dx, da, db};
}

}  // namespace

Tensor linear(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor y;
  {
    const NoRecord quiet;
    y = at::empty({x.size(0), weight.size(0)}, x.options());
    if (!run_on(device, MORTISE_OP_LINEAR, x, weight, {x, weight, bias}, {y})) {
      y = times_transposed(x, weight, bias);
    }
  }
  if (!records({x, weight, bias})) return y;
  const Tensor saved_x = weight.requires_grad() ? x.detach() : Tensor();
  record("linear", {x, weight, bias}, {&y},
         [&device, x = saved_x, w = weight.detach(), bias = bias.defined() ? bias.detach() : bias](
             const auto& grads, const auto& wanted) -> std::vector<Tensor> {
           const Tensor dy = grads[0].contiguous();
           const Tensor dx = wanted[0] ? grad_input(device, dy, w) : Tensor();
           auto [dw, dbias] = grad_weight(device, dy, x, w, bias, wanted[1], wanted[2]);
           return {dx, dw, dbias};
         });
  return y;
}

Tensor linear_lora(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias,
                   const Tensor& a, const Tensor& b, double scale) {
  Tensor y, xa;
  {
    const NoRecord quiet;
    y = at::empty({x.size(0), weight.size(0)}, x.options());
    xa = at::empty({x.size(0), a.size(0)}, a.options());
    if (!run_on(device, MORTISE_OP_LINEAR_LORA, x, weight, {x, weight, bias, a, b}, {y, xa},
                {scale})) {
      std::tie(y, xa) = linear_lora_composed(x, weight, bias, a, b, scale);
    }
  }
  if (!records({x, weight, bias, a, b})) return y;
  LoraSaved saved{x.detach(), weight.detach(), bias.defined() ? bias.detach() : bias,
                  a.detach(), b.detach(),      xa,
                  scale};
  record("linear_lora", {x, weight, bias, a, b}, {&y},
         [&device, s = std::move(saved)](const auto& grads,
                                         const auto& wanted) -> std::vector<Tensor> {
           const Tensor dy = grads[0].contiguous();
           const auto d = linear_lora_grad(device, dy, s, wanted[0]);
           auto [dw, dbias] = grad_weight(device, dy, s.x, s.w, s.bias, wanted[1], wanted[2]);
           return {d[0], dw, dbias, d[1], d[2]};
         });
  return y;
}

}  // namespace mortise::engine
