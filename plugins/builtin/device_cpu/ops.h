// The operations of device_cpu, one function each; meanings in mortise/draft/device_op_list.h.
// Each checks every argument, then computes on the worker's threads and returns when all is done.
// Called through the table in ops.cpp. [parallel]
#pragma once

#include "device_cpu/args.h"

namespace mortise::device_cpu {

void linear(const Args& args);
void linear_grad_input(const Args& args);
void linear_grad_weight(const Args& args);
void linear_lora(const Args& args);
void linear_lora_grad(const Args& args);
void rms_norm(const Args& args);
void rms_norm_grad(const Args& args);
void layer_norm(const Args& args);
void layer_norm_grad(const Args& args);
void rope(const Args& args);
void attention(const Args& args);
void attention_grad(const Args& args);
void swiglu(const Args& args);
void swiglu_grad(const Args& args);
void gelu(const Args& args);
void gelu_grad(const Args& args);
void embedding(const Args& args);
void embedding_grad(const Args& args);
void linear_cross_entropy(const Args& args);
void linear_cross_entropy_grad(const Args& args);
void adamw(const Args& args);
void sum_squares(const Args& args);
void cast(const Args& args);

// The table of MORTISE_DEVICE_OPS.
const mortise_device_ops* device_ops();

}  // namespace mortise::device_cpu
