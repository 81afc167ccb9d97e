// A loss instance and its plans: thin ownership over the raw table, which the engine calls itself.
#pragma once

#include <mortise/draft/loss.h>

#include <memory>

#include "base/json.h"
#include "base/result.h"
#include "plugin/plugin.h"

namespace mortise::plugin {

class LossPlan;

class Loss {  // [serial]
 public:
  // Prefers mortise.loss.fused_linear/1 when `want_fused` and the plugin has it.
  static base::Result<Loss> create(std::shared_ptr<Plugin> plugin, const base::Json& config,
                                   bool want_fused = true);
  bool is_fused() const;  // the table takes hidden states and the head's weight
  const mortise_loss* table() const;
  mortise_loss_instance* instance() const;
  // ops: the device's table or nullptr; it must outlive the plan.
  base::Result<LossPlan> prepare(const mortise_loss_shapes& shapes,
                                 const mortise_device_ops* ops) const;

  struct State;

 private:
  explicit Loss(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;  // shared: plans must end before the instance does
};

class LossPlan {  // [serial]
 public:
  const mortise_loss_needs& needs() const { return needs_; }
  base::Status forward(const mortise_loss_call& call) const;
  base::Status backward(const mortise_loss_call& call) const;

  LossPlan(LossPlan&&) noexcept;
  LossPlan& operator=(LossPlan&&) noexcept;
  ~LossPlan();

 private:
  friend class Loss;
  LossPlan() = default;
  void end();

  std::shared_ptr<Loss::State> owner_;
  mortise_loss_plan* plan_ = nullptr;
  mortise_loss_needs needs_{};
};

}  // namespace mortise::plugin
