// linear + cross entropy over the labelled rows, by the device, by the host, or by the loss of a
// pack. Letters: N rows, C channels, V vocabulary, L labelled rows.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <memory>

#include "engine/op/failure.h"
#include "engine/op/node.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;

constexpr int64_t kRowsAtOnce = 256;  // logits of so many rows exist at a time

struct CrossEntropySaved {
  Tensor hidden, weight, rows, labels, lse;  // [N, C], [V, C], [L], [L], [L]
};

// Rows begin .. begin+count of the labelled ones: {hidden [n, C], logits fp32 [n, V]}.
std::pair<Tensor, Tensor> chunk_of(const CrossEntropySaved& s, int64_t begin, int64_t count) {
  const Tensor h = at::index_select(s.hidden, 0, s.rows.narrow(0, begin, count));
  const Tensor w = s.weight.to(h.scalar_type());
  return {h, at::mm(h, w.t()).to(at::kFloat)};
}

// loss = sum of lse - z[label]; fills lse. -> [1]
Tensor forward_composed(CrossEntropySaved& s) {
  const int64_t labelled = s.rows.size(0);
  Tensor loss = at::zeros({1}, s.lse.options());
  for (int64_t at = 0; at < labelled; at += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, labelled - at);
    const Tensor z = chunk_of(s, at, count).second;                     // [n, V]
    const Tensor labels = s.labels.narrow(0, at, count).to(at::kLong);  // [n]
    const Tensor lse = at::logsumexp(z, {-1});                          // [n]
    s.lse.narrow(0, at, count).copy_(lse);
    loss += (lse - z.gather(1, labels.unsqueeze(1)).squeeze(1)).sum();
  }
  return loss;
}

// dz = dloss (softmax(z) - onehot(label)); dhidden[rows] = dz w; dweight += dz^T hidden.
std::vector<Tensor> backward_composed(const CrossEntropySaved& s, double dloss,
                                      const std::vector<bool>& wanted) {
  Tensor dhidden = wanted[0] ? at::zeros(s.hidden.sizes(), s.hidden.options()) : Tensor();
  Tensor dweight = wanted[1] ? at::zeros(s.weight.sizes(), s.lse.options()) : Tensor();
  const int64_t labelled = s.rows.size(0);
  for (int64_t at = 0; at < labelled; at += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, labelled - at);
    const auto [h, z] = chunk_of(s, at, count);                       // [n, C], [n, V]
    Tensor dz = (z - s.lse.narrow(0, at, count).unsqueeze(1)).exp();  // [n, V]
    const Tensor labels = s.labels.narrow(0, at, count).to(at::kLong);
    dz.scatter_add_(1, labels.unsqueeze(1), at::ones({count, 1}, dz.options()).neg());
    dz = dz.mul_(dloss).to(s.hidden.scalar_type());  // [n, V]
    if (wanted[0]) {
      const Tensor dh = at::mm(dz, s.weight.to(dz.scalar_type()));  // [n, C]
      dhidden.index_copy_(0, s.rows.narrow(0, at, count).to(at::kLong), dh);
    }
    if (wanted[1]) dweight += at::mm(dz.t(), h).to(at::kFloat);  // [V, C]
  }
  return {dhidden, dweight};
}

void check_labels(const Tensor& rows, const Tensor& labels, int64_t classes) {
  const Tensor host = labels.cpu().contiguous();
  if (host.scalar_type() != at::kInt || rows.sizes() != labels.sizes()) {
    fail(base::Code::kInternal, "Rows and labels given to the loss do not fit.");
  }
  const int32_t* data = host.const_data_ptr<int32_t>();
  for (int64_t i = 0; i < host.numel(); ++i) {
    if (data[i] >= 0 && data[i] < classes) continue;
    fail(base::Code::kInvalidArgument,
         "Label " + std::to_string(data[i]) + " (labelled position " + std::to_string(i) +
             ") is outside the model's vocabulary of " + std::to_string(classes) + " ids.",
         "Use the tokenizer that belongs to this model.");
  }
}

}  // namespace

Tensor linear_cross_entropy(Device& device, const Tensor& hidden, const Tensor& weight,
                            const Tensor& rows, const Tensor& labels) {
  check_labels(rows, labels, weight.size(0));
  const auto fp32 = hidden.options().dtype(at::kFloat);
  Tensor loss;
  CrossEntropySaved s{hidden.detach(), weight.detach(), rows, labels,
                      at::empty({rows.size(0)}, fp32)};
  {
    const NoRecord quiet;
    loss = at::zeros({1}, fp32);
    if (!run_on(device, MORTISE_OP_LINEAR_CROSS_ENTROPY, hidden, weight,
                {hidden, weight, rows, labels}, {loss, s.lse})) {
      loss = forward_composed(s);
    }
  }
  record("linear_cross_entropy", {hidden, weight}, {&loss},
         [&device, s](const auto& grads, const auto& wanted) -> std::vector<Tensor> {
           const double dloss = grads[0].template item<double>();
           Tensor dh = wanted[0] ? at::empty(s.hidden.sizes(), s.hidden.options()) : Tensor();
           Tensor dw = wanted[1] ? at::zeros(s.weight.sizes(), s.lse.options()) : Tensor();
           if (run_on(device, MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD, s.hidden, s.weight,
                      {s.hidden, s.weight, s.rows, s.labels, s.lse}, {dh, dw}, {dloss})) {
             return {dh, dw};
           }
           return backward_composed(s, dloss, wanted);
         });
  return loss;
}

}  // namespace mortise::engine
