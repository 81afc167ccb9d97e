/* mortise/draft/device_op_list.h: the operations of mortise.device_ops/1 and what each means.
 * DRAFT.
 *
 * Letters. N rows (packed tokens), M keys, C channels, K inner size, O outputs, H query heads, G
 * key and value heads (H a multiple of G), D head size, F inner size of an MLP, R rank, V
 * vocabulary, L labelled rows, S sequences, P parameters.
 *
 * Types. A activations, float32 or bfloat16; W weights, float32 or bfloat16; f float32; i int32; l
 * int64. Inside, sums are float32 at least. Tensors are compact and row-major unless said; "?" may
 * be absent. Weights of linear are [O, K], y = x W^T + b, as in the checkpoints.
 *
 * name: inputs; scalars -> outputs                                                              */
#ifndef MORTISE_DRAFT_DEVICE_OP_LIST_H
#define MORTISE_DRAFT_DEVICE_OP_LIST_H

#include <mortise/draft/device_ops.h>

/* x A[N,K], w W[O,K], bias W[O]? -> y A[N,O] */
#define MORTISE_OP_LINEAR "linear"
/* dy A[N,O], w W[O,K] -> dx A[N,K] */
#define MORTISE_OP_LINEAR_GRAD_INPUT "linear_grad_input"
/* dy A[N,O], x A[N,K] -> dw W[O,K], dbias W[O]? */
#define MORTISE_OP_LINEAR_GRAD_WEIGHT "linear_grad_weight"

/* x A[N,K], w W[O,K], bias W[O]?, a f[R,K], b f[O,R]; scale -> y A[N,O], xa f[N,R]
 * xa = x a^T; y = x w^T + bias + scale * xa b^T (Hu et al. 2021, eq. 3); the sum is rounded once.
 */
#define MORTISE_OP_LINEAR_LORA "linear_lora"
/* dy A[N,O], x A[N,K], w W[O,K], a f[R,K], b f[O,R], xa f[N,R]; scale
 *   -> dx A[N,K]?, da f[R,K], db f[O,R] */
#define MORTISE_OP_LINEAR_LORA_GRAD "linear_lora_grad"

/* x A[N,C], weight A[C], residual A[N,C]?; eps -> y A[N,C], rstd f[N], sum A[N,C]?
 * s = x + residual, rounded to A and given as sum; n = s * rstd in f, rounded to A, times weight
 * (Zhang & Sennrich 2019, eq. 4; the order of roundings is transformers'). */
#define MORTISE_OP_RMS_NORM "rms_norm"
/* dy A[N,C], s A[N,C], weight A[C], rstd f[N] -> dx A[N,C], dweight f[C]? (dx is also dresidual) */
#define MORTISE_OP_RMS_NORM_GRAD "rms_norm_grad"
/* x A[N,C], weight A[C], bias A[C]; eps -> y A[N,C], mean f[N], rstd f[N] */
#define MORTISE_OP_LAYER_NORM "layer_norm"
/* dy A[N,C], x A[N,C], weight A[C], mean f[N], rstd f[N] -> dx A[N,C], dweight f[C]?, dbias f[C]?
 */
#define MORTISE_OP_LAYER_NORM_GRAD "layer_norm_grad"

/* x A[N,H,D], cos A[N,D], sin A[N,D]; sign -> y A[N,H,D]
 * y = x cos + sign * rotate_half(x) sin; pairs (d, d + D/2) (Su et al. 2021). sign +1 forward; the
 * gradient is the same operation with sign -1. */
#define MORTISE_OP_ROPE "rope"

/* q A[N,H,D], k A[M,G,D], v A[M,G,D], q_bounds i[S+1], k_bounds i[S+1]; scale, causal, window
 *   -> o A[N,H,D], lse f[H,N]
 * Row n of sequence s sees keys k_bounds[s] .. k_bounds[s+1]-1 of its own sequence only. causal 1:
 * of those, key j - k_bounds[s] <= n - q_bounds[s] + (keys of s) - (queries of s): the last query
 * sees all. window > 0: also only the last `window` of them. lse = log sum exp of scaled scores.
 * q, k, v may be strided in their first dimension. (Dao et al. 2022, without a mask.) */
#define MORTISE_OP_ATTENTION "attention"
/* do A[N,H,D], q, k, v, o, lse, q_bounds, k_bounds; scale, causal, window
 *   -> dq A[N,H,D], dk A[M,G,D], dv A[M,G,D] */
#define MORTISE_OP_ATTENTION_GRAD "attention_grad"

/* gate A[N,F], up A[N,F] -> y A[N,F] = silu(gate) * up (Shazeer 2020) */
#define MORTISE_OP_SWIGLU "swiglu"
/* dy A[N,F], gate A[N,F], up A[N,F] -> dgate A[N,F], dup A[N,F] */
#define MORTISE_OP_SWIGLU_GRAD "swiglu_grad"
/* x A[N,C]; kind -> y A[N,C]. kind 0 erf, 1 tanh, 2 quick (x * sigmoid(1.702 x)) */
#define MORTISE_OP_GELU "gelu"
/* dy A[N,C], x A[N,C]; kind -> dx A[N,C] */
#define MORTISE_OP_GELU_GRAD "gelu_grad"

/* ids i[N], table W[V,C] -> y W[N,C]. An id outside 0 .. V-1 is INVALID_ARGUMENT. */
#define MORTISE_OP_EMBEDDING "embedding"
/* dy W[N,C], ids i[N] -> dtable f[V,C], in place: added to */
#define MORTISE_OP_EMBEDDING_GRAD "embedding_grad"

/* hidden A[N,C], w W[V,C], rows i[L], labels i[L] -> loss f[1], lse f[L]
 * loss = sum over l of lse[l] - z[l, labels[l]], z = float(A(hidden[rows[l]] w^T)); the logits of
 * all positions never exist at once. L may be 0: loss 0. */
#define MORTISE_OP_LINEAR_CROSS_ENTROPY "linear_cross_entropy"
/* hidden A[N,C], w W[V,C], rows i[L], labels i[L], lse f[L]; dloss
 *   -> dhidden A[N,C] (rows that are not labelled become 0)?, dw f[V,C]? in place: added to */
#define MORTISE_OP_LINEAR_CROSS_ENTROPY_GRAD "linear_cross_entropy_grad"

/* grad f[P] -> param f[P], m f[P], v f[P], all in place;
 * scalars: lr, beta1, beta2, eps, weight_decay, step (from 1), grad_scale
 * g = grad * grad_scale; param *= 1 - lr*weight_decay; m, v updated;
 * param -= lr * (m/(1-beta1^step)) / (sqrt(v)/sqrt(1-beta2^step) + eps)
 * (Loshchilov & Hutter 2019, in torch's order). */
#define MORTISE_OP_ADAMW "adamw"
/* x A[P] -> sum f[1], of x*x, in a fixed order */
#define MORTISE_OP_SUM_SQUARES "sum_squares"
/* x any float [P] -> y any float [P], rounded to nearest even */
#define MORTISE_OP_CAST "cast"

#endif
