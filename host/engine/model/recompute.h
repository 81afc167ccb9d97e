// Activation checkpointing: a layer keeps its inputs alone and runs once more in the backward pass.
// Called by the decoder and the vision towers for each of their layers. Knows nothing of what a
// layer computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <initializer_list>
#include <vector>

#include "engine/model/decoder.h"
#include "engine/model/linear.h"

namespace mortise::engine {

// The tensors of a layer that train now: weights, biases and the factors on them.
std::vector<at::Tensor> trained_tensors(std::initializer_list<const Linear*> linears,
                                        std::initializer_list<const Norm*> norms);

// layer(pass, inputs), under Pass::recompute as op/node.h's recomputed(). The dropout masks of both
// runs are the same, so the gradients have the same bits as without. What the layer holds must live
// until the backward pass is over; the model does.
using Layer = std::function<std::vector<at::Tensor>(Pass&, const std::vector<at::Tensor>& inputs)>;
std::vector<at::Tensor> run_layer(Pass& pass, const std::vector<at::Tensor>& inputs,
                                  const std::vector<at::Tensor>& trained, Layer layer);

}  // namespace mortise::engine
