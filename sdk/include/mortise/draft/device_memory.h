/* mortise/draft/device_memory.h: memory of a device, in stream order, and pinned host memory.
 * DRAFT. */
#ifndef MORTISE_DRAFT_DEVICE_MEMORY_H
#define MORTISE_DRAFT_DEVICE_MEMORY_H

#include <mortise/draft/device_ops.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_MEMORY "mortise.device_memory/1"

/* Kinds of copy. */
#define MORTISE_COPY_HOST_TO_DEVICE INT32_C(0)
#define MORTISE_COPY_DEVICE_TO_HOST INT32_C(1)
#define MORTISE_COPY_DEVICE_TO_DEVICE INT32_C(2)

typedef struct mortise_device_memory {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Memory that may be used by work queued on `stream` from now on; at least 64-byte aligned; its
   * contents are undefined. Errors: RESOURCE_EXHAUSTED with the bytes free. [any] */
  mortise_status (*allocate)(int32_t device_id, uint64_t size_bytes, mortise_stream* stream,
                             void** out_pointer, mortise_error* error);
  /* Gives it back once work queued so far on `stream` is done. NULL is allowed. [any] */
  void (*free)(int32_t device_id, void* pointer, mortise_stream* stream);
  /* Host memory that the device reads and writes directly. [any] */
  mortise_status (*allocate_pinned)(uint64_t size_bytes, void** out_pointer, mortise_error* error);
  /* NULL is allowed. [any] */
  void (*free_pinned)(void* pointer);
  /* Queues a copy; host memory must stay until the stream has passed it. kind: MORTISE_COPY_*.
   * [any] */
  mortise_status (*copy)(int32_t device_id, void* to, const void* from, uint64_t size_bytes,
                         int32_t kind, mortise_stream* stream, mortise_error* error);
  /* Queues a fill with one byte. [any] */
  mortise_status (*fill)(int32_t device_id, void* pointer, uint8_t value, uint64_t size_bytes,
                         mortise_stream* stream, mortise_error* error);
  /* Bytes of the device that are free, and all. [any] */
  mortise_status (*info)(int32_t device_id, uint64_t* out_free_bytes, uint64_t* out_total_bytes,
                         mortise_error* error);
  /* Gives cached memory back to the device. [any] */
  mortise_status (*trim)(int32_t device_id, mortise_error* error);
} mortise_device_memory;

#ifdef __cplusplus
}
#endif
#endif
