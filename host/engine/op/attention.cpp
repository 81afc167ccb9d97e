// Variable-length attention over packed sequences, with its backward pass.
// Letters: N rows, M keys, H query heads, G key and value heads, r = H/G, D head size, n and m the
// rows and keys of one sequence. Source of the device's kernels: Dao et al. 2022; the composition
// here is the plain softmax of Vaswani et al. 2017, one sequence at a time, in fp32.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "engine/op/failure.h"
#include "engine/op/node.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;

struct AttentionSaved {
  Tensor q, k, v, o, lse;  // [N, H, D], [M, G, D] twice, [N, H, D], [H, N]
  Bounds q_bounds, k_bounds;
  AttentionShape shape;
};

// One sequence with its heads in front, so that a product is one batched call.
struct Piece {
  int64_t q_begin, n, k_begin, m;
};

Piece piece_of(const Bounds& q_bounds, const Bounds& k_bounds, int64_t s) {
  const auto at = static_cast<size_t>(s);
  return {q_bounds.host[at], q_bounds.host[at + 1] - q_bounds.host[at], k_bounds.host[at],
          k_bounds.host[at + 1] - k_bounds.host[at]};
}

// x [*, A, D] -> rows begin .. begin+count as [A, count, D] in fp32
Tensor heads_first(const Tensor& x, int64_t begin, int64_t count) {
  return x.narrow(0, begin, count).to(at::kFloat).transpose(0, 1).contiguous();
}

// x [N, H, D] -> [G, r*n, D]: the r query heads of a group share its keys.
Tensor grouped(const Tensor& x, const Piece& p, int64_t groups) {
  const Tensor h = heads_first(x, p.q_begin, p.n);  // [H, n, D]
  return h.reshape({groups, h.size(0) / groups * p.n, h.size(2)});
}

// [G, r*n, D] -> rows of [n, H, D]
Tensor ungrouped(const Tensor& x, int64_t heads, int64_t n) {
  return x.reshape({heads, n, x.size(2)}).transpose(0, 1);
}

// Which keys row n must not see, [n, m]; undefined when it sees all.
Tensor hidden_keys(const Piece& p, const AttentionShape& shape, const Tensor& like) {
  if (!shape.causal && shape.window <= 0) return {};
  const auto options = like.options().dtype(at::kLong);
  const Tensor last = at::arange(p.n, options).unsqueeze(1) + (p.m - p.n);  // [n, 1] last key seen
  const Tensor key = at::arange(p.m, options).unsqueeze(0);                 // [1, m]
  if (!shape.causal) return key <= (p.m - 1 - shape.window);
  Tensor hidden = key > last;  // [n, m]
  if (shape.window > 0) hidden = hidden.logical_or(key <= last - shape.window);
  return hidden;
}

// Scaled scores with the unseen keys at minus infinity, [G, r*n, m].
Tensor scores_of(const Tensor& q, const Tensor& k, const Piece& p, const AttentionShape& shape) {
  Tensor scores = at::matmul(q, k.transpose(1, 2)).mul_(shape.scale);  // [G, r*n, m]
  const Tensor hidden = hidden_keys(p, shape, q);
  if (hidden.defined()) {
    scores.view({scores.size(0), -1, p.n, p.m})
        .masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  }
  return scores;
}

// Fills o and lse.
void attention_composed(AttentionSaved& s) {
  const int64_t heads = s.q.size(1), groups = s.k.size(1);
  for (int64_t i = 0; i < s.q_bounds.sequences(); ++i) {
    const Piece p = piece_of(s.q_bounds, s.k_bounds, i);
    if (p.n == 0) continue;
    const Tensor k = heads_first(s.k, p.k_begin, p.m);                        // [G, m, D]
    const Tensor v = heads_first(s.v, p.k_begin, p.m);                        // [G, m, D]
    const Tensor scores = scores_of(grouped(s.q, p, groups), k, p, s.shape);  // [G, r*n, m]
    const Tensor lse = at::logsumexp(scores, {-1}, /*keepdim=*/true);         // [G, r*n, 1]
    const Tensor o = at::matmul((scores - lse).exp(), v);                     // [G, r*n, D]
    s.o.narrow(0, p.q_begin, p.n).copy_(ungrouped(o, heads, p.n));
    s.lse.narrow(1, p.q_begin, p.n).copy_(lse.reshape({heads, p.n}));
  }
}

