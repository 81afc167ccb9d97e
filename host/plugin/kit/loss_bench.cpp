// See loss_bench.h.
#include "plugin/kit/loss_bench.h"

#include <mortise/cpp/dlpack.hpp>

#include <cmath>
#include <cstring>

#include "plugin/kit/guard_page.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr size_t kEdge = 16;           // numbers on both sides that must stay
constexpr float kMark = -12345.6789f;  // what they hold

// Numbers between two edges.
class Edged {
 public:
  explicit Edged(const std::vector<float>& values) : all_(values.size() + 2 * kEdge, kMark) {
    if (!values.empty()) std::memcpy(data(), values.data(), values.size() * sizeof(float));
  }
  float* data() { return all_.data() + kEdge; }
  std::vector<float> values() const {
    return {all_.begin() + kEdge, all_.end() - static_cast<std::ptrdiff_t>(kEdge)};
  }
  Status check(const char* name) const {
    for (size_t i = 0; i < kEdge; ++i) {
      if (all_[i] == kMark && all_[all_.size() - 1 - i] == kMark) continue;
      return Error(Code::kOutOfRange,
                   std::string("The loss wrote beside the tensor ") + name + ".");
    }
    return {};
  }

 private:
  std::vector<float> all_;
};

// GuardedPage of exactly so many bytes against a page that may not be touched; the rest of the last
// 64 bytes is watched.
class GuardedPage {
 public:
  explicit GuardedPage(uint64_t size_bytes)
      : size_(size_bytes), slack_((64 - size_bytes % 64) % 64), page_(size_bytes + slack_, 64) {
    if (page_.data() != nullptr) std::memset(page_.data(), 0xA5, size_ + slack_);
  }
  void* data() const { return page_.data(); }
  Status check(const char* name) const {
    const auto* bytes = static_cast<const unsigned char*>(page_.data());
    for (uint64_t i = 0; i < slack_; ++i) {
      if (bytes[size_ + i] == 0xA5) continue;
      return Error(Code::kOutOfRange, std::string("The loss wrote behind its ") + name + " of " +
                                          std::to_string(size_) + " bytes.");
    }
    return {};
  }

 private:
  uint64_t size_, slack_;
  GuardPage page_;
};

mortise_loss_shapes shapes_of(const LossProblem& problem, uint64_t factor) {
  mortise_loss_shapes shapes{};
  shapes.struct_size = sizeof shapes;
  shapes.rows_max = static_cast<uint64_t>(problem.rows) * factor;
  shapes.labelled_max = std::max<uint64_t>(problem.labels.size(), 1) * factor;
  shapes.channels = static_cast<uint64_t>(problem.channels);
  shapes.classes = static_cast<uint64_t>(problem.classes);
  shapes.dtype = sdk::kFloat32;
  shapes.device = {kDLCPU, 0};
  return shapes;
}

float* writable(const std::vector<float>& values) {
  return const_cast<float*>(values.data());  // DLTensor has no const
}
int32_t* writable(const std::vector<int32_t>& values) {
  return const_cast<int32_t*>(values.data());
}

