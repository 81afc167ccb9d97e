/* mortise/service/pool.h: parallel work on the worker's own threads, so that no second pool fights
 * them for the cores.
 */
#ifndef MORTISE_SERVICE_POOL_H
#define MORTISE_SERVICE_POOL_H

#include <mortise/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_SERVICE_POOL "mortise.pool/1"

typedef struct mortise_pool_service {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Threads that parallel_for uses at most, >= 1. [any] */
  uint32_t (*threads_count)(mortise_host* host);

  /* Calls body(user, begin, end) so that [0, count) is covered once, in pieces of at least `grain`,
   * and returns when all are done. The pieces depend only on count, grain and threads_count. body
   * must not throw and may not call parallel_for. From inside a body, or with one thread, it runs
   * here. [any] */
  void (*parallel_for)(mortise_host* host, uint64_t count, uint64_t grain,
                       void (*body)(void* user, uint64_t begin, uint64_t end), /* [parallel] */
                       void* user);
} mortise_pool_service;

#ifdef __cplusplus
}
#endif
#endif
