/* mortise/draft/device_telemetry.h: how a device is doing. DRAFT. Works while no context is open.
 */
#ifndef MORTISE_DRAFT_DEVICE_TELEMETRY_H
#define MORTISE_DRAFT_DEVICE_TELEMETRY_H

#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_DEVICE_TELEMETRY "mortise.device_telemetry/1"

/* Which fields of a sample are filled. */
#define MORTISE_SAMPLE_UTILISATION UINT32_C(1)
#define MORTISE_SAMPLE_MEMORY UINT32_C(2)
#define MORTISE_SAMPLE_POWER UINT32_C(4)
#define MORTISE_SAMPLE_TEMPERATURE UINT32_C(8)
#define MORTISE_SAMPLE_ERRORS UINT32_C(16)

typedef struct mortise_device_sample {
  uint32_t struct_size;
  uint32_t flags;     /* MORTISE_SAMPLE_* that are filled */
  double utilisation; /* 0 .. 1 since the last sample */
  uint64_t memory_used_bytes;
  double power_watts;
  double temperature_celsius;
  uint64_t errors_count; /* uncorrected, since boot */
  uint64_t reserved[4];  /* zero */
} mortise_device_sample;

typedef struct mortise_device_telemetry {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Fills what it can. [any] */
  mortise_status (*sample)(int32_t device_id, mortise_device_sample* out_sample,
                           mortise_error* error);
} mortise_device_telemetry;

#ifdef __cplusplus
}
#endif
#endif
