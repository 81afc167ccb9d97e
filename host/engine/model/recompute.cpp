#include "engine/model/recompute.h"

#include <memory>

#include "engine/op/node.h"

namespace mortise::engine {

using at::Tensor;

std::vector<Tensor> trained_tensors(std::initializer_list<const Linear*> linears,
                                    std::initializer_list<const Norm*> norms) {
  std::vector<Tensor> out;
  const auto add = [&](const Tensor& tensor) {
    if (tensor.defined() && tensor.requires_grad()) out.push_back(tensor);
  };
  for (const Linear* linear : linears) {
    add(linear->weight);
    add(linear->bias);
    if (linear->lora == nullptr) continue;
    add(linear->lora->a);
    add(linear->lora->b);
    add(linear->lora->magnitude);
  }
  for (const Norm* norm : norms) {
    add(norm->weight);
    add(norm->bias);
  }
  return out;
}

std::vector<Tensor> run_layer(Pass& pass, const std::vector<Tensor>& inputs,
                              const std::vector<Tensor>& trained, Layer layer) {
  if (!pass.recompute) return layer(pass, inputs);
  const auto calls = std::make_shared<uint64_t>(0);
  const auto again = [before = pass, calls, layer = std::move(layer)](const auto& x) {
    Pass replay = before;
    std::vector<Tensor> y = layer(replay, x);
    *calls = replay.dropout_calls;
    return y;
  };
  std::vector<Tensor> outputs = recomputed(inputs, trained, again);
  pass.dropout_calls = *calls;
  return outputs;
}

}  // namespace mortise::engine
