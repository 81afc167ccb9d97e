// The coarse differentiable operations of the engine (the meaning of each is in
// mortise/draft/device_op_list.h). Each asks the device for its own kernel and falls back to a
// plain composition in libtorch, which tests use as the oracle; each is one node of the autograd
// graph. Called by engine/model. Knows nothing of layers, adapters, or where the rows come from.
//
// Letters: N rows (packed tokens), M keys, K inputs, O outputs, C channels, H query heads, G key
// and value heads, D head size, F inner size, R rank, V vocabulary, L labelled rows, S sequences.
// Types: activations bf16 or fp32, weights alike; factors of LoRA fp32. Inputs are not modified and
// must not be until backward has run. All throw OpFailure (op/failure.h). [parallel] as the device
// is.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <mortise/draft/loss.h>

#include "engine/op/device.h"

namespace mortise::engine {

// x [N, K], weight [O, K], bias [O] or undefined -> [N, O]. A weight that needs no gradient costs
// nothing in the backward pass.
at::Tensor linear(Device& device, const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias);

// The same plus scale * (x a^T) b^T; a [R, K], b [O, R] in fp32; the sum is rounded once.
at::Tensor linear_lora(Device& device, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& bias, const at::Tensor& a, const at::Tensor& b,
                       double scale);

// x [N, C], weight [C] -> [N, C].
at::Tensor rms_norm(Device& device, const at::Tensor& x, const at::Tensor& weight, double eps);
// x, residual [N, C] -> {norm of the sum, the sum}.
std::pair<at::Tensor, at::Tensor> rms_norm_residual(Device& device, const at::Tensor& x,
                                                    const at::Tensor& residual,
                                                    const at::Tensor& weight, double eps);
at::Tensor layer_norm(Device& device, const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias, double eps);

// x [N, H, D], cos and sin [N, D] in x's type -> [N, H, D].
at::Tensor rope(Device& device, const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

// int32 [N] with these values, for ids, rows and labels.
at::Tensor int_tensor(const std::vector<int32_t>& values);

// Where each packed sequence begins and ends: S+1 rising numbers from 0.
struct Bounds {
  std::vector<int32_t> host;
  at::Tensor tensor;  // the same, int32 [S+1], where the device reads it

  static Bounds of(std::vector<int32_t> bounds);
  int64_t sequences() const { return static_cast<int64_t>(host.size()) - 1; }
};

struct AttentionShape {
  double scale = 1;    // usually 1/sqrt(D)
  bool causal = true;  // the last query of a sequence sees all its keys
  int32_t window = 0;  // > 0: only the last `window` of those
};

// q [N, H, D], k and v [M, G, D] -> [N, H, D]; each sequence sees only itself.
at::Tensor attention(Device& device, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const Bounds& q_bounds, const Bounds& k_bounds, const AttentionShape& shape);

// gate, up [N, F] -> silu(gate) * up.
at::Tensor swiglu(Device& device, const at::Tensor& gate, const at::Tensor& up);

enum class Gelu : int32_t { kErf = 0, kTanh = 1, kQuick = 2 };
at::Tensor gelu(Device& device, const at::Tensor& x, Gelu kind);

// ids int32 [N], table [V, C] -> [N, C]. Throws INVALID_ARGUMENT naming the first id outside
// 0 .. V-1.
at::Tensor embedding(Device& device, const at::Tensor& ids, const at::Tensor& table);

// hidden [N, C], weight [V, C], rows and labels int32 [L] -> fp32 [1]: the sum over the labelled
// rows of -log p(label). The logits of all rows never exist at once.
at::Tensor linear_cross_entropy(Device& device, const at::Tensor& hidden, const at::Tensor& weight,
                                const at::Tensor& rows, const at::Tensor& labels);

// hidden [N, C], weight [V, C], rows and labels int32 [L] (a row at most once), answers [L] in
// 0 .. count-1 -> fp64 [count]: the sum over the labels of each answer of log p(label).
at::Tensor answer_log_probs(Device& device, const at::Tensor& hidden, const at::Tensor& weight,
                            const at::Tensor& rows, const at::Tensor& labels,
                            const std::vector<int32_t>& answers, int64_t count);

// The loss of a pack. Plans are made for the largest batch seen and kept. [serial]
class Loss {
 public:
  enum class Kind { kLogits, kFusedLinear };  // which of the two tables of mortise/draft/loss.h
  // table and instance belong to the caller and outlive this. Neither may be nullptr.
  Loss(const mortise_loss* table, mortise_loss_instance* instance, Kind kind);
  ~Loss();
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;

  // As linear_cross_entropy, computed by the pack. Throws OpFailure with the pack's own message.
  at::Tensor apply(Device& device, const at::Tensor& hidden, const at::Tensor& weight,
                   const at::Tensor& rows, const at::Tensor& labels);

 private:
  struct Plan;
  std::shared_ptr<Plan> plan_for(Device& device, const at::Tensor& input, int64_t labelled,
                                 int64_t classes);
  at::Tensor on_input(Device& device, const at::Tensor& input, const at::Tensor& weight,
                      const at::Tensor& rows, const at::Tensor& labels, int64_t classes);

  const mortise_loss* table_;
  mortise_loss_instance* instance_;
  Kind kind_;
  std::vector<std::shared_ptr<Plan>> plans_;
};

}  // namespace mortise::engine
