// Learning rate schedules under transformers' names. Called by train/train. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace mortise::engine {

struct ScheduleOptions {
  std::string type = "cosine";  // lr_scheduler_type
  double learning_rate = 1e-4;
  int64_t warmup_steps = 0;
  int64_t training_steps = 1;
  base::Json options;  // lr_scheduler_kwargs
};

class Schedule {  // [any]
 public:
  // Errors: INVALID_ARGUMENT naming a type or an option that is not known; UNIMPLEMENTED for
  // reduce_lr_on_plateau, which needs evaluations.
  static base::Result<Schedule> create(const ScheduleOptions& options);
  // The rate of optimiser step `step`, from 0; also defined past training_steps.
  double at(int64_t step) const { return learning_rate_ * factor(step); }
  // What it multiplies every parameter's own rate with.
  double factor(int64_t step) const { return factor_(static_cast<double>(step)); }

 private:
  using Factor = std::function<double(double step)>;
  Schedule(double learning_rate, Factor factor)
      : learning_rate_(learning_rate), factor_(std::move(factor)) {}
  double learning_rate_;
  Factor factor_;
};

}  // namespace mortise::engine
