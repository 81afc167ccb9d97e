/* mortise/service/files.h: the only way to files.
 *
 * Idea. The host grants named roots to the present work; a name is a relative path inside them.
 * What lies behind a name may be a file, a part of an archive or a sealed object: the plugin cannot
 * tell and need not. Names with "..", a leading "/", NUL or "\" are refused with INVALID_ARGUMENT;
 * a name that is not granted is NOT_FOUND.
 */
#ifndef MORTISE_SERVICE_FILES_H
#define MORTISE_SERVICE_FILES_H

#include <mortise/entry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_SERVICE_FILES "mortise.files/1"

/* Modes of open. */
#define MORTISE_FILE_READ INT32_C(0)
#define MORTISE_FILE_WRITE_NEW INT32_C(1) /* ALREADY_EXISTS when the name is taken */

typedef struct mortise_file mortise_file; /* ends with close or discard */

typedef struct mortise_files_service {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Opens a name. A new file is visible under its name only after close. [any] */
  mortise_status (*open)(mortise_host* host, mortise_text name, int32_t mode,
                         mortise_file** out_file, mortise_error* error);

  /* Size in bytes. [any] */
  mortise_status (*size)(mortise_file* file, uint64_t* out_size_bytes, mortise_error* error);

  /* Reads at an offset; *out_read is less than size_bytes only at the end. [parallel] */
  mortise_status (*read_at)(mortise_file* file, uint64_t offset, void* buffer, uint64_t size_bytes,
                            uint64_t* out_read, mortise_error* error);

  /* Appends to a new file. [serial] */
  mortise_status (*write)(mortise_file* file, const void* data, uint64_t size_bytes,
                          mortise_error* error);

  /* Ends the file; a new one becomes durable and visible. The handle is gone, on failure too.
   * [serial] */
  mortise_status (*close)(mortise_file* file, mortise_error* error);

  /* Ends the file; a new one leaves no trace. NULL is allowed. [serial] */
  void (*discard)(mortise_file* file);

  /* Gives each name below a folder to sink_name, sorted, folders with a trailing "/"; not
   * recursive. sink_name returns OK to go on. [any] */
  mortise_status (*list)(mortise_host* host, mortise_text folder,
                         mortise_status (*sink_name)(void* user, mortise_text name), /* [serial] */
                         void* user, mortise_error* error);
} mortise_files_service;

#ifdef __cplusplus
}
#endif
#endif
