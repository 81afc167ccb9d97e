/* mortise/service/rng.h: random numbers that a resumed run draws again.
 *
 * Idea. Counter-based: the value is a function of (job seed, stream name, counter) and of nothing
 * else, so there is no state to save and any order of calls gives the same. Philox4x32-10 (Salmon
 * et al. 2011); key = first 8 bytes of SHA-256(seed as 8 bytes, stream), counter = index.
 */
#ifndef MORTISE_SERVICE_RNG_H
#define MORTISE_SERVICE_RNG_H

#include <mortise/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_SERVICE_RNG "mortise.rng/1"

typedef struct mortise_rng_service {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Fills out[0..count) with the values at index first, first + 1, ... of the stream. [any] */
  void (*uniform_u64)(mortise_host* host, mortise_text stream, uint64_t first, uint64_t* out,
                      uint64_t count);

  /* The same as doubles in [0, 1): value >> 11 times 2^-53. [any] */
  void (*uniform_double)(mortise_host* host, mortise_text stream, uint64_t first, double* out,
                         uint64_t count);
} mortise_rng_service;

#ifdef __cplusplus
}
#endif
#endif
