/* mortise/draft/device_collective.h: sums and gathers between the processes of a job. DRAFT.
 *
 * Work is queued on a stream as operations are. All ranks call the same functions in the same
 * order.
 */
#ifndef MORTISE_DRAFT_DEVICE_COLLECTIVE_H
#define MORTISE_DRAFT_DEVICE_COLLECTIVE_H

#include <mortise/draft/device_ops.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_COLLECTIVE "mortise.device_collective/1"

/* Reductions. */
#define MORTISE_REDUCE_SUM INT32_C(0)
#define MORTISE_REDUCE_MAX INT32_C(1)

typedef struct mortise_communicator mortise_communicator;

typedef struct mortise_device_collective {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Bytes that rank 0 makes and the host carries to the others, at most 4 KiB. [any] */
  mortise_status (*unique_id)(mortise_sink* out, mortise_error* error);
  /* Joins; returns when all ranks_count ranks have. [any] */
  mortise_status (*create)(mortise_bytes unique_id, int32_t rank, int32_t ranks_count,
                           int32_t device_id, mortise_communicator** out_communicator,
                           mortise_error* error);
  /* NULL is allowed. [serial] */
  void (*destroy)(mortise_communicator* communicator);
  /* In place. reduction: MORTISE_REDUCE_*. [serial] */
  mortise_status (*all_reduce)(mortise_communicator* communicator, const DLTensor* tensor,
                               int32_t reduction, mortise_stream* stream, mortise_error* error);
  /* out holds ranks_count times the elements of in, by rank. [serial] */
  mortise_status (*all_gather)(mortise_communicator* communicator, const DLTensor* in,
                               const DLTensor* out, mortise_stream* stream, mortise_error* error);
  /* in holds ranks_count times the elements of out. [serial] */
  mortise_status (*reduce_scatter)(mortise_communicator* communicator, const DLTensor* in,
                                   const DLTensor* out, int32_t reduction, mortise_stream* stream,
                                   mortise_error* error);
  /* From rank `root`, in place. [serial] */
  mortise_status (*broadcast)(mortise_communicator* communicator, const DLTensor* tensor,
                              int32_t root, mortise_stream* stream, mortise_error* error);
} mortise_device_collective;

#ifdef __cplusplus
}
#endif
#endif
