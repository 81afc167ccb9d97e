/* mortise/arrow.h: the Arrow C data and C stream interfaces, as their specification declares them
 * (apache/arrow, format/CDataInterface). The guards are the specification's, so that these may be
 * declared by several headers of one program.
 *
 * Rules in short: the consumer allocates the base struct, the producer owns the members; release ==
 * NULL means released; a move is a bitwise copy followed by setting the source's release to NULL;
 * children are never released on their own; a stream is used by one thread at a time.
 */
#ifndef MORTISE_ARROW_H
#define MORTISE_ARROW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
  const char* format;   /* "u" utf8, "z" binary, "i" int32, "l" int64, "g" double, "+s" struct */
  const char* name;     /* NULL or zero-terminated */
  const char* metadata; /* int32 count, then per pair int32 length and bytes of key and value */
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*); /* [serial] */
  void* private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count; /* -1 when not computed */
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*); /* [serial] */
  void* private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  /* 0 or an errno code; the schema is the same at every call. [serial] */
  int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
  /* The next batch; out->release == NULL at the end. [serial] */
  int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
  /* Words for the last error, valid until the next call, or NULL. [serial] */
  const char* (*get_last_error)(struct ArrowArrayStream*);
  void (*release)(struct ArrowArrayStream*); /* [serial] */
  void* private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

/* Extension types of media columns, in the metadata key ARROW:extension:name. Storage is a struct
 * {bytes: binary?, uri: utf8?, offset: int64?, size_bytes: int64?}: the bytes themselves, or a
 * member of the data set with a range. */
#define MORTISE_EXTENSION_IMAGE "mortise.image"
#define MORTISE_EXTENSION_AUDIO "mortise.audio"
#define MORTISE_EXTENSION_VIDEO "mortise.video"

#ifdef __cplusplus
}
#endif
#endif
