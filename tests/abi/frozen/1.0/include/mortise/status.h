/* mortise/status.h: how a call says that it failed.
 *
 * Idea. A call returns a code; the words go into an error object that the host made and keeps, so a
 * message outlives the instance, the call and the plugin. The object brings its own functions, so a
 * plugin needs no symbol of the host. Set it before returning a code other than OK; a code without
 * words is shown as "no message".
 *
 * A good message is a whole sentence that names the thing and what to do: see the plugin guide.
 */
#ifndef MORTISE_STATUS_H
#define MORTISE_STATUS_H

#include <mortise/plugin.h>
#include <mortise/view.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t mortise_status;

/* Code                                                            whose fault, what to do */
#define MORTISE_STATUS_OK INT32_C(0)
#define MORTISE_STATUS_CANCELLED INT32_C(1)           /* nobody's: the host asked to stop */
#define MORTISE_STATUS_UNKNOWN INT32_C(2)             /* a foreign error without a better code */
#define MORTISE_STATUS_INVALID_ARGUMENT INT32_C(3)    /* the input's: mend it */
#define MORTISE_STATUS_DEADLINE_EXCEEDED INT32_C(4)   /* time ran out */
#define MORTISE_STATUS_NOT_FOUND INT32_C(5)           /* the named thing does not exist */
#define MORTISE_STATUS_ALREADY_EXISTS INT32_C(6)      /* the thing to be made is there */
#define MORTISE_STATUS_PERMISSION_DENIED INT32_C(7)   /* not allowed to this caller */
#define MORTISE_STATUS_RESOURCE_EXHAUSTED INT32_C(8)  /* memory, disk, quota or a limit */
#define MORTISE_STATUS_FAILED_PRECONDITION INT32_C(9) /* right input, wrong state */
#define MORTISE_STATUS_ABORTED INT32_C(10)            /* lost a race: start again */
#define MORTISE_STATUS_OUT_OF_RANGE INT32_C(11)       /* past the end */
#define MORTISE_STATUS_UNIMPLEMENTED INT32_C(12)      /* this plugin or host does not do it */
#define MORTISE_STATUS_INTERNAL INT32_C(13)           /* the callee's own fault */
#define MORTISE_STATUS_UNAVAILABLE INT32_C(14)        /* try again later */
#define MORTISE_STATUS_DATA_LOSS INT32_C(15)          /* stored bytes are damaged or cut */
#define MORTISE_STATUS_UNAUTHENTICATED INT32_C(16)    /* the caller is not known */

typedef struct mortise_error mortise_error;

/* Made and kept by the caller: the host in a call of a plugin, the plugin in a call of a service.
 * Never NULL in a call; the callee only calls its functions. The text is copied at once. */
struct mortise_error {
  uint32_t struct_size;
  uint32_t flags; /* zero */
  void* host;     /* the maker's own; leave it alone */

  /* Sets code and message, and forgets what was set before. message: UTF-8, borrowed. [serial] */
  void (*set)(mortise_error* error, mortise_status code, mortise_text message);

  /* Says where: file as the user wrote it, row from 1, byte from 0, field as JSON pointer or column
   * name. Empty text and -1 mean unknown. [serial] */
  void (*locate)(mortise_error* error, mortise_text file, int64_t row, int64_t byte_offset,
                 mortise_text field);

  /* Adds a detail, for instance {"hint", "..."}; at most 32 are kept. [serial] */
  void (*detail)(mortise_error* error, mortise_text key, mortise_text value);
};

#ifdef __cplusplus
}
#endif
#endif
