/* mortise/draft/device_torch_bridge.h: how libtorch reaches this device. DRAFT.
 *
 * "cpu" and "cuda" are libtorch's own. A vendor with a libtorch adapter names it here with the
 * exact libtorch build it was made for; a pack without this interface is reached through the host's
 * own bridge over its memory, stream and ops. One backend family a worker.
 */
#ifndef MORTISE_DRAFT_DEVICE_TORCH_BRIDGE_H
#define MORTISE_DRAFT_DEVICE_TORCH_BRIDGE_H

#include <mortise/draft/device_ops.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_TORCH_BRIDGE "mortise.device_torch_bridge/1"

typedef struct mortise_torch_bridge_facts {
  uint32_t struct_size;
  uint32_t flags;               /* zero */
  mortise_text torch_device;    /* "cpu", "cuda", "npu" */
  mortise_text adapter_library; /* path inside the pack, or empty when libtorch has it */
  mortise_text libtorch_tag;    /* "2.13.0", or empty for any */
  uint64_t reserved[4];         /* zero */
} mortise_torch_bridge_facts;

typedef struct mortise_device_torch_bridge {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Fills facts; views stay valid for the life of the process. [any] */
  mortise_status (*describe)(mortise_torch_bridge_facts* out_facts, mortise_error* error);
  /* Handle for libtorch's current stream of a device, valid until the next call on this thread;
   * NULL where libtorch has no streams. [any] */
  mortise_status (*current_stream)(int32_t device_id, mortise_stream** out_stream,
                                   mortise_error* error);
} mortise_device_torch_bridge;

#ifdef __cplusplus
}
#endif
#endif
