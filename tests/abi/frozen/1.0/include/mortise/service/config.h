/* mortise/service/config.h: typed reads of a configuration text, for plugins without a JSON parser.
 *
 * path is a JSON pointer (RFC 6901). The text was already checked against the plugin's own schema,
 * so a missing optional field is the usual error here: NOT_FOUND. Another type is INVALID_ARGUMENT.
 */
#ifndef MORTISE_SERVICE_CONFIG_H
#define MORTISE_SERVICE_CONFIG_H

#include <mortise/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_SERVICE_CONFIG "mortise.config/1"

typedef struct mortise_config_service {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* [any] */
  mortise_status (*get_bool)(mortise_host* host, mortise_text config, mortise_text path,
                             int32_t* out_value);
  /* [any] */
  mortise_status (*get_int)(mortise_host* host, mortise_text config, mortise_text path,
                            int64_t* out_value);
  /* Integers are taken too. [any] */
  mortise_status (*get_double)(mortise_host* host, mortise_text config, mortise_text path,
                               double* out_value);
  /* Writes the text without quotes, unescaped. [any] */
  mortise_status (*get_text)(mortise_host* host, mortise_text config, mortise_text path,
                             mortise_sink* out_value);
  /* Members of the array or object at path. [any] */
  mortise_status (*count)(mortise_host* host, mortise_text config, mortise_text path,
                          uint64_t* out_count);
} mortise_config_service;

#ifdef __cplusplus
}
#endif
#endif
