// rms_norm and layer_norm: forward, backward, and the composition of both in libtorch.
// Letters: N rows, C channels. Sources: Zhang & Sennrich 2019, equation 4; Ba et al. 2016. The
// order of casts is transformers': normalise in fp32, return to x's type, then times the weight.
#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/native_layer_norm.h>

#include <tuple>

#include "engine/op/node.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;

Tensor fp32_rows(const Tensor& x) {
  return at::empty({x.size(0)}, x.options().dtype(at::kFloat));
}

// s [N, C] -> {y [N, C], rstd [N]}
std::pair<Tensor, Tensor> rms_norm_composed(const Tensor& s, const Tensor& weight, double eps) {
  const Tensor s32 = s.to(at::kFloat);                              // [N, C]
  const Tensor rstd = (s32.square().mean(-1) + eps).rsqrt();        // [N]     eq. 4
  const Tensor n = (s32 * rstd.unsqueeze(-1)).to(s.scalar_type());  // [N, C]
  return {n * weight, rstd};
}

// dL/ds = r (g - n mean(g n)) with n = s r and g = dy * weight; dL/dweight = sum over N of dy * n.
std::pair<Tensor, Tensor> rms_norm_grad(Device& device, const Tensor& dy, const Tensor& s,
                                        const Tensor& weight, const Tensor& rstd,
                                        bool want_weight) {
  Tensor dx = at::empty(s.sizes(), s.options());
  Tensor dw = want_weight ? at::empty(weight.sizes(), rstd.options()) : Tensor();
  if (run_on(device, MORTISE_OP_RMS_NORM_GRAD, s, weight, {dy, s, weight, rstd}, {dx, dw})) {
    return {dx, dw};
  }
  const Tensor n = s.to(at::kFloat) * rstd.unsqueeze(-1);  // [N, C]
  const Tensor dy32 = dy.to(at::kFloat);
  const Tensor g = dy32 * weight.to(at::kFloat);                  // [N, C]
  const Tensor dot = (g * n).mean(-1, /*keepdim=*/true);          // [N, 1]
  dx = (rstd.unsqueeze(-1) * (g - n * dot)).to(s.scalar_type());  // [N, C]
  if (want_weight) dw = (dy32 * n).sum(0);                        // [C]
  return {dx, dw};
}

struct NormSaved {
  Tensor x, weight, mean, rstd;  // [N, C], [C], [N], [N]
};

// {dx, dweight, dbias} of layer_norm with n = (x - mean) r and g = dy * weight:
// dx = r (g - mean(g) - n mean(g n)).
std::vector<Tensor> layer_norm_grad(Device& device, const Tensor& dy, const NormSaved& s,
                                    const std::vector<bool>& wanted) {
  Tensor dx = at::empty(s.x.sizes(), s.x.options());
  const bool want_weight = wanted[1] || wanted[2];
  Tensor dw = want_weight ? at::empty(s.weight.sizes(), s.rstd.options()) : Tensor();
  Tensor db = want_weight ? at::empty(s.weight.sizes(), s.rstd.options()) : Tensor();
  if (run_on(device, MORTISE_OP_LAYER_NORM_GRAD, s.x, s.weight, {dy, s.x, s.weight, s.mean, s.rstd},
             {dx, dw, db})) {
    return {dx, dw, db};
  }
  const Tensor rstd = s.rstd.unsqueeze(-1);                             // [N, 1]
  const Tensor n = (s.x.to(at::kFloat) - s.mean.unsqueeze(-1)) * rstd;  // [N, C]
  const Tensor dy32 = dy.to(at::kFloat);
  const Tensor g = dy32 * s.weight.to(at::kFloat);                                // [N, C]
  const Tensor g_mean = g.mean(-1, true);                                         // [N, 1]
  dx = (rstd * (g - g_mean - n * (g * n).mean(-1, true))).to(s.x.scalar_type());  // [N, C]
  if (want_weight) {
    dw = (dy32 * n).sum(0);  // [C]
    db = dy32.sum(0);        // [C]
  }
  return {dx, dw, db};
}

}  // namespace

Tensor rms_norm(Device& device, const Tensor& x, const Tensor& weight, double eps) {
  Tensor y, rstd;
  {
    const NoRecord quiet;
    y = at::empty(x.sizes(), x.options());
    rstd = fp32_rows(x);
    if (!run_on(device, MORTISE_OP_RMS_NORM, x, weight, {x, weight, Tensor()}, {y, rstd, Tensor()},
                {eps})) {
      std::tie(y, rstd) = rms_norm_composed(x, weight, eps);
    }
  }
  if (!records({x, weight})) return y;
  record("rms_norm", {x, weight}, {&y},
         [&device, x = x.detach(), weight = weight.detach(), rstd](
             const auto& grads, const auto& wanted) -> std::vector<Tensor> {
           auto [dx, dw] = rms_norm_grad(device, grads[0].contiguous(), x, weight, rstd, wanted[1]);
           return {dx, dw};
         });
  return y;
}

std::pair<Tensor, Tensor> rms_norm_residual(Device& device, const Tensor& x, const Tensor& residual,
                                            const Tensor& weight, double eps) {
  Tensor y, rstd, sum;
  {
    const NoRecord quiet;
    y = at::empty(x.sizes(), x.options());
    sum = at::empty(x.sizes(), x.options());
    rstd = fp32_rows(x);
    if (!run_on(device, MORTISE_OP_RMS_NORM, x, weight, {x, weight, residual}, {y, rstd, sum},
                {eps})) {
      sum = at::add(x, residual);
      std::tie(y, rstd) = rms_norm_composed(sum, weight, eps);
    }
  }
  if (!records({x, residual, weight})) return {y, sum};
  const Tensor saved_sum = sum.detach();
  record("rms_norm_residual", {x, residual, weight}, {&y, &sum},
         [&device, s = saved_sum, weight = weight.detach(), rstd](
             const auto& grads, const auto& wanted) -> std::vector<Tensor> {
           if (!grads[0].defined()) return {grads[1], grads[1], Tensor()};
           auto [dx, dw] = rms_norm_grad(device, grads[0].contiguous(), s, weight, rstd, wanted[2]);
           if (grads[1].defined()) dx.add_(grads[1]);
           return {dx, dx, dw};
         });
  return {y, sum};
}

Tensor layer_norm(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  double eps) {
  Tensor y;
  NormSaved saved;
  {
    const NoRecord quiet;
    y = at::empty(x.sizes(), x.options());
    saved = {x.detach(), weight.detach(), fp32_rows(x), fp32_rows(x)};
    if (!run_on(device, MORTISE_OP_LAYER_NORM, x, weight, {x, weight, bias},
                {y, saved.mean, saved.rstd}, {eps})) {
      const auto [value, mean, rstd] = at::native_layer_norm(
          x.to(at::kFloat), {x.size(-1)}, weight.to(at::kFloat), bias.to(at::kFloat), eps);
      y = value.to(x.scalar_type());
      saved.mean = mean.reshape({-1});
      saved.rstd = rstd.reshape({-1});
    }
  }
  if (!records({x, weight, bias})) return y;
  record("layer_norm", {x, weight, bias}, {&y},
         [&device, s = std::move(saved)](const auto& grads,
                                         const auto& wanted) -> std::vector<Tensor> {
           return layer_norm_grad(device, grads[0].contiguous(), s, wanted);
         });
  return y;
}

}  // namespace mortise::engine
