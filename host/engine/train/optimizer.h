// AdamW over one flat fp32 buffer: parameters, gradients and both moments lie end to end, so that a
// step is one or two calls of the device. Called by train/train. Knows nothing of models or losses.
//
// Letter: P all parameters, with room between them to begin each at a multiple of 64 bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/model/model.h"
#include "engine/op/device.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};
// Of one parameter: the rate that the schedule's factor multiplies, and its decay.
struct ParameterRate {
  double learning_rate = 0, weight_decay = 0;
};

// Names that are never decayed: biases and the weights of norms, as transformers' Trainer has it.
bool is_decayed(std::string_view name);

// [serial]. All functions throw OpFailure as the device does.
class FlatAdamW {
 public:
  // Takes the parameters over: each slot becomes a view of the buffer (fp32), or keeps its own
  // type and is written from the buffer after each step (bf16 with an fp32 master). All of them
  // train from now on.
  FlatAdamW(const std::vector<Parameter>& parameters, const std::vector<ParameterRate>& rates,
            const AdamOptions& options);

  void begin_step();  // gradients are zero
  // Adds what the last backward pass left in the slots. A parameter that no pass of a step reached
  // is left alone by the step, moments and decay included.
  void collect();
  double grad_norm(Device& device) const;  // 2-norm over all of them
  // rate_factor multiplies each parameter's learning rate, grad_scale each gradient.
  void step(Device& device, double rate_factor, double grad_scale);

  int64_t steps_done() const { return steps_; }
  int64_t parameter_count() const;

  // Everything a run needs to go on: "param.NAME", "m.NAME", "v.NAME", views of the buffers.
  NamedTensors state() const;
  // Errors: INVALID_ARGUMENT naming a tensor that is missing or of another shape.
  base::Status restore(const Checkpoint& checkpoint, int64_t steps_done);
  // The parameters alone, "param.NAME", and their way back; errors as restore.
  NamedTensors parameters() const;
  base::Status restore_parameters(const Checkpoint& checkpoint);

 private:
  struct Segment {
    Parameter parameter;
    ParameterRate rate;  // weight_decay 0 where is_decayed says so
    int64_t begin = 0, count = 0;
    bool reached = false;
  };
  at::Tensor part(const at::Tensor& flat, const Segment& segment) const;  // in its own shape
  base::Status take(const Checkpoint& checkpoint, const NamedTensors& places);
  void publish();  // bf16 slots from the buffer

  std::vector<Segment> segments_;  // those of one rate and decay side by side
  AdamOptions options_;
  at::Tensor param_, grad_, m_, v_;  // [P]
  int64_t steps_ = 0;
};

}  // namespace mortise::engine
