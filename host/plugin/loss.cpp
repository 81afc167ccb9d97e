// See loss.h.
#include "plugin/loss.h"

#include "plugin/error_box.h"

namespace mortise::plugin {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

struct Loss::State {
  std::shared_ptr<Plugin> plugin;
  const mortise_loss* table = nullptr;
  mortise_loss_instance* instance = nullptr;
  bool is_fused = false;

  ~State() {
    if (instance != nullptr) table->destroy(instance);
  }
};

Result<Loss> Loss::create(std::shared_ptr<Plugin> plugin, const base::Json& config,
                          bool want_fused) {
  auto state = std::make_shared<State>();
  state->is_fused = want_fused && plugin->has_interface(MORTISE_KIND_LOSS_FUSED_LINEAR);
  const char* id = state->is_fused ? MORTISE_KIND_LOSS_FUSED_LINEAR : MORTISE_KIND_LOSS;
  MORTISE_ASSIGN(state->table, plugin->get_interface<mortise_loss>(id));
  state->plugin = std::move(plugin);
  const std::string text = config.is_null() ? "{}" : config.dump();
  ErrorBox error;
  MORTISE_TRY(error.check(state->table->create(text_of(text), &state->instance, error.get())));
  if (state->instance == nullptr) {
    return Error(Code::kInternal,
                 "The loss " + state->plugin->label() + " made no instance and said OK.",
                 "Report this to its vendor.");
  }
  return Loss(std::move(state));
}

bool Loss::is_fused() const {
  return state_->is_fused;
}
const mortise_loss* Loss::table() const {
  return state_->table;
}
mortise_loss_instance* Loss::instance() const {
  return state_->instance;
}

Result<LossPlan> Loss::prepare(const mortise_loss_shapes& shapes,
                               const mortise_device_ops* ops) const {
  LossPlan plan;
  plan.owner_ = state_;
  plan.needs_.struct_size = sizeof plan.needs_;
  ErrorBox error;
  MORTISE_TRY(error.check(state_->table->prepare(state_->instance, &shapes, ops, &plan.plan_,
                                                 &plan.needs_, error.get())));
  if (plan.plan_ == nullptr) {
    return Error(Code::kInternal,
                 "The loss " + state_->plugin->label() + " made no plan and said OK.",
                 "Report this to its vendor.");
  }
  return plan;
}

Status LossPlan::forward(const mortise_loss_call& call) const {
  ErrorBox error;
  return error.check(owner_->table->forward(plan_, &call, error.get()));
}

Status LossPlan::backward(const mortise_loss_call& call) const {
  ErrorBox error;
  return error.check(owner_->table->backward(plan_, &call, error.get()));
}

LossPlan::LossPlan(LossPlan&& other) noexcept
    : owner_(std::move(other.owner_)),
      plan_(std::exchange(other.plan_, nullptr)),
      needs_(other.needs_) {}

LossPlan& LossPlan::operator=(LossPlan&& other) noexcept {
  if (this == &other) return *this;
  end();
  owner_ = std::move(other.owner_);
  plan_ = std::exchange(other.plan_, nullptr);
  needs_ = other.needs_;
  return *this;
}

LossPlan::~LossPlan() {
  end();
}

void LossPlan::end() {
  if (plan_ != nullptr) owner_->table->plan_destroy(std::exchange(plan_, nullptr));
}

}  // namespace mortise::plugin
