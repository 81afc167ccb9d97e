/* A metric that counts rows: column "prediction" (utf8, not null), result row "count". With one of
 * FAULT_* defined it breaks exactly that rule; the loader's tests say what the host must answer. */
#include <mortise/entry.h>
#include <mortise/kind/metric.h>
#include <mortise/service/memory.h>
#include <stdlib.h>
#include <string.h>

struct mortise_metric_instance {
  uint64_t rows;
};

static const mortise_hello* host;

static mortise_text text(const char* chars) {
  mortise_text view;
  view.data = chars;
  view.size_bytes = strlen(chars);
  return view;
}

static mortise_status create(mortise_text config, mortise_metric_instance** out_instance,
                             mortise_error* error) {
  (void)config;
#if defined(FAULT_OK_WITHOUT_INSTANCE)
  return MORTISE_STATUS_OK;
#else
  *out_instance = calloc(1, sizeof **out_instance);
  if (*out_instance != NULL) return MORTISE_STATUS_OK;
  error->set(error, MORTISE_STATUS_RESOURCE_EXHAUSTED, text("No memory for an instance."));
  return MORTISE_STATUS_RESOURCE_EXHAUSTED;
#endif
}

static void destroy(mortise_metric_instance* instance) {
  free(instance);
}

static mortise_status describe(const mortise_metric_instance* instance,
                               mortise_metric_facts* out_facts, mortise_error* error) {
  (void)instance, (void)error;
  out_facts->flags = MORTISE_METRIC_HIGHER_IS_BETTER | MORTISE_METRIC_HAS_ROW_SCORES;
  out_facts->value_min = 0;
  out_facts->value_max = 1e300;
#if defined(FAULT_DIRTY_FACTS)
  out_facts->reserved[2] = 7;
#endif
  return MORTISE_STATUS_OK;
}

static void release_schema(struct ArrowSchema* schema) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    free(schema->children[i]);
  }
  free(schema->children);
  schema->release = NULL;
}

static mortise_status requires_schema(const mortise_metric_instance* instance,
                                      struct ArrowSchema* out, mortise_error* error) {
  (void)instance, (void)error;
  memset(out, 0, sizeof *out);
  out->format = "+s";
  out->name = "";
  out->release = &release_schema;
#if defined(FAULT_ENDS_RELEASED)
  out->release = NULL;
  return MORTISE_STATUS_OK;
#endif
  out->children = calloc(1, sizeof *out->children);
  out->children[0] = calloc(1, sizeof **out->children);
  out->n_children = 1;
  out->children[0]->format = "u";
  out->children[0]->name = "prediction";
  out->children[0]->release = &release_schema;
  return MORTISE_STATUS_OK;
}

static mortise_status update(mortise_metric_instance* instance, const struct ArrowArray* batch,
                             mortise_sink* scores, mortise_error* error) {
#if defined(FAULT_SEGFAULT)
  volatile uintptr_t nowhere = 16;
  *(volatile int*)nowhere = 1;
#elif defined(FAULT_ABORT)
  abort();
#elif defined(FAULT_EXIT)
  _Exit(3);
#elif defined(FAULT_UNKNOWN_CODE)
  return 99;
#elif defined(FAULT_WILD_FREE)
  const mortise_memory_service* memory =
      host->get_service(host->host, text(MORTISE_SERVICE_MEMORY));
  memory->free(host->host, instance);
#elif defined(FAULT_RELEASES_BORROWED)
  struct ArrowArray* borrowed = (struct ArrowArray*)(uintptr_t)batch;
  borrowed->release(borrowed);
  return MORTISE_STATUS_OK;
#endif
  if (batch->length == 3) {
    error->set(error, MORTISE_STATUS_INVALID_ARGUMENT, text("Three rows are one too many."));
    error->locate(error, text("rows.jsonl"), 3, 91, text("/prediction"));
    error->detail(error, text("hint"), text("Take two."));
    return MORTISE_STATUS_INVALID_ARGUMENT;
  }
  instance->rows += (uint64_t)batch->length;
  if (scores == NULL) return MORTISE_STATUS_OK;
  for (int64_t i = 0; i < batch->length; ++i) {
    const double score = 0.5;
#if defined(FAULT_SHORT_SCORES)
    if (i == 0) continue;
#endif
    const int32_t written = scores->write(scores, &score, sizeof score);
    if (written != MORTISE_STATUS_OK) return written;
  }
  return MORTISE_STATUS_OK;
}

static mortise_status save(const mortise_metric_instance* instance, mortise_sink* state,
                           mortise_error* error) {
  (void)error;
  return state->write(state, &instance->rows, sizeof instance->rows);
}

static mortise_status merge(mortise_metric_instance* instance, mortise_bytes state,
                            mortise_error* error) {
  uint64_t rows;
  if (state.size_bytes != sizeof rows) {
    error->set(error, MORTISE_STATUS_DATA_LOSS, text("A state has 8 bytes."));
    return MORTISE_STATUS_DATA_LOSS;
  }
  memcpy(&rows, state.data, sizeof rows);
  instance->rows += rows;
  return MORTISE_STATUS_OK;
}

static mortise_status finalize(const mortise_metric_instance* instance,
                               mortise_status (*sink_row)(void* user,
                                                          const mortise_metric_row* row),
                               void* user, mortise_error* error) {
  mortise_metric_row row;
  (void)error;
  memset(&row, 0, sizeof row);
  row.struct_size = sizeof row;
  row.name = text("count");
  row.value = (double)instance->rows;
  row.rows_count = instance->rows;
  return sink_row(user, &row);
}

static mortise_metric table = {
#if defined(FAULT_SHORT_TABLE)
    offsetof(mortise_metric, save),
#elif defined(FAULT_TINY_TABLE)
    4,
#else
    sizeof(mortise_metric),
#endif
#if defined(FAULT_TABLE_FLAGS)
    1,
#else
    0,
#endif
    &create,
    &destroy,
    &describe,
    &requires_schema,
    &update,
#if defined(FAULT_HOLES)
    NULL,
    NULL,
#else
    &save,    &merge,
#endif
    &finalize};

static const void* get_interface(mortise_text id) {
#if defined(FAULT_NULL_TABLE)
  (void)id;
  return NULL;
#else
  const mortise_text own = text(MORTISE_KIND_METRIC);
  if (id.size_bytes != own.size_bytes || memcmp(id.data, own.data, own.size_bytes) != 0)
    return NULL;
  return &table;
#endif
}

mortise_status mortise_entry_1(const mortise_hello* hello, mortise_hello_reply* reply) {
  host = hello;
  reply->generation = MORTISE_ABI_GENERATION;
  reply->built_minor = MORTISE_ABI_MINOR;
  reply->plugin_id = text("com.example.count");
  reply->get_interface = &get_interface;
#if defined(FAULT_WRONG_MAGIC)
  reply->magic = 0x3245534954524f4d;
#elif defined(FAULT_NEWER_MINOR)
  reply->needs_minor = 4;
#elif defined(FAULT_OLDER_BUILT)
  reply->built_minor = 9; /* built with newer headers, needs nothing of them */
#elif defined(FAULT_WRONG_GENERATION)
  reply->generation = 2;
#elif defined(FAULT_WRONG_ID)
  reply->plugin_id = text("com.example.other");
#elif defined(FAULT_DIRTY_RESERVED)
  reply->reserved[63] = 1;
#elif defined(FAULT_NO_INTERFACE)
  reply->get_interface = NULL;
#elif defined(FAULT_REFUSES)
  return MORTISE_STATUS_UNAVAILABLE;
#endif
  return MORTISE_STATUS_OK;
}
