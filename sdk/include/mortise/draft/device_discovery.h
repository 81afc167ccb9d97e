/* mortise/draft/device_discovery.h: which devices are here, without touching one. DRAFT.
 *
 * No context is created: only files of the system or the vendor's management library are read. A
 * device that is there but cannot be used is listed, with the reason.
 */
#ifndef MORTISE_DRAFT_DEVICE_DISCOVERY_H
#define MORTISE_DRAFT_DEVICE_DISCOVERY_H

#include <mortise/dlpack.h>
#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_DISCOVERY "mortise.device_discovery/1"

/* Flags of mortise_device_facts. */
#define MORTISE_DEVICE_USABLE UINT32_C(1)
#define MORTISE_DEVICE_BF16 UINT32_C(2) /* products in bfloat16 at full speed */
#define MORTISE_DEVICE_INT8 UINT32_C(4) /* products in int8 at full speed */

/* One device. Views are borrowed until the sink returns. */
typedef struct mortise_device_facts {
  uint32_t struct_size;
  uint32_t flags;        /* MORTISE_DEVICE_* */
  DLDevice device;       /* type and index of the views it takes */
  mortise_text uuid;     /* the same after a reboot */
  mortise_text name;     /* "EPYC 9B14" */
  mortise_text pci;      /* "0000:3b:00.0", or empty */
  mortise_text arch;     /* "x86_64 avx512_bf16 avx512_vnni", "sm_90" */
  mortise_text driver;   /* version, or empty */
  mortise_text unusable; /* why it cannot be used and what to do, or empty */
  uint64_t memory_bytes;
  int32_t numa_node;    /* -1 when unknown */
  uint32_t units_count; /* cores, multiprocessors */
  uint64_t reserved[4]; /* zero */
} mortise_device_facts;

typedef struct mortise_device_discovery {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Gives each device to sink_device, by index. None at all is OK. sink_device returns OK to go on.
   * [any] */
  mortise_status (*list)(
      mortise_status (*sink_device)(void* user, const mortise_device_facts* facts), /* [serial] */
      void* user, mortise_error* error);
} mortise_device_discovery;

#ifdef __cplusplus
}
#endif
#endif
