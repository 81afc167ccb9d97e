/* mortise/service/progress.h: long work tells how far it is and asks whether to stop.
 *
 * Idea. Any loop that can last longer than 100 ms asks is_cancelled at least that often and returns
 * CANCELLED when it is set, leaving nothing half done.
 */
#ifndef MORTISE_SERVICE_PROGRESS_H
#define MORTISE_SERVICE_PROGRESS_H

#include <mortise/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_SERVICE_PROGRESS "mortise.progress/1"

typedef struct mortise_progress_service {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* done of total units (total 0: unknown). unit: "rows", "bytes". Cheap; the host thins out. [any]
   */
  void (*report)(mortise_host* host, uint64_t done, uint64_t total, mortise_text unit);

  /* 1 when the work shall stop, else 0. Costs one load. [any] */
  int32_t (*is_cancelled)(mortise_host* host);

  /* Nanoseconds until the deadline of the present work; INT64_MAX without one. [any] */
  int64_t (*remaining_ns)(mortise_host* host);
} mortise_progress_service;

#ifdef __cplusplus
}
#endif
#endif
