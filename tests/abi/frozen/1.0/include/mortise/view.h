/* mortise/view.h: borrowed text and bytes, and the sink that takes a result of unknown size. */
#ifndef MORTISE_VIEW_H
#define MORTISE_VIEW_H

#include <mortise/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* UTF-8, not terminated; data may be NULL when size_bytes is 0. Borrowed until the call returns. */
typedef struct mortise_text {
  const char* data;
  uint64_t size_bytes;
} mortise_text;

/* Any bytes; otherwise as mortise_text. */
typedef struct mortise_bytes {
  const uint8_t* data;
  uint64_t size_bytes;
} mortise_bytes;

typedef struct mortise_sink mortise_sink;

/* Where a callee writes a result. Made by the caller, borrowed until the call returns. */
struct mortise_sink {
  uint32_t struct_size;
  uint32_t flags; /* zero */
  void* user;     /* the maker's own; leave it alone */

  /* Appends. Returns OK, or RESOURCE_EXHAUSTED when the maker's limit is reached: then return that
   * code. [serial] */
  int32_t (*write)(mortise_sink* sink, const void* data, uint64_t size_bytes);
};

#ifdef __cplusplus
}
#endif
#endif