Result<LossAnswer> run(const Loss& loss, const LossProblem& p, uint64_t factor, bool backward) {
  MORTISE_ASSIGN(const LossPlan plan, loss.prepare(shapes_of(p, factor), nullptr));
  if (plan.needs().workspace_bytes > (1u << 30) || plan.needs().saved_bytes > (1u << 30)) {
    return Error(Code::kOutOfRange, "A plan for a few rows asks for more than 1 GiB.");
  }
  GuardedPage workspace(plan.needs().workspace_bytes), saved(plan.needs().saved_bytes);
  Edged value({0.0f}), grad_input(std::vector<float>(p.input.size(), NAN));
  Edged grad_weight(p.grad_weight_before);
  const auto labelled = static_cast<int64_t>(p.labels.size());
  const sdk::TensorView input(writable(p.input), sdk::kFloat32, {p.rows, p.width()});
  const sdk::TensorView weight(writable(p.weight), sdk::kFloat32, {p.classes, p.channels});
  const sdk::TensorView rows(writable(p.labelled), sdk::kInt32, {labelled});
  const sdk::TensorView labels(writable(p.labels), sdk::kInt32, {labelled});
  const sdk::TensorView out(value.data(), sdk::kFloat32, {1});
  const sdk::TensorView din(grad_input.data(), sdk::kFloat32, {p.rows, p.width()});
  const sdk::TensorView dweight(grad_weight.data(), sdk::kFloat32, {p.classes, p.channels});
  mortise_loss_call call{};
  call.struct_size = sizeof call;
  call.input = input.get();
  call.weight = p.channels > 0 ? weight.get() : nullptr;
  call.rows = rows.get();
  call.labels = labels.get();
  call.loss = out.get();
  call.grad_input = din.get();
  call.grad_weight = p.channels > 0 ? dweight.get() : nullptr;
  call.workspace = workspace.data();
  call.saved = saved.data();
  call.grad_loss = static_cast<double>(p.grad_loss);
  MORTISE_TRY(plan.forward(call));
  // What is not saved is not kept: another call may use the workspace meanwhile.
  if (plan.needs().workspace_bytes > 0) {
    std::memset(workspace.data(), 0x5A, plan.needs().workspace_bytes);
  }
  if (backward) MORTISE_TRY(plan.backward(call));
  MORTISE_TRY(value.check("loss"));
  MORTISE_TRY(grad_input.check("grad_input"));
  MORTISE_TRY(grad_weight.check("grad_weight"));
  MORTISE_TRY(workspace.check("workspace"));
  MORTISE_TRY(saved.check("saved"));
  return LossAnswer{value.values()[0], grad_input.values(), grad_weight.values()};
}

}  // namespace

LossProblem sample_problem(bool is_fused, Dice dice) {
  LossProblem p;
  p.rows = 7;
  p.classes = 11;
  p.channels = is_fused ? 5 : 0;
  const auto numbers = [&](int64_t count) {
    std::vector<float> out(static_cast<size_t>(count));
    for (float& value : out) value = static_cast<float>(dice.uniform() * 2);
    return out;
  };
  p.input = numbers(p.rows * p.width());
  if (is_fused) {
    p.weight = numbers(p.classes * p.channels);
    p.grad_weight_before = numbers(p.classes * p.channels);
  }
  p.labelled = {0, 2, 3, 6};
  for (size_t i = 0; i < p.labelled.size(); ++i) {
    p.labels.push_back(static_cast<int32_t>(dice.below(static_cast<uint64_t>(p.classes))));
  }
  return p;
}

Result<std::vector<Loss>> open_losses(Case& at, const std::shared_ptr<Plugin>& plugin) {
  std::vector<Loss> losses;
  for (const bool is_fused : {false, true}) {
    const char* id = is_fused ? MORTISE_KIND_LOSS_FUSED_LINEAR : MORTISE_KIND_LOSS;
    if (!at.declares(id)) continue;
    MORTISE_ASSIGN(Loss loss, Loss::create(plugin, at.config(), is_fused));
    losses.push_back(std::move(loss));
  }
  return losses;
}

Result<LossAnswer> run_loss(const Loss& loss, const LossProblem& problem, uint64_t sizes_factor) {
  return run(loss, problem, sizes_factor, true);
}

Status run_without_labels_tensor(const Loss& loss, const LossProblem& p) {
  MORTISE_ASSIGN(const LossPlan plan, loss.prepare(shapes_of(p, 1), nullptr));
  const GuardedPage workspace(plan.needs().workspace_bytes), saved(plan.needs().saved_bytes);
  std::vector<float> numbers(static_cast<size_t>((p.rows + 1) * p.width()), 1.0f);
  const sdk::TensorView input(numbers.data(), sdk::kFloat32, {p.rows + 1, p.width()});
  mortise_loss_call call{};
  call.struct_size = sizeof call;
  call.input = input.get();
  call.workspace = workspace.data();
  call.saved = saved.data();
  return plan.forward(call);
}

Result<float> run_forward(const Loss& loss, const LossProblem& problem) {
  MORTISE_ASSIGN(const LossAnswer answer, run(loss, problem, 1, false));
  return answer.loss;
}

}  // namespace mortise::plugin::kit
