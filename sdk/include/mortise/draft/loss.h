/* mortise/draft/loss.h: a training objective with its gradient. DRAFT: may change until 1.0.
 *
 * Idea. For shapes and types the loss makes a plan that says how much memory it needs; the host
 * allocates everything; forward and backward run on an explicit stream and never wait for it. The
 * operations of the device are handed to prepare, so a loss can be written once for all devices.
 *
 * Two shapes of loss. mortise.loss/1 sees the outputs of the model (logits, or whatever `inputs`
 * says). mortise.loss.fused_linear/1 sees the last hidden states and the weight of the head
 * instead, so that the logits of all positions never exist. A plugin may give both; the host
 * prefers the second.
 *
 * The value is a sum over the labelled positions; the host divides by the count of the whole
 * accumulated batch (num_items_in_batch), since a mean of means is wrong.
 */
#ifndef MORTISE_DRAFT_LOSS_H
#define MORTISE_DRAFT_LOSS_H

#include <mortise/draft/device_ops.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_KIND_LOSS "mortise.loss/1"
#define MORTISE_KIND_LOSS_FUSED_LINEAR "mortise.loss.fused_linear/1"

/* Shapes that a plan must serve; sizes may be smaller at a call, never larger. */
typedef struct mortise_loss_shapes {
  uint32_t struct_size;
  uint32_t flags;        /* zero */
  uint64_t rows_max;     /* N: packed positions */
  uint64_t labelled_max; /* L: labelled positions */
  uint64_t channels;     /* C: hidden size; 0 in mortise.loss/1 */
  uint64_t classes;      /* V */
  DLDataType dtype;      /* of logits or hidden and weight */
  DLDevice device;
  uint64_t reserved[4]; /* zero */
} mortise_loss_shapes;

/* What a plan needs. Filled by the plugin. */
typedef struct mortise_loss_needs {
  uint32_t struct_size;
  uint32_t flags;           /* bit 0: the same inputs give the same bits */
  uint64_t workspace_bytes; /* during one call */
  uint64_t saved_bytes;     /* from forward to backward */
  uint64_t reserved[4];     /* zero */
} mortise_loss_needs;

/* One call. Memory is the host's, on the device of the plan. An absent tensor is NULL. */
typedef struct mortise_loss_call {
  uint32_t struct_size;
  uint32_t flags;              /* zero */
  const DLTensor* input;       /* logits A[N,V], or hidden A[N,C] */
  const DLTensor* weight;      /* NULL, or head W[V,C] */
  const DLTensor* rows;        /* i[L]: which rows carry a label */
  const DLTensor* labels;      /* i[L]: 0 .. V-1 */
  const DLTensor* loss;        /* f[1], written by forward: the sum */
  const DLTensor* grad_input;  /* as input, written by backward; rows without a label become 0 */
  const DLTensor* grad_weight; /* f[V,C] or NULL; backward adds to it */
  void* workspace;             /* workspace_bytes, 64-byte aligned */
  void* saved;      /* saved_bytes, 64-byte aligned; written by forward, read by backward */
  double grad_loss; /* dL/dloss, for backward */
  mortise_stream* stream;
} mortise_loss_call;

typedef struct mortise_loss_instance mortise_loss_instance;
typedef struct mortise_loss_plan mortise_loss_plan;

/* The table of MORTISE_KIND_LOSS and of MORTISE_KIND_LOSS_FUSED_LINEAR. */
typedef struct mortise_loss {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* config: JSON object, checked against the plugin's schema. [any] */
  mortise_status (*create)(mortise_text config, mortise_loss_instance** out_instance,
                           mortise_error* error);
  /* NULL is allowed. [serial] */
  void (*destroy)(mortise_loss_instance* instance);

  /* Makes a plan. ops: the device's own table, or NULL; valid while the plan lives. Errors:
   * UNIMPLEMENTED naming the dtype or device it cannot serve. [serial] */
  mortise_status (*prepare)(mortise_loss_instance* instance, const mortise_loss_shapes* shapes,
                            const mortise_device_ops* ops, mortise_loss_plan** out_plan,
                            mortise_loss_needs* out_needs, mortise_error* error);
  /* NULL is allowed. [serial] */
  void (*plan_destroy)(mortise_loss_plan* plan);

  /* Writes loss and saved. Errors: INVALID_ARGUMENT naming the tensor and both shapes, or the
   * position of a label that is out of range. [serial] */
  mortise_status (*forward)(mortise_loss_plan* plan, const mortise_loss_call* call,
                            mortise_error* error);
  /* Writes grad_input, adds to grad_weight, from the call's saved. [serial] */
  mortise_status (*backward)(mortise_loss_plan* plan, const mortise_loss_call* call,
                             mortise_error* error);
} mortise_loss;

#ifdef __cplusplus
}
#endif
#endif
