/* mortise/kind/metric.h: a metric scores predictions against references.
 *
 * Idea. The host cuts the held-out rows into batches, feeds them to any number of instances in any
 * order, asks each for its state, merges the states into one instance and asks that one for the
 * result. A metric therefore never needs to see all rows at once, can run in several processes, and
 * can stop and go on: whatever it knows is in its state.
 *
 * Why state and merge instead of one call with everything: ten million rows do not fit, and a mean
 * of means is wrong.
 *
 * Advice to the plugin: keep sums and counts, not rows. Advice to the host: never assume that
 * update order is kept.
 *
 * Thread words ([any], [serial], [parallel], [init]) and the rules of ownership are defined once,
 * in plugin.h.
 */
#ifndef MORTISE_KIND_METRIC_H
#define MORTISE_KIND_METRIC_H

#include <mortise/arrow.h>
#include <mortise/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Interface id. The number is the revision of the meaning; it changes when a slot means something
 * else. */
#define MORTISE_KIND_METRIC "mortise.metric/1"

/* Flags of mortise_metric_facts. */
#define MORTISE_METRIC_HIGHER_IS_BETTER UINT32_C(1)
#define MORTISE_METRIC_HAS_ROW_SCORES UINT32_C(2)

/* What can be known without data. Filled by the plugin, copied by the host. */
typedef struct mortise_metric_facts {
  uint32_t struct_size; /* bytes the plugin filled */
  uint32_t flags;       /* MORTISE_METRIC_* */
  double value_min;     /* smallest possible value, -inf if none */
  double value_max;     /* largest possible value, +inf if none */
  uint32_t reserved[4]; /* zero */
} mortise_metric_facts;

/* One line of a result. All views are borrowed until the sink returns. */
typedef struct mortise_metric_row {
  uint32_t struct_size;
  uint32_t flags;     /* zero */
  mortise_text name;  /* "rougeL_f" */
  mortise_text group; /* slice of the data, empty for all of it */
  double value;       /* in the unit of the published scorer */
  /* 95 % interval by seeded bootstrap, both NaN where the metric has none */
  double ci_low, ci_high;
  uint64_t rows_count; /* rows that entered this value */
} mortise_metric_row;

/* Owned by the plugin, ended with destroy. */
typedef struct mortise_metric_instance mortise_metric_instance;

/* The table a plugin returns for MORTISE_KIND_METRIC. */
typedef struct mortise_metric {
  uint32_t struct_size; /* sizeof(mortise_metric) as the plugin was built */
  uint32_t flags;       /* zero */

  /* Makes an instance from a configuration that was already checked against the plugin's own
   * schema. config: JSON object, borrowed. out_instance: set only on OK. Errors: INVALID_ARGUMENT
   * with the field's JSON pointer when two valid fields contradict each other; RESOURCE_EXHAUSTED.
   * [any] */
  mortise_status (*create)(mortise_text config, mortise_metric_instance** out_instance,
                           mortise_error* error);

  /* Ends an instance. Never fails; NULL is allowed. [serial] */
  void (*destroy)(mortise_metric_instance* instance);

  /* Fills facts; out_facts->struct_size holds the room on entry. [any] */
  mortise_status (*describe)(const mortise_metric_instance* instance,
                             mortise_metric_facts* out_facts, mortise_error* error);

  /* Writes the Arrow schema of the columns that update needs. The host owns out_schema and releases
   * it. [any] */
  mortise_status (*requires_schema)(const mortise_metric_instance* instance,
                                    struct ArrowSchema* out_schema, mortise_error* error);

  /* Adds a batch of rows. batch: struct array of that schema, borrowed; it may be empty, sliced
   * (offset > 0) or hold nulls where the schema allows them. scores: NULL, or one double a row is
   * written to it, in order, if HAS_ROW_SCORES. On an error the instance is as before the call.
   * Errors: INVALID_ARGUMENT with the row's index. [serial] */
  mortise_status (*update)(mortise_metric_instance* instance, const struct ArrowArray* batch,
                           mortise_sink* scores, mortise_error* error);

  /* Writes the state, at most 64 MiB, so that merge on a fresh instance continues as if nothing had
   * happened. [serial] */
  mortise_status (*save)(const mortise_metric_instance* instance, mortise_sink* state,
                         mortise_error* error);

  /* Adds a saved state to this instance. state: borrowed, from any version of this plugin, or
   * hostile. Errors: DATA_LOSS when it is damaged or of an unknown version. [serial] */
  mortise_status (*merge)(mortise_metric_instance* instance, mortise_bytes state,
                          mortise_error* error);

  /* Gives every row of the result to sink_row, in a stable order. May be called again; zero rows
   * seen is not an error: value is NaN and rows_count 0. sink_row returns OK to go on. [serial] */
  mortise_status (*finalize)(
      const mortise_metric_instance* instance,
      mortise_status (*sink_row)(void* user, const mortise_metric_row* row), /* [serial] */
      void* user, mortise_error* error);
} mortise_metric;

#ifdef __cplusplus
}
#endif
#endif
