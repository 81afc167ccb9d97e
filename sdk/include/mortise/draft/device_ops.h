/* mortise/draft/device_ops.h: the operations of a device. DRAFT: may change until 1.0.
 *
 * Idea. An operation has a name and a fixed meaning (device_op_list.h). The host asks once how the
 * device does it (query), prepares it once, and launches it any number of times on views of memory
 * of that device. Shapes may differ at every launch: packed rows never have the same length twice.
 * Outputs are always allocated by the host. A vendor gives the operations he has; for the others
 * the host composes the result from simpler calls, or falls back to the CPU with copies.
 *
 * launch on a device with queues returns when the work is queued on `stream`; errors of queued work
 * come from the stream's synchronize. Views may be freed by the host as soon as the stream has
 * passed the launch.
 */
#ifndef MORTISE_DRAFT_DEVICE_OPS_H
#define MORTISE_DRAFT_DEVICE_OPS_H

#include <mortise/dlpack.h>
#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_OPS "mortise.device_ops/1"

/* Answers of query. */
#define MORTISE_OP_UNSUPPORTED UINT32_C(0)
#define MORTISE_OP_NATIVE UINT32_C(1)   /* one kernel, or one product with its epilogue */
#define MORTISE_OP_COMPOSED UINT32_C(2) /* done here, from simpler kernels */

typedef struct mortise_stream mortise_stream; /* device_stream.h; NULL is the default stream */
typedef struct mortise_op mortise_op;         /* a prepared operation; ends with op_destroy */

/* What the host wants to run; a dtype is enough to decide. */
typedef struct mortise_op_query {
  uint32_t struct_size;
  uint32_t flags;        /* zero */
  mortise_text op;       /* "linear" */
  DLDataType activation; /* type "A" of device_op_list.h */
  DLDataType weight;     /* type "W"; as activation where the operation has none */
  int32_t device_id;
  uint32_t reserved[5]; /* zero */
} mortise_op_query;

/* One launch. An absent optional tensor is a NULL pointer in the list. */
typedef struct mortise_op_call {
  uint32_t struct_size;
  uint32_t flags; /* zero */
  const DLTensor* const* inputs;
  const DLTensor* const* outputs; /* written; may also be read where the list says "in place" */
  const double* scalars;
  uint32_t inputs_count, outputs_count, scalars_count;
  uint32_t reserved;      /* zero */
  mortise_stream* stream; /* NULL: the default stream */
} mortise_op_call;

/* The table of MORTISE_DEVICE_OPS. */
typedef struct mortise_device_ops {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* How the device does this operation with these types: MORTISE_OP_*. An unknown name is
   * UNSUPPORTED, not an error. [any] */
  mortise_status (*query)(const mortise_op_query* query, uint32_t* out_answer,
                          mortise_error* error);

  /* Makes the operation ready. Errors: UNIMPLEMENTED for what query calls unsupported. [any] */
  mortise_status (*prepare)(const mortise_op_query* query, mortise_op** out_op,
                            mortise_error* error);

  /* Runs it. Every shape, dtype and count is checked first. Errors: INVALID_ARGUMENT naming the
   * tensor and both shapes; RESOURCE_EXHAUSTED. One prepared operation may be launched from several
   * threads, on different streams. [parallel] */
  mortise_status (*launch)(mortise_op* op, const mortise_op_call* call, mortise_error* error);

  /* Ends it; queued work is not disturbed. NULL is allowed. [any] */
  void (*op_destroy)(mortise_op* op);
} mortise_device_ops;

#ifdef __cplusplus
}
#endif
#endif
