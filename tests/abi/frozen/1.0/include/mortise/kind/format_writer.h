/* mortise/kind/format_writer.h: the optional other half of a dataset format: rows into files.
 *
 * Idea. open, append any number of batches, then commit or abort. Nothing is to be seen under the
 * final name before commit; after abort, or a crash, nothing is left that a reader would take for a
 * data set.
 */
#ifndef MORTISE_KIND_FORMAT_WRITER_H
#define MORTISE_KIND_FORMAT_WRITER_H

#include <mortise/arrow.h>
#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_KIND_DATASET_FORMAT_WRITER "mortise.dataset_format.writer/1"

typedef struct mortise_format_writer_instance mortise_format_writer_instance;

/* The table of MORTISE_KIND_DATASET_FORMAT_WRITER. */
typedef struct mortise_dataset_format_writer {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* Begins. uri: name for mortise.files/1. schema: borrowed; columns as describe gives them.
   * config: JSON object. Errors: INVALID_ARGUMENT naming a column that this format cannot hold;
   * ALREADY_EXISTS. [any] */
  mortise_status (*open)(mortise_text uri, const struct ArrowSchema* schema, mortise_text config,
                         mortise_format_writer_instance** out_instance, mortise_error* error);

  /* Adds a batch, a struct array of the schema, borrowed. [serial] */
  mortise_status (*append)(mortise_format_writer_instance* instance, const struct ArrowArray* batch,
                           mortise_error* error);

  /* Makes the files visible and ends the instance, on failure too. [serial] */
  mortise_status (*commit)(mortise_format_writer_instance* instance, mortise_error* error);

  /* Removes what was written and ends the instance. NULL is allowed. [serial] */
  void (*abort)(mortise_format_writer_instance* instance);
} mortise_dataset_format_writer;

#ifdef __cplusplus
}
#endif
#endif
