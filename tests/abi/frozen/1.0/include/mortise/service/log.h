/* mortise/service/log.h: one line to the host's log. Always there. Repeated lines are rate-limited
 * by the host. Never log contents of a data set.
 */
#ifndef MORTISE_SERVICE_LOG_H
#define MORTISE_SERVICE_LOG_H

#include <mortise/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_SERVICE_LOG "mortise.log/1"

#define MORTISE_LOG_DEBUG INT32_C(0)
#define MORTISE_LOG_INFO INT32_C(1)
#define MORTISE_LOG_WARNING INT32_C(2)
#define MORTISE_LOG_ERROR INT32_C(3)
#define MORTISE_LOG_HOST_MISBEHAVING INT32_C(4)   /* the host broke a rule of these headers */
#define MORTISE_LOG_PLUGIN_MISBEHAVING INT32_C(5) /* used by the guard and by wrappers */

typedef struct mortise_log_field {
  mortise_text key;
  mortise_text value;
} mortise_log_field;

typedef struct mortise_log_service {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Writes one record. message: one sentence. [any] */
  void (*write)(mortise_host* host, int32_t level, mortise_text message,
                const mortise_log_field* fields, uint32_t fields_count);

  /* 1 when records of this level are kept, else 0. [any] */
  int32_t (*is_enabled)(mortise_host* host, int32_t level);
} mortise_log_service;

#ifdef __cplusplus
}
#endif
#endif