// P = exp(scores - lse); dV = P^T dO; dS = P (dO V^T - rowsum(dO O)); dQ = scale dS K; dK likewise.
std::vector<Tensor> attention_grad_composed(const AttentionSaved& s, const Tensor& d_o) {
  const int64_t heads = s.q.size(1), groups = s.k.size(1);
  Tensor dq = at::zeros(s.q.sizes(), s.q.options());
  Tensor dk = at::zeros(s.k.sizes(), s.k.options());
  Tensor dv = at::zeros(s.v.sizes(), s.v.options());
  for (int64_t i = 0; i < s.q_bounds.sequences(); ++i) {
    const Piece p = piece_of(s.q_bounds, s.k_bounds, i);
    if (p.n == 0) continue;
    const Tensor q = grouped(s.q, p, groups);                                    // [G, r*n, D]
    const Tensor k = heads_first(s.k, p.k_begin, p.m);                           // [G, m, D]
    const Tensor v = heads_first(s.v, p.k_begin, p.m);                           // [G, m, D]
    const Tensor out = grouped(s.o, p, groups), dout = grouped(d_o, p, groups);  // [G, r*n, D]
    const Tensor lse = s.lse.narrow(1, p.q_begin, p.n).reshape({groups, -1, 1});
    const Tensor prob = (scores_of(q, k, p, s.shape) - lse).exp();         // [G, r*n, m]
    const Tensor dot = (dout * out).sum(-1, /*keepdim=*/true);             // [G, r*n, 1]
    const Tensor ds = prob * (at::matmul(dout, v.transpose(1, 2)) - dot);  // [G, r*n, m]
    dq.narrow(0, p.q_begin, p.n)
        .copy_(ungrouped(at::matmul(ds, k).mul_(s.shape.scale), heads, p.n));
    dk.narrow(0, p.k_begin, p.m)
        .copy_(at::matmul(ds.transpose(1, 2), q).mul_(s.shape.scale).transpose(0, 1));
    dv.narrow(0, p.k_begin, p.m).copy_(at::matmul(prob.transpose(1, 2), dout).transpose(0, 1));
  }
  return {dq, dk, dv};
}

std::vector<Tensor> attention_grad(Device& device, const Tensor& d_o, const AttentionSaved& s) {
  Tensor dq = at::empty(s.q.sizes(), s.q.options());
  Tensor dk = at::empty(s.k.sizes(), s.k.options());
  Tensor dv = at::empty(s.v.sizes(), s.v.options());
  if (run_on(device, MORTISE_OP_ATTENTION_GRAD, s.q, s.q,
             {d_o, s.q, s.k, s.v, s.o, s.lse, s.q_bounds.tensor, s.k_bounds.tensor}, {dq, dk, dv},
             {s.shape.scale, s.shape.causal ? 1.0 : 0.0, static_cast<double>(s.shape.window)})) {
    return {dq, dk, dv};
  }
  return attention_grad_composed(s, d_o);
}

void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v, const Bounds& q_bounds,
                  const Bounds& k_bounds) {
  const bool fits = q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() &&
                    q.size(2) == k.size(2) && k.size(1) > 0 && q.size(1) % k.size(1) == 0 &&
                    q_bounds.host.size() == k_bounds.host.size() && !q_bounds.host.empty() &&
                    q_bounds.host.back() == q.size(0) && k_bounds.host.back() <= k.size(0);
  if (!fits) {
    fail(base::Code::kInternal, "Queries, keys and bounds given to attention do not fit.");
  }
}

}  // namespace

Tensor int_tensor(const std::vector<int32_t>& values) {
  return at::tensor(at::ArrayRef<int32_t>(values), at::kInt);
}

Bounds Bounds::of(std::vector<int32_t> bounds) {
  Bounds result;
  result.host = std::move(bounds);
  result.tensor = int_tensor(result.host);
  return result;
}

Tensor attention(Device& device, const Tensor& q, const Tensor& k, const Tensor& v,
                 const Bounds& q_bounds, const Bounds& k_bounds, const AttentionShape& shape) {
  check_shapes(q, k, v, q_bounds, k_bounds);
  AttentionSaved s{q.detach(), k.detach(), v.detach(), Tensor(),
                   Tensor(),   q_bounds,   k_bounds,   shape};
  {
    const NoRecord quiet;
    s.o = at::empty(q.sizes(), q.options());
    s.lse = at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat));
    if (!run_on(device, MORTISE_OP_ATTENTION, q, q, {q, k, v, q_bounds.tensor, k_bounds.tensor},
                {s.o, s.lse},
                {shape.scale, shape.causal ? 1.0 : 0.0, static_cast<double>(shape.window)})) {
      attention_composed(s);
    }
  }
  Tensor o = s.o;
  if (!records({q, k, v})) return o;
  s.o = o.detach();
  record("attention", {q, k, v}, {&o},
         [&device, s = std::move(s)](const auto& grads, const auto&) -> std::vector<Tensor> {
           return attention_grad(device, grads[0].contiguous(), s);
         });
  return o;
}

}  // namespace mortise::engine
