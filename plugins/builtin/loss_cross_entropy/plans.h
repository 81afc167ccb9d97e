// The three ways to a cross entropy: on logits, on hidden states by the device's own operation, on
// hidden states by plain loops.
//
// Called by plugin.cpp. Letters: N rows, L labelled rows, C channels, V classes; r = rows[l], y =
// labels[l]. With z[l] the logits of row r and lse[l] = log sum_v exp z[l,v]:
//   loss = sum over l of lse[l] - z[l,y],   dloss/dz[l,v] = exp(z[l,v] - lse[l]) - (v == y).
#pragma once

#include <mortise/cpp/loss.hpp>

#include <memory>

namespace mortise::loss_cross_entropy {

// Logits A[N,V] in host memory, float32, bfloat16 or float64. Throws UNIMPLEMENTED for others.
std::unique_ptr<sdk::LossPlan> make_logits_plan(const mortise_loss_shapes& shapes);

// Hidden A[N,C] and weight A[V,C] through linear_cross_entropy of `ops`; nullptr when the device
// has no such operation for this type.
std::unique_ptr<sdk::LossPlan> make_device_plan(const mortise_loss_shapes& shapes,
                                                const mortise_device_ops* ops);

// The same in host memory, one row of logits at a time. Throws UNIMPLEMENTED for another device.
std::unique_ptr<sdk::LossPlan> make_fused_plan(const mortise_loss_shapes& shapes);

// Shared by the plans: the checks of a call in host memory, with labels. Throws INVALID_ARGUMENT.
sdk::LossSizes check_host_call(const mortise_loss_call& call, const mortise_loss_shapes& shapes);
// Throws UNIMPLEMENTED unless the plan is for host memory and a type of number.h.
void check_host_shapes(const mortise_loss_shapes& shapes);
// Whether no row carries two labels, so that rows may be written by several threads.
bool rows_rise(const int32_t* rows, int64_t count);
// Writes the sum, in the order of l, to call.loss, float32 or the type of the plan.
void write_loss(const mortise_loss_call& call, const mortise_loss_shapes& shapes,
                const double* row_losses, int64_t count);

}  // namespace mortise::loss_cross_entropy
