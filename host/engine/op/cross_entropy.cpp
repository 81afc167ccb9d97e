// linear + cross entropy over the labelled rows, by the device, by the host, or by the loss of a
// pack. Letters: N rows, C channels, V vocabulary, L labelled rows.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
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

// -log p(label) of each labelled row = lse - z[label]; fills lse. -> fp32 [L]
Tensor row_losses_composed(CrossEntropySaved& s) {
  const int64_t labelled = s.rows.size(0);
  Tensor losses = at::empty({labelled}, s.lse.options());
  for (int64_t at = 0; at < labelled; at += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, labelled - at);
    const Tensor z = chunk_of(s, at, count).second;                     // [n, V]
    const Tensor labels = s.labels.narrow(0, at, count).to(at::kLong);  // [n]
    const Tensor lse = at::logsumexp(z, {-1});                          // [n]
    s.lse.narrow(0, at, count).copy_(lse);
    losses.narrow(0, at, count).copy_(lse - z.gather(1, labels.unsqueeze(1)).squeeze(1));
  }
  return losses;
}

// dz[l] = slopes[l] (softmax(z) - onehot(label)); dhidden[rows] = dz w; dweight += dz^T hidden.
std::vector<Tensor> backward_composed(const CrossEntropySaved& s, const Tensor& slopes,
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
    dz = dz.mul_(slopes.narrow(0, at, count).unsqueeze(1)).to(s.hidden.scalar_type());  // [n, V]
    if (wanted[0]) {
      const Tensor dh = at::mm(dz, s.weight.to(dz.scalar_type()));  // [n, C]
      dhidden.index_copy_(0, s.rows.narrow(0, at, count).to(at::kLong), dh);
    }
    if (wanted[1]) dweight += at::mm(dz.t(), h).to(at::kFloat);  // [V, C]
  }
  return {dhidden, dweight};
}

// z[label] of each labelled row, from hidden states and the rows of the head alone. -> fp32 [L]
Tensor label_logits(const CrossEntropySaved& s) {
  const int64_t labelled = s.rows.size(0);
  Tensor out = at::empty({labelled}, s.lse.options());
  for (int64_t at = 0; at < labelled; at += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, labelled - at);
    const Tensor h = at::index_select(s.hidden, 0, s.rows.narrow(0, at, count)).to(at::kFloat);
    const Tensor w = at::index_select(s.weight, 0, s.labels.narrow(0, at, count)).to(at::kFloat);
    out.narrow(0, at, count).copy_((h * w).sum({1}));
  }
  return out;
}

// The device's gradient at slope 1, whose rows are then scaled: a row carries one label. Only
// where the head needs no gradient, which mixes the rows.
bool scaled_grad_on(Device& device, const CrossEntropySaved& s, const Tensor& slopes, Tensor& dh) {
  if (!run_on(device, MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD, s.hidden, s.weight,
              {s.hidden, s.weight, s.rows, s.labels, s.lse}, {dh, Tensor()}, {1.0})) {
    return false;
  }
  const Tensor places = s.rows.to(at::kLong);
  const Tensor chosen = at::index_select(dh, 0, places).to(at::kFloat) * slopes.unsqueeze(1);
  dh.index_copy_(0, places, chosen.to(dh.scalar_type()));
  return true;
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
      loss = row_losses_composed(s).sum().unsqueeze(0);
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
           return backward_composed(s, at::full_like(s.lse, dloss), wanted);
         });
  return loss;
}

Tensor answer_log_probs(Device& device, const Tensor& hidden, const Tensor& weight,
                        const Tensor& rows, const Tensor& labels,
                        const std::vector<int32_t>& answers, int64_t count) {
  check_labels(rows, labels, weight.size(0));
  const auto fp32 = hidden.options().dtype(at::kFloat);
  CrossEntropySaved s{hidden.detach(), weight.detach(), rows, labels,
                      at::empty({rows.size(0)}, fp32)};
  const Tensor owner = int_tensor(answers).to(hidden.device());  // [L]
  Tensor sums;
  {
    const NoRecord quiet;
    Tensor losses, total = at::zeros({1}, fp32);
    if (run_on(device, MORTISE_OP_LINEAR_CROSS_ENTROPY, hidden, weight,
               {hidden, weight, rows, labels}, {total, s.lse})) {
      losses = s.lse - label_logits(s);
    } else {
      losses = row_losses_composed(s);
    }
    sums =
        at::zeros({count}, fp32.dtype(at::kDouble)).index_add_(0, owner, -losses.to(at::kDouble));
  }
  record("answer_log_probs", {hidden, weight}, {&sums},
         [&device, s, owner](const auto& grads, const auto& wanted) -> std::vector<Tensor> {
           // log p falls as the loss of a row rises.
           const Tensor slopes = -at::index_select(grads[0], 0, owner).to(at::kFloat);  // [L]
           Tensor dh = wanted[0] ? at::empty(s.hidden.sizes(), s.hidden.options()) : Tensor();
           if (!wanted[1] && scaled_grad_on(device, s, slopes, dh)) return {dh, Tensor()};
           return backward_composed(s, slopes, wanted);
         });
  return sums;
}

}  // namespace mortise::engine
