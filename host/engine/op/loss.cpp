// The loss of a pack as one autograd node: plans, workspaces, forward and backward.
// Letters: N rows, C channels, V classes, L labelled rows.
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "engine/op/call_error.h"
#include "engine/op/failure.h"
#include "engine/op/node.h"
#include "engine/op/op.h"

namespace mortise::engine {
namespace {

using at::Tensor;

// Bytes for the pack, 64-byte aligned as libtorch allocates them. At least one, so never nullptr.
Tensor bytes_for(uint64_t size, const Tensor& like) {
  return at::empty({static_cast<int64_t>(std::max<uint64_t>(size, 1))},
                   like.options().dtype(at::kByte));
}

}  // namespace

struct Loss::Plan {
  const mortise_loss* table = nullptr;
  mortise_loss_plan* plan = nullptr;
  mortise_loss_shapes shapes{};
  mortise_loss_needs needs{};
  ~Plan() {
    if (plan != nullptr) table->plan_destroy(plan);
  }
};

Loss::Loss(const mortise_loss* table, mortise_loss_instance* instance, Kind kind)
    : table_(table), instance_(instance), kind_(kind) {}
Loss::~Loss() = default;

std::shared_ptr<Loss::Plan> Loss::plan_for(Device& device, const Tensor& input, int64_t labelled,
                                           int64_t classes) {
  const auto rows = static_cast<uint64_t>(input.size(0));
  const auto labels = static_cast<uint64_t>(labelled);
  const DLDataType dtype = dl_type_of(input);
  for (const auto& plan : plans_) {
    const mortise_loss_shapes& has = plan->shapes;
    if (has.rows_max >= rows && has.labelled_max >= labels &&
        has.classes == static_cast<uint64_t>(classes) && has.dtype.code == dtype.code &&
        has.dtype.bits == dtype.bits) {
      return plan;
    }
  }
  auto plan = std::make_shared<Plan>();
  plan->table = table_;
  plan->shapes.struct_size = sizeof(plan->shapes);
  plan->shapes.rows_max = rows;
  plan->shapes.labelled_max = labels;
  plan->shapes.channels = kind_ == Kind::kFusedLinear ? static_cast<uint64_t>(input.size(1)) : 0;
  plan->shapes.classes = static_cast<uint64_t>(classes);
  plan->shapes.dtype = dtype;
  plan->shapes.device = device.where();
  plan->needs.struct_size = sizeof(plan->needs);
  CallError error;
  error.check(table_->prepare(instance_, &plan->shapes, device.ops(), &plan->plan, &plan->needs,
                              error.get()),
              "loss prepare");
  plans_.push_back(plan);
  return plan;
}

Tensor Loss::apply(Device& device, const Tensor& hidden, const Tensor& weight, const Tensor& rows,
                   const Tensor& labels) {
  if (kind_ == Kind::kFusedLinear) {
    return on_input(device, hidden, weight, rows, labels, weight.size(0));
  }
  // The pack sees logits: only those of the labelled rows are made.
  const Tensor chosen = at::index_select(hidden, 0, rows);         // [L, C]
  const Tensor logits = linear(device, chosen, weight, Tensor());  // [L, V]
  const Tensor all = at::arange(rows.size(0), rows.options());     // [L]
  return on_input(device, logits, Tensor(), all, labels, weight.size(0));
}

Tensor Loss::on_input(Device& device, const Tensor& input, const Tensor& weight, const Tensor& rows,
                      const Tensor& labels, int64_t classes) {
  const auto plan = plan_for(device, input, rows.size(0), classes);
  const Tensor x = input.detach().contiguous();
  const Tensor w = weight.defined() ? weight.detach().contiguous() : Tensor();
  Tensor loss, saved;
  // Fills the parts of a call that forward and backward share. The views live on the caller's
  // stack.
  struct Views {
    DLTensor x, w, rows, labels;
  };
  const auto call_of = [](Views& views, const Tensor& work, const Tensor& keep, bool has_weight) {
    mortise_loss_call call{};
    call.struct_size = sizeof(call);
    call.input = &views.x;
    call.weight = has_weight ? &views.w : nullptr;
    call.rows = &views.rows;
    call.labels = &views.labels;
    call.workspace = work.mutable_data_ptr();
    call.saved = keep.mutable_data_ptr();
    return call;
  };
  const auto views_of = [](const DLDevice where, const Tensor& x_in, const Tensor& w_in,
                           const Tensor& rows_in, const Tensor& labels_in) {
    return Views{view_of(x_in, where), w_in.defined() ? view_of(w_in, where) : DLTensor{},
                 view_of(rows_in, where), view_of(labels_in, where)};
  };
  {
    const NoRecord quiet;
    loss = at::zeros({1}, x.options().dtype(at::kFloat));
    saved = bytes_for(plan->needs.saved_bytes, x);
    const Tensor work = bytes_for(plan->needs.workspace_bytes, x);
    Views views = views_of(device.where(), x, w, rows, labels);
    mortise_loss_call call = call_of(views, work, saved, w.defined());
    const DLTensor loss_view = view_of(loss, device.where());
    call.loss = &loss_view;
    CallError error;
    error.check(table_->forward(plan->plan, &call, error.get()), "loss forward");
  }
  record("loss", {input, weight}, {&loss},
         [&device, plan, x, w, rows, labels, saved, views_of, call_of](
             const auto& grads, const auto& wanted) -> std::vector<Tensor> {
           const auto fp32 = x.options().dtype(at::kFloat);
           const Tensor dx = at::empty(x.sizes(), x.options());
           const Tensor dw = wanted[1] ? at::zeros(w.sizes(), fp32) : Tensor();
           const Tensor work = bytes_for(plan->needs.workspace_bytes, x);
           Views views = views_of(device.where(), x, w, rows, labels);
           mortise_loss_call call = call_of(views, work, saved, w.defined());
           const DLTensor dx_view = view_of(dx, device.where());
           const DLTensor dw_view = dw.defined() ? view_of(dw, device.where()) : DLTensor{};
           call.grad_input = &dx_view;
           call.grad_weight = dw.defined() ? &dw_view : nullptr;
           call.grad_loss = grads[0].template item<double>();
           CallError error;
           error.check(plan->table->backward(plan->plan, &call, error.get()), "loss backward");
           return {dx, dw};
         });
  return loss;
}

}  // namespace mortise::engine
