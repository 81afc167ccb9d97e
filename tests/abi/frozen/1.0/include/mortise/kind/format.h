/* mortise/kind/format.h: a dataset format turns files into rows.
 *
 * Idea. The host shows a sample and asks how sure the plugin is (probe). Then it opens the files of
 * one data set, learns the schema and how many shards there are (describe), and reads each shard as
 * a stream of Arrow batches (scan). Between any two batches it can ask where the stream stands
 * (cursor); a scan that starts from this cursor gives exactly the batches that would have followed.
 * The union of all shards is the whole data set, each row once.
 *
 * The plugin opens files only through mortise.files/1, by the names it was given: they may be
 * sealed on the disk, and the plugin never learns where they lie.
 *
 * Advice to the plugin: a bad row is the end of the stream with an error that names file, row and
 * byte (stream_error), never a row left out. Advice to the host: do not trust row_count_hint.
 */
#ifndef MORTISE_KIND_FORMAT_H
#define MORTISE_KIND_FORMAT_H

#include <mortise/arrow.h>
#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_KIND_DATASET_FORMAT "mortise.dataset_format/1"

/* Media inside the files. Beside "row" and "byte_offset" may stand columns of media, each with one
 * of these names under ARROW:extension:name. Its type is the struct
 *   {name: utf8, bytes: binary, member: utf8, offset: int64, length: int64}
 * in this order, or a list of it, all nullable. Either bytes is the medium, or bytes is null and
 * the medium is the bytes [offset, offset + length) of member, one of the uris of open or a file
 * below it. name is a file name that the plugin suggests (relative path), or null. The host gives
 * the medium its name in the data set and writes it into the row under the column's name; the text
 * of "row" leaves that member out. A null struct is a row without that medium. A range that is a
 * whole file of the upload is used in place. */
#define MORTISE_MEDIA_IMAGE "mortise.image"
#define MORTISE_MEDIA_AUDIO "mortise.audio"
#define MORTISE_MEDIA_VIDEO "mortise.video"

/* The beginning of one file, as probe sees it. */
typedef struct mortise_format_sample {
  uint32_t struct_size;
  uint32_t flags;       /* zero */
  mortise_text name;    /* "train.jsonl", relative */
  mortise_bytes head;   /* at most 64 KiB from its start */
  uint64_t size_bytes;  /* of the whole file */
  uint64_t reserved[2]; /* zero */
} mortise_format_sample;

/* What describe tells. Filled by the plugin. */
typedef struct mortise_format_facts {
  uint32_t struct_size;
  uint32_t flags;         /* zero */
  int64_t row_count_hint; /* -1 when unknown */
  uint32_t shards_count;  /* >= 1 */
  uint32_t reserved[5];   /* zero */
} mortise_format_facts;

/* What scan shall read. */
typedef struct mortise_scan_options {
  uint32_t struct_size;
  uint32_t flags;              /* zero */
  const mortise_text* columns; /* projection; columns_count 0 means all */
  uint32_t columns_count;
  uint32_t shard_index;     /* 0 .. shards_count - 1 */
  mortise_bytes cursor;     /* from cursor(); empty: from the start of the shard */
  uint64_t batch_rows_max;  /* 0: the plugin chooses */
  uint64_t batch_bytes_max; /* wish, not a bound: a row is never cut; 0: the plugin chooses */
  uint64_t reserved[2];     /* zero */
} mortise_scan_options;

typedef struct mortise_format_instance mortise_format_instance;

/* The table of MORTISE_KIND_DATASET_FORMAT. */
typedef struct mortise_dataset_format {
  uint32_t struct_size;
  uint32_t flags; /* zero */

  /* How sure the plugin is that it can read this file, 0 (no) .. 100 (certain). reason: one
   * sentence for a person. Must not fail on any bytes. [any] */
  mortise_status (*probe)(const mortise_format_sample* sample, uint32_t* out_score,
                          mortise_sink* reason, mortise_error* error);

  /* Opens the files of one data set. uris: names for mortise.files/1, in order. config: JSON
   * object, checked against the plugin's schema. out_instance: set only on OK; ended with close.
   * Errors: NOT_FOUND; INVALID_ARGUMENT naming the file and the byte where it stops being this
   * format; RESOURCE_EXHAUSTED over a limit. [any] */
  mortise_status (*open)(const mortise_text* uris, uint32_t uris_count, mortise_text config,
                         mortise_format_instance** out_instance, mortise_error* error);

  /* Ends an instance; its streams must have been released. NULL is allowed. [serial] */
  void (*close)(mortise_format_instance* instance);

  /* Schema of the rows and facts. The caller releases out_schema. Columns: JSON-like rows that have
   * no fixed schema come as the one column "row", utf8, each a JSON object, with "byte_offset",
   * int64, beside it, and the columns of media. [serial] */
  mortise_status (*describe)(mortise_format_instance* instance, struct ArrowSchema* out_schema,
                             mortise_format_facts* out_facts, mortise_error* error);

  /* Starts a stream over one shard. Different shards may be read at once, one stream is [serial].
   * The caller releases out_stream. Errors: INVALID_ARGUMENT for an unknown column or shard;
   * DATA_LOSS for a cursor that is damaged or of other files. [parallel] */
  mortise_status (*scan)(mortise_format_instance* instance, const mortise_scan_options* options,
                         struct ArrowArrayStream* out_stream, mortise_error* error);

  /* Writes the position of the stream after its last batch; at most 4 KiB. [serial] */
  mortise_status (*cursor)(mortise_format_instance* instance, struct ArrowArrayStream* stream,
                           mortise_sink* out_cursor, mortise_error* error);

  /* Fills error with what made get_next of this stream fail: file, row, byte, field. Returns its
   * code, or OK when it has not failed. [serial] */
  mortise_status (*stream_error)(mortise_format_instance* instance, struct ArrowArrayStream* stream,
                                 mortise_error* error);
} mortise_dataset_format;

#ifdef __cplusplus
}
#endif
#endif
