/* mortise/draft/device_partition.h: parts of a device that can be given to different jobs. DRAFT.
 *
 * Nothing here changes the hardware's settings; what an administrator set up is listed and leased.
 */
#ifndef MORTISE_DRAFT_DEVICE_PARTITION_H
#define MORTISE_DRAFT_DEVICE_PARTITION_H

#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_PARTITION "mortise.device_partition/1"

/* What keeps two slices apart. */
#define MORTISE_ISOLATION_COOPERATIVE INT32_C(0) /* a limit that the job keeps itself */
#define MORTISE_ISOLATION_DRIVER INT32_C(1)
#define MORTISE_ISOLATION_HARDWARE INT32_C(2)

typedef struct mortise_slice_facts {
  uint32_t struct_size;
  uint32_t flags;  /* zero */
  mortise_text id; /* stable; what a manifest names in resources.slice */
  int32_t device_id;
  int32_t isolation; /* MORTISE_ISOLATION_* */
  uint64_t memory_bytes;
  double share;         /* 0 .. 1 of the compute units */
  uint64_t reserved[4]; /* zero */
} mortise_slice_facts;

typedef struct mortise_lease mortise_lease;

typedef struct mortise_device_partition {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Gives each slice to sink_slice; returns OK to go on. [any] */
  mortise_status (*list)(
      int32_t device_id,
      mortise_status (*sink_slice)(void* user, const mortise_slice_facts* slice), /* [serial] */
      void* user, mortise_error* error);
  /* Confines this process to a slice, or to memory_bytes and share of the device when slice is
   * empty. Errors: RESOURCE_EXHAUSTED with what is free. [any] */
  mortise_status (*lease)(int32_t device_id, mortise_text slice, uint64_t memory_bytes,
                          double share, mortise_lease** out_lease, mortise_error* error);
  /* Ends a lease. NULL is allowed. [any] */
  void (*release)(mortise_lease* lease);
} mortise_device_partition;

#ifdef __cplusplus
}
#endif
#endif
