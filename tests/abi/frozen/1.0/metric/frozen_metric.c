// A metric as it was written for ABI 1.0: mean length of the predictions in bytes.
//
// Built from the headers beside it and loaded by every later host (frozen_test.cpp). Never edited
// once 1.0 is released.
// clang-format off
#include <mortise/entry.h>
#include <mortise/kind/metric.h>
#include <stdlib.h>
#include <string.h>
typedef struct mortise_metric_instance { uint64_t rows, bytes; } Sum;
static mortise_status create(mortise_text config, Sum** out, mortise_error* e) {
  return (*out = calloc(1, sizeof(Sum))) ? MORTISE_STATUS_OK : MORTISE_STATUS_RESOURCE_EXHAUSTED; }
static void destroy(Sum* s) { free(s); }
static mortise_status describe(const Sum* s, mortise_metric_facts* out, mortise_error* e) {
  return out->flags = 0, out->value_min = 0, out->value_max = 1 / 0.0, MORTISE_STATUS_OK; }
static void release(struct ArrowSchema* s) { free(s->private_data), s->release = NULL; }
static mortise_status schema(const Sum* s, struct ArrowSchema* out, mortise_error* e) {
  struct { struct ArrowSchema column, *list[1]; }* c = calloc(1, sizeof(*c));
  if (!c) return MORTISE_STATUS_RESOURCE_EXHAUSTED;
  c->column = (struct ArrowSchema){"u", "prediction", NULL, 0, 0, NULL, NULL, release, NULL};
  *out = (struct ArrowSchema){"+s", "", NULL, 0, 1, c->list, NULL, release, c};
  return c->list[0] = &c->column, MORTISE_STATUS_OK; }
static mortise_status add(Sum* s, const struct ArrowArray* b, mortise_sink* k, mortise_error* e) {
  const int32_t* at = b->children[0]->buffers[1]; int64_t i = b->offset + b->children[0]->offset;
  if (b->length) s->bytes += (uint64_t)(at[i + b->length] - at[i]);
  return s->rows += (uint64_t)b->length, MORTISE_STATUS_OK; }
static mortise_status save(const Sum* s, mortise_sink* state, mortise_error* e) {
  return state->write(state, s, sizeof(Sum)); }
static mortise_status merge(Sum* s, mortise_bytes in, mortise_error* e) {
  Sum t; if (in.size_bytes != sizeof(t)) return MORTISE_STATUS_DATA_LOSS;
  return memcpy(&t, in.data, sizeof t), s->rows += t.rows, s->bytes += t.bytes, MORTISE_STATUS_OK; }
static mortise_status report(const Sum* s, mortise_status (*give)(void*, const mortise_metric_row*),
                               void* user, mortise_error* e) {
  mortise_metric_row r = {sizeof(r), 0, {"mean_length", 11}, {"", 0}, 0, 0 / 0.0, 0 / 0.0, s->rows};
  return r.value = (double)s->bytes / (double)s->rows, give(user, &r); }
static const mortise_metric table = {sizeof(table), 0, create, destroy, describe, schema, add, save,
                                     merge, report};
static const void* get(mortise_text id) {
  return id.size_bytes == 16 && !memcmp(id.data, MORTISE_KIND_METRIC, 16) ? &table : NULL; }
mortise_status mortise_entry_1(const mortise_hello* hello, mortise_hello_reply* reply) {
  if (hello->generation != 1) return MORTISE_STATUS_FAILED_PRECONDITION;
  reply->generation = 1, reply->plugin_id = (mortise_text){"com.example.frozen", 18};
  return reply->get_interface = get, MORTISE_STATUS_OK; }
