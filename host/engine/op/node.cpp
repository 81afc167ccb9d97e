#include "engine/op/node.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <array>
#include <utility>

#include "engine/op/failure.h"

namespace mortise::engine {
namespace {

using torch::autograd::variable_list;

// One coarse operation in libtorch's graph. The captures of `backward_` are freed as soon as it has
// run, as saved variables are.
class CoarseNode final : public torch::autograd::Node {
 public:
  CoarseNode(const char* name, Backward backward) : name_(name), backward_(std::move(backward)) {}

  variable_list apply(variable_list&& grads) override {
    if (!backward_) {
      fail(base::Code::kFailedPrecondition,
           std::string("The gradient of ") + name_ + " was already computed and its inputs freed.",
           "Run the forward pass again.");
    }
    std::vector<bool> wanted(num_outputs());
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = task_should_compute_output(i);
    const NoRecord quiet;
    return backward_(grads, wanted);
  }
  void release_variables() override { backward_ = nullptr; }
  std::string name() const override { return name_; }

 private:
  const char* name_;
  Backward backward_;
};

}  // namespace

bool records(std::initializer_list<at::Tensor> inputs) {
  if (!at::GradMode::is_enabled()) return false;
  for (const at::Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) return true;
  }
  return false;
}

void record(const char* name, const std::vector<at::Tensor>& inputs,
            const std::vector<at::Tensor*>& outputs, Backward backward) {
  if (!at::GradMode::is_enabled()) return;
  bool wanted = false;
  for (const at::Tensor& input : inputs) wanted |= input.defined() && input.requires_grad();
  if (!wanted) return;
  const auto node = c10::make_intrusive<CoarseNode>(name, std::move(backward));
  torch::autograd::edge_list edges;
  for (const at::Tensor& input : inputs) {
    const bool trains = input.defined() && input.requires_grad();
    edges.push_back(trains ? torch::autograd::impl::gradient_edge(input) : torch::autograd::Edge());
  }
  node->set_next_edges(std::move(edges));
  for (at::Tensor* output : outputs) torch::autograd::set_history(*output, node);
}

namespace {

// The gradients of `sources` (those that are wanted) from those of the outputs that were used.
std::vector<at::Tensor> grads_of(const std::vector<at::Tensor>& outputs,
                                 const std::vector<at::Tensor>& grads,
                                 const std::vector<at::Tensor>& sources,
                                 const std::vector<bool>& wanted) {
  variable_list used, used_grads, asked;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!grads[i].defined() || !outputs[i].requires_grad()) continue;
    used.push_back(outputs[i]);
    used_grads.push_back(grads[i]);
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    if (wanted[i]) asked.push_back(sources[i]);
  }
  std::vector<at::Tensor> out(sources.size());
  if (used.empty() || asked.empty()) return out;
  const variable_list found = torch::autograd::grad(used, asked, used_grads, /*retain_graph=*/false,
                                                    /*create_graph=*/false, /*allow_unused=*/true);
  size_t next = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (wanted[i]) out[i] = found[next++];
  }
  return out;
}

}  // namespace

std::vector<at::Tensor> recomputed(const std::vector<at::Tensor>& inputs,
                                   const std::vector<at::Tensor>& parameters, Body body) {
  std::vector<at::Tensor> outputs, kept, sources = inputs;
  {
    const NoRecord quiet;
    outputs = body(inputs);
  }
  for (const at::Tensor& input : inputs) kept.push_back(input.detach());
  sources.insert(sources.end(), parameters.begin(), parameters.end());
  std::vector<at::Tensor*> slots;
  for (at::Tensor& output : outputs) slots.push_back(&output);
  record("recomputed", sources, slots,
         [kept, parameters, body = std::move(body)](const auto& grads, const auto& wanted) {
           std::vector<at::Tensor> again;
           for (size_t i = 0; i < kept.size(); ++i) {
             again.push_back(kept[i].detach().set_requires_grad(wanted[i]));
           }
           std::vector<at::Tensor> all = again;
           all.insert(all.end(), parameters.begin(), parameters.end());
           const at::AutoGradMode recording(true);
           return grads_of(body(again), grads, all, wanted);
         });
  return outputs;
}

void set_compute_threads(int32_t count) {
  at::set_num_threads(count);
}

NoRecord::NoRecord() : before_(at::GradMode::is_enabled()) {
  at::GradMode::set_enabled(false);
}
NoRecord::~NoRecord() {
  at::GradMode::set_enabled(before_);
}

DLDataType dl_type_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return {kDLFloat, 32, 1};
    case at::kDouble:
      return {kDLFloat, 64, 1};
    case at::kHalf:
      return {kDLFloat, 16, 1};
    case at::kBFloat16:
      return {kDLBfloat, 16, 1};
    case at::kInt:
      return {kDLInt, 32, 1};
    case at::kLong:
      return {kDLInt, 64, 1};
    case at::kByte:
      return {kDLUInt, 8, 1};
    case at::kChar:
      return {kDLInt, 8, 1};
    case at::kBool:
      return {kDLBool, 8, 1};
    default:
      fail(base::Code::kInvalidArgument, std::string("A tensor of type ") +
                                             at::toString(tensor.scalar_type()) +
                                             " cannot be given to a device.");
  }
}

DLTensor view_of(const at::Tensor& tensor, DLDevice where) {
  DLTensor view{};
  view.data = const_cast<void*>(tensor.const_data_ptr());
  view.device = where;
  view.ndim = static_cast<int32_t>(tensor.dim());
  view.dtype = dl_type_of(tensor);
  // The structs of DLPack are not const-correct; nobody writes through these two.
  view.shape = const_cast<int64_t*>(tensor.sizes().data());
  view.strides = const_cast<int64_t*>(tensor.strides().data());
  return view;
}

bool run_on(Device& device, std::string_view name, const at::Tensor& activation,
            const at::Tensor& weight, std::initializer_list<at::Tensor> inputs,
            std::initializer_list<at::Tensor> outputs, std::initializer_list<double> scalars) {
  mortise_op* op = device.find(name, dl_type_of(activation), dl_type_of(weight));
  if (op == nullptr) return false;
  constexpr size_t kArgumentsMax = 10;
  std::array<at::Tensor, kArgumentsMax> compact;
  std::array<DLTensor, 2 * kArgumentsMax> views;
  std::array<const DLTensor*, 2 * kArgumentsMax> pointers{};
  size_t count = 0;
  for (const at::Tensor& input : inputs) {
    if (input.defined()) {
      compact[count] = input.contiguous();
      views[count] = view_of(compact[count], device.where());
      pointers[count] = &views[count];
    }
    ++count;
  }
  const size_t inputs_count = count;
  for (const at::Tensor& output : outputs) {
    if (output.defined()) {
      views[count] = view_of(output, device.where());
      pointers[count] = &views[count];
    }
    ++count;
  }
  device.launch(op, name, std::span(pointers.data(), inputs_count),
                std::span(pointers.data() + inputs_count, count - inputs_count),
                std::span(scalars.begin(), scalars.size()));
  return true;
}

}  // namespace mortise::engine
