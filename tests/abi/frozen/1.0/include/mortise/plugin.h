/* mortise/plugin.h: the words and rules that every other header uses. Read this page first.
 *
 * Idea. A plugin is one shared library in a pack (a folder with pack.json). It exports exactly one
 * function (entry.h) and hands out tables of functions, one table an interface id. The host hands
 * out tables too (service/). Nothing else crosses: rows as Arrow C data (arrow.h), tensors as
 * DLPack (dlpack.h), text as UTF-8 {pointer, length} (view.h), configuration as JSON text that was
 * already checked against the plugin's own schema, errors into a host-owned object (status.h).
 *
 * Thread words. The last word of each slot's comment:
 *   [init]      once, before any other call, on any thread.
 *   [serial]    one call at a time per instance, on any thread. The default.
 *   [parallel]  any number of calls at once, also on one instance.
 *   [any]       from any thread at any time, also while another call on the instance runs; must
 *               not block.
 * Instances are independent: two [serial] calls on two instances may run at once.
 *
 * Ownership, three rules and no fourth.
 *   1. Bulk data (ArrowArray, ArrowSchema, ArrowArrayStream, DLManagedTensorVersioned) carries its
 *      own release or deleter; who holds it calls that once.
 *   2. A handle (an instance, a plan, a file) ends in the table that made it.
 *   3. All else is borrowed until the call returns. A result of unknown size goes to a sink
 *      (mortise_sink).
 *
 * Growth. Every table and argument struct begins {struct_size, flags}: the bytes its maker filled.
 * It grows only at the tail; a reader accepts any larger size and takes a missing tail as zero, the
 * old behaviour. A slot that is zero answers UNIMPLEMENTED. A new ability is a new interface id; a
 * change of meaning is a new revision of the id. Reserved bytes and unknown flags are zero.
 *
 * Never across the border: an exception, longjmp, abort, exit, a C++ type, errno, a static "last
 * error". A plugin starts threads only if its manifest says so and joins them in quiesce; for
 * parallel work it asks service/pool.h. A library is never unloaded.
 *
 * Everything is 64-bit and little-endian; integers have fixed widths.
 */
#ifndef MORTISE_PLUGIN_H
#define MORTISE_PLUGIN_H

/* The version of the project, written here and nowhere else; the build reads it from this line. */
#define MORTISE_VERSION "0.1.0"

/* Generation: the shape of entry.h. Minor: what the host offers within it. */
#define MORTISE_ABI_GENERATION 1
#define MORTISE_ABI_MINOR 0

/* MORTISE_HAS(table, type, slot): the table is long enough to hold the slot and the slot is set. */
#define MORTISE_HAS(table, type, slot)                                              \
  ((table) != 0 &&                                                                  \
   (table)->struct_size >= offsetof(type, slot) + sizeof(((const type*)0)->slot) && \
   (table)->slot != 0)

#include <stddef.h>
#include <stdint.h>

#endif
