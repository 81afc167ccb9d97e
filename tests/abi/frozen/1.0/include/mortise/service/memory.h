/* mortise/service/memory.h: aligned memory that is counted against the plugin's budget. Always
 * there. A plugin may use its own allocator for small things; what grows with the data belongs
 * here.
 */
#ifndef MORTISE_SERVICE_MEMORY_H
#define MORTISE_SERVICE_MEMORY_H

#include <mortise/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_SERVICE_MEMORY "mortise.memory/1"

typedef struct mortise_memory_service {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* alignment_bytes: a power of two, 1 .. 4096; 0 means 64. size_bytes 0 gives a pointer that may
   * only be freed. Returns NULL when the budget or the machine is at its end: answer
   * RESOURCE_EXHAUSTED. tag: what it is for, shown in the job's memory report. [any] */
  void* (*allocate)(mortise_host* host, uint64_t size_bytes, uint64_t alignment_bytes,
                    mortise_text tag);

  /* Frees what allocate gave; NULL is allowed. [any] */
  void (*free)(mortise_host* host, void* pointer);

  /* Bytes in use by this plugin, and its budget (UINT64_MAX: none). [any] */
  void (*usage)(mortise_host* host, uint64_t* out_used_bytes, uint64_t* out_budget_bytes);
} mortise_memory_service;

#ifdef __cplusplus
}
#endif
#endif
