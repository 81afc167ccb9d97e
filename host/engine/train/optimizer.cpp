// AdamW (Loshchilov and Hutter 2019) in torch's order of operations.
#include "engine/train/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "engine/op/failure.h"
#include "engine/op/node.h"

namespace mortise::engine {
namespace {

using at::Tensor;
using base::Code;
using base::Error;

constexpr int64_t kAlign = 16;  // floats

void adamw_composed(Tensor& p, const Tensor& grad, Tensor& m, Tensor& v,
                    const std::array<double, 7>& s) {
  const auto [lr, beta1, beta2, eps, decay, step, scale] = s;
  const Tensor g = grad * scale;
  p.mul_(1 - lr * decay);
  m.mul_(beta1).add_(g, 1 - beta1);
  v.mul_(beta2).addcmul_(g, g, 1 - beta2);
  const double correction1 = 1 - std::pow(beta1, step);
  const double correction2 = std::sqrt(1 - std::pow(beta2, step));
  p.addcdiv_(m, v.sqrt().div_(correction2).add_(eps), -lr / correction1);
}

}  // namespace

bool is_decayed(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::string_view kParts[] = {"bias", "layernorm", "rmsnorm", "layer_norm", "layrnorm"};
  for (const std::string_view part : kParts) {
    if (lower.find(part) != std::string::npos) return false;
  }
  // A part of the path that is "norm" or ends in "_norm".
  size_t begin = 0;
  while (begin <= lower.size()) {
    const size_t end = std::min(lower.find('.', begin), lower.size());
    const std::string_view part = std::string_view(lower).substr(begin, end - begin);
    if (part == "norm" || part.ends_with("_norm")) return false;
    begin = end + 1;
  }
  return true;
}

FlatAdamW::FlatAdamW(const std::vector<Parameter>& parameters,
                     const std::vector<ParameterRate>& rates, const AdamOptions& options)
    : options_(options) {
  const NoRecord quiet;
  for (size_t i = 0; i < parameters.size(); ++i) {
    segments_.push_back({.parameter = parameters[i], .rate = rates[i]});
    if (!is_decayed(parameters[i].name)) segments_.back().rate.weight_decay = 0;
  }
  std::stable_sort(segments_.begin(), segments_.end(), [](const Segment& a, const Segment& b) {
    return std::tie(b.rate.learning_rate, b.rate.weight_decay) <
           std::tie(a.rate.learning_rate, a.rate.weight_decay);
  });
  int64_t total = 0;
  for (Segment& segment : segments_) {
    segment.begin = total;
    segment.count = segment.parameter.tensor->numel();
    total += (segment.count + kAlign - 1) / kAlign * kAlign;
  }
  const auto fp32 = at::TensorOptions().dtype(at::kFloat);
  for (Tensor* flat : {&param_, &grad_, &m_, &v_}) *flat = at::zeros({total}, fp32);
  for (Segment& segment : segments_) {
    Tensor& slot = *segment.parameter.tensor;
    part(param_, segment).copy_(slot.detach());
    slot =
        slot.scalar_type() == at::kFloat ? part(param_, segment).detach() : slot.detach().clone();
    slot.set_requires_grad(true);
  }
}

Tensor FlatAdamW::part(const Tensor& flat, const Segment& segment) const {
  return flat.narrow(0, segment.begin, segment.count).view(segment.parameter.tensor->sizes());
}

void FlatAdamW::begin_step() {
  const NoRecord quiet;
  grad_.zero_();
  for (Segment& segment : segments_) {
    segment.reached = false;
    segment.parameter.tensor->mutable_grad() = Tensor();
  }
}

void FlatAdamW::collect() {
  const NoRecord quiet;
  for (Segment& segment : segments_) {
    Tensor& grad = segment.parameter.tensor->mutable_grad();
    if (!grad.defined()) continue;
    part(grad_, segment).add_(grad);
    segment.reached = true;
    grad = Tensor();
  }
}

double FlatAdamW::grad_norm(Device& device) const {
  const NoRecord quiet;
  Tensor sum = at::empty({1}, grad_.options());
  if (!run_on(device, MORTISE_OP_SUM_SQUARES, grad_, grad_, {grad_}, {sum})) {
    sum = grad_.to(at::kDouble).square().sum();
  }
  return std::sqrt(sum.item<double>());
}

void FlatAdamW::step(Device& device, double rate_factor, double grad_scale) {
  const NoRecord quiet;
  ++steps_;
  for (size_t i = 0; i < segments_.size();) {
    if (!segments_[i].reached) {
      ++i;
      continue;
    }
    const ParameterRate rate = segments_[i].rate;
    const int64_t begin = segments_[i].begin;
    const auto goes_on = [&](const Segment& next) {
      return next.reached && next.rate.learning_rate == rate.learning_rate &&
             next.rate.weight_decay == rate.weight_decay;
    };
    while (i < segments_.size() && goes_on(segments_[i])) ++i;
    const int64_t end = i < segments_.size() ? segments_[i].begin : param_.size(0);
    const auto cut = [&](const Tensor& flat) { return flat.narrow(0, begin, end - begin); };
    Tensor p = cut(param_), g = cut(grad_), m = cut(m_), v = cut(v_);
    const std::array<double, 7> s = {rate.learning_rate * rate_factor,
                                     options_.beta1,
                                     options_.beta2,
                                     options_.epsilon,
                                     rate.weight_decay,
                                     static_cast<double>(steps_),
                                     grad_scale};
    if (!run_on(device, MORTISE_OP_ADAMW, p, p, {g}, {p, m, v},
                {s[0], s[1], s[2], s[3], s[4], s[5], s[6]})) {
      adamw_composed(p, g, m, v, s);
    }
  }
  publish();
}

void FlatAdamW::publish() {
  for (Segment& segment : segments_) {
    Tensor& slot = *segment.parameter.tensor;
    if (slot.scalar_type() != at::kFloat) slot.copy_(part(param_, segment));
  }
}

int64_t FlatAdamW::parameter_count() const {
  int64_t count = 0;
  for (const Segment& segment : segments_) count += segment.count;
  return count;
}

NamedTensors FlatAdamW::state() const {
  NamedTensors out;
  for (const Segment& segment : segments_) {
    const std::string& name = segment.parameter.name;
    out.emplace_back("param." + name, part(param_, segment));
    out.emplace_back("m." + name, part(m_, segment));
    out.emplace_back("v." + name, part(v_, segment));
  }
  return out;
}

NamedTensors FlatAdamW::parameters() const {
  NamedTensors out;
  for (const Segment& segment : segments_) {
    out.emplace_back("param." + segment.parameter.name, part(param_, segment));
  }
  return out;
}

base::Status FlatAdamW::take(const Checkpoint& checkpoint, const NamedTensors& places) {
  const NoRecord quiet;
  for (const auto& [name, place] : places) {
    MORTISE_ASSIGN(const Tensor stored, checkpoint.tensor(name));
    if (stored.sizes() != place.sizes()) {
      return Error(Code::kInvalidArgument,
                   "The checkpoint's tensor \"" + name + "\" has another shape than the model's.",
                   "Resume with the manifest that the run began with.");
    }
    place.copy_(stored);
  }
  publish();
  return {};
}

base::Status FlatAdamW::restore(const Checkpoint& checkpoint, int64_t steps_done) {
  steps_ = steps_done;
  return take(checkpoint, state());
}

base::Status FlatAdamW::restore_parameters(const Checkpoint& checkpoint) {
  return take(checkpoint, parameters());
}

}  // namespace mortise::engine
