// mortise/cpp/device_op_names.hpp: every operation of draft/device_op_list.h, in its order.
//
// For tables with one row an operation: MORTISE_EACH_OP(X) is X(name) X(name) ..., where a plugin
// calls its functions by the operations' names. Two such tables cannot differ in what they list.
#ifndef MORTISE_CPP_DEVICE_OP_NAMES_HPP
#define MORTISE_CPP_DEVICE_OP_NAMES_HPP

#include <mortise/draft/device_op_list.h>

// clang-format off
#define MORTISE_EACH_OP(X)                                           \
  X(linear) X(linear_grad_input) X(linear_grad_weight)               \
  X(linear_lora) X(linear_lora_grad)                                 \
  X(rms_norm) X(rms_norm_grad) X(layer_norm) X(layer_norm_grad)      \
  X(rope) X(attention) X(attention_grad)                             \
  X(swiglu) X(swiglu_grad) X(gelu) X(gelu_grad)                      \
  X(embedding) X(embedding_grad)                                     \
  X(linear_cross_entropy) X(linear_cross_entropy_grad)               \
  X(adamw) X(sum_squares) X(cast)
// clang-format on

#endif
