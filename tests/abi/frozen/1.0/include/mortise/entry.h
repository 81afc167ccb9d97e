/* mortise/entry.h: how host and plugin meet. Frozen for the life of generation 1.
 *
 * Idea. The host calls the one exported function with a hello; the plugin fills a reply. The plugin
 * says which host minor it needs at least (needs_minor) and, for information, with which headers it
 * was built (built_minor). The host accepts when needs_minor <= host_minor and never looks at
 * built_minor to refuse. Then each side asks the other for tables by id; the newest revision is
 * asked for first.
 *
 * Why a function and not data: a function can refuse, and looking up data is not portable.
 */
#ifndef MORTISE_ENTRY_H
#define MORTISE_ENTRY_H

#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "MORTISE1", little-endian. */
#define MORTISE_MAGIC UINT64_C(0x3145534954524f4d)

/* hello flags */
#define MORTISE_HELLO_ALLOW_DRAFT UINT32_C(1) /* interfaces of draft/ may be used */

typedef struct mortise_host mortise_host; /* the host as this plugin sees it; opaque */

/* Frozen. All views stay valid for the life of the process. */
typedef struct mortise_hello {
  uint64_t magic; /* MORTISE_MAGIC */
  uint32_t struct_size;
  uint32_t generation; /* 1 */
  uint32_t host_minor;
  uint32_t flags;         /* MORTISE_HELLO_* */
  mortise_text pack_root; /* absolute path of the pack's folder */
  mortise_host* host;     /* first argument of every service call */

  /* The host's table for a service id, or NULL. Valid for the life of the process. [any] */
  const void* (*get_service)(mortise_host* host, mortise_text id);

  uint8_t reserved[64]; /* zero */
} mortise_hello;

/* Frozen. Zeroed by the host, but for magic and struct_size; filled by the plugin. Views and tables
 * must stay valid for the life of the process. */
typedef struct mortise_hello_reply {
  uint64_t magic; /* MORTISE_MAGIC, set by the host and left */
  uint32_t struct_size;
  uint32_t generation;    /* 1 */
  uint32_t built_minor;   /* MORTISE_ABI_MINOR of the headers at hand; information only */
  uint32_t needs_minor;   /* smallest host minor it works with */
  mortise_text plugin_id; /* as in pack.json */
  mortise_text abi_extra; /* vendor's tag, may be empty; information only */

  /* The plugin's table for an interface id, or NULL. The same id gives the same table. [any] */
  const void* (*get_interface)(mortise_text id);

  /* Stops threads, ends background work; no call follows but destroys and releases. May be NULL.
   * [serial] */
  mortise_status (*quiesce)(mortise_error* error);

  uint8_t reserved[64]; /* zero */
} mortise_hello_reply;

#if defined(_WIN32)
#define MORTISE_EXPORT __declspec(dllexport)
#else
#define MORTISE_EXPORT __attribute__((visibility("default")))
#endif

/* The one export. Returns OK, or a code when the plugin refuses this host; it must not load models,
 * start threads or touch a device: it is called only to learn what there is, in under 100 ms.
 * [init] */
MORTISE_EXPORT mortise_status mortise_entry_1(const mortise_hello* hello,
                                              mortise_hello_reply* reply);

#ifdef __cplusplus
}
#endif
#endif
