// Delimited text and its writer (plugins/examples/format_cpp) with one fault. See evil.h.
#include <mortise/kind/format.h>
#include <mortise/kind/format_writer.h>

#include <cstdlib>

#include "evil.h"

namespace evil {
namespace {

const mortise_dataset_format* good = nullptr;
mortise_dataset_format bad;
const mortise_dataset_format_writer* good_writer = nullptr;
mortise_dataset_format_writer bad_writer;

mortise_status probe(const mortise_format_sample* sample, uint32_t* out_score, mortise_sink* reason,
                     mortise_error* error) {
  if (is("probe_fails") && sample->head.size_bytes == 0) {
    return refuse(error, MORTISE_STATUS_INVALID_ARGUMENT, "The file is empty.");
  }
  const mortise_status status = good->probe(sample, out_score, reason, error);
  if (is("probe_knows_nothing")) *out_score = 0;
  return status;
}

mortise_status open(const mortise_text* uris, uint32_t uris_count, mortise_text config,
                    mortise_format_instance** out_instance, mortise_error* error) {
  const mortise_status status = good->open(uris, uris_count, config, out_instance, error);
  if (is("dies_of_files") && status == MORTISE_STATUS_INVALID_ARGUMENT) std::abort();
  if (is("missing_is_internal") && status != MORTISE_STATUS_OK) return MORTISE_STATUS_INTERNAL;
  return status;
}

mortise_status describe(mortise_format_instance* instance, ArrowSchema* out_schema,
                        mortise_format_facts* out_facts, mortise_error* error) {
  static int calls = 0;
  const mortise_status status = good->describe(instance, out_schema, out_facts, error);
  if (is("loses_a_shard")) out_facts->shards_count = 1;
  if (is("schema_changes") && ++calls > 1) out_schema->children[0]->name = "other";
  return status;
}

int (*good_next)(ArrowArrayStream*, ArrowArray*) = nullptr;

// One row more than the columns hold.
int claim_a_row(ArrowArrayStream* stream, ArrowArray* out) {
  const int failed = good_next(stream, out);
  if (failed == 0 && out->release != nullptr) ++out->length;
  return failed;
}

mortise_status scan(mortise_format_instance* instance, const mortise_scan_options* options,
                    ArrowArrayStream* out_stream, mortise_error* error) {
  static int scans = 0;
  mortise_scan_options changed = *options;
  if (is("ignores_cursors")) changed.cursor = {nullptr, 0};
  if (is("ignores_projections")) changed.columns_count = 0;
  if (is("ignores_batch_limits")) changed.batch_rows_max = 0;
  if (is("takes_any_shard") && options->shard_index > 0) changed.shard_index = 0;
  if (is("gives_two_streams_for_life") && ++scans > 2) {
    return refuse(error, MORTISE_STATUS_RESOURCE_EXHAUSTED, "There were two streams already.");
  }
  const mortise_status status = good->scan(instance, &changed, out_stream, error);
  if (is("lies_about_shapes") && status == MORTISE_STATUS_OK) {
    good_next = out_stream->get_next;
    out_stream->get_next = &claim_a_row;
  }
  if (!is("takes_any_cursor") || status != MORTISE_STATUS_DATA_LOSS) return status;
  changed.cursor = {nullptr, 0};
  return good->scan(instance, &changed, out_stream, error);
}

mortise_status writer_open(mortise_text uri, const ArrowSchema* schema, mortise_text config,
                           mortise_format_writer_instance** out_instance, mortise_error* error) {
  const mortise_status status = good_writer->open(uri, schema, config, out_instance, error);
  if (is("taken_is_unknown") && status != MORTISE_STATUS_OK) return MORTISE_STATUS_UNKNOWN;
  return status;
}

mortise_status append(mortise_format_writer_instance* instance, const ArrowArray* batch,
                      mortise_error* error) {
  ArrowArray changed = *batch;
  if (is("loses_a_row") && changed.length > 0) --changed.length;
  return good_writer->append(instance, &changed, error);
}

mortise_status commit(mortise_format_writer_instance* instance, mortise_error* error) {
  const mortise_status status = good_writer->commit(instance, error);
  if (is("taken_is_unknown") && status != MORTISE_STATUS_OK) return MORTISE_STATUS_UNKNOWN;
  return status;
}

void abort_writer(mortise_format_writer_instance* instance) {
  if (!is("abort_commits")) return good_writer->abort(instance);
  mortise_error error{};
  error.set = [](mortise_error*, mortise_status, mortise_text) {};
  error.locate = [](mortise_error*, mortise_text, int64_t, int64_t, mortise_text) {};
  error.detail = [](mortise_error*, mortise_text, mortise_text) {};
  good_writer->commit(instance, &error);
}

}  // namespace

const void* find_interface(std::string_view id) {
  if (id == MORTISE_KIND_DATASET_FORMAT_WRITER) {
    good_writer = healthy<mortise_dataset_format_writer>(id);
    bad_writer = *good_writer;
    bad_writer.open = &writer_open;
    bad_writer.append = &append;
    bad_writer.commit = &commit;
    bad_writer.abort = &abort_writer;
    return &bad_writer;
  }
  if (id != MORTISE_KIND_DATASET_FORMAT) return nullptr;
  good = healthy<mortise_dataset_format>(id);
  bad = *good;
  bad.probe = &probe;
  bad.open = &open;
  bad.describe = &describe;
  bad.scan = &scan;
  return &bad;
}

}  // namespace evil
