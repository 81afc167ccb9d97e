// Exact match (plugins/examples/metric_cpp) with one fault. See evil.h.
#include <mortise/kind/metric.h>
#include <mortise/service/log.h>
#include <mortise/service/memory.h>
#include <mortise/service/progress.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "evil.h"

namespace evil {
namespace {

const mortise_metric* good = nullptr;
mortise_metric bad;
mortise_metric_instance* shared = nullptr;
char dying_name[16] = "prediction";

volatile uintptr_t nowhere = 16;
void* volatile lost = nullptr;

mortise_status create(mortise_text config, mortise_metric_instance** out, mortise_error* error) {
  if (is("needs_an_optional_service")) {
    const auto* progress = service<mortise_progress_service>(MORTISE_SERVICE_PROGRESS);
    progress->report(hello->host, 0, 0, {nullptr, 0});
  }
  if (is("dies_of_configs") && config.size_bytes == 0) *reinterpret_cast<int*>(nowhere) = 1;
  if (is("leaves_a_thread")) {
    std::thread([] { std::this_thread::sleep_for(std::chrono::seconds(5)); }).detach();
  }
  if (is("shares_its_state") && shared != nullptr) {
    *out = shared;
    return MORTISE_STATUS_OK;
  }
  const mortise_status status = good->create(config, out, error);
  shared = *out;
  return status;
}

void destroy(mortise_metric_instance* instance) {
  if (is("destroy_takes_no_null")) (void)*reinterpret_cast<volatile char*>(instance);
  if (is("schema_dies_with_the_instance")) std::strcpy(dying_name, "gone");
  if (is("shares_its_state")) return;
  good->destroy(instance);
}

void keep_release(ArrowSchema* schema) {
  (void)schema;  // leaks, and leaves release as it is
}

mortise_status requires_schema(const mortise_metric_instance* instance, ArrowSchema* out,
                               mortise_error* error) {
  const mortise_status status = good->requires_schema(instance, out, error);
  if (is("unknown_column_format")) out->children[0]->format = "q?";
  if (is("schema_dies_with_the_instance")) out->children[0]->name = dying_name;
  if (is("release_keeps_release")) out->release = &keep_release;
  if (is("refuses_nulls")) out->children[0]->flags |= ARROW_FLAG_NULLABLE;
  return status;
}

void call_from_a_thread_of_its_own() {
  std::thread([] {
    const auto* log = service<mortise_log_service>(MORTISE_SERVICE_LOG);
    log->write(hello->host, MORTISE_LOG_INFO, {"hello", 5}, nullptr, 0);
  }).join();
}

void use_memory_badly(mortise_metric_instance* instance) {
  const auto* memory = service<mortise_memory_service>(MORTISE_SERVICE_MEMORY);
  if (is("frees_the_hosts_memory")) memory->free(hello->host, instance);
  if (is("releases_twice")) {
    void* block = memory->allocate(hello->host, 100, 0, {nullptr, 0});
    memory->free(hello->host, block);
    memory->free(hello->host, block);
  }
  if (is("leaks_service_memory")) memory->allocate(hello->host, 100, 0, {nullptr, 0});
  if (is("ignores_failed_memory")) {
    void* block = memory->allocate(hello->host, 100, 0, {nullptr, 0});
    std::memset(block, 0, 100);
    memory->free(hello->host, block);
  }
}

void misread(const ArrowArray* batch) {
  const ArrowArray& column = *batch->children[0];
  const auto* offsets = static_cast<const int32_t*>(column.buffers[1]);
  const auto* text = static_cast<const char*>(column.buffers[2]);
  const int32_t end = offsets[column.offset + column.length];
  volatile char sink = 0;
  if (is("reads_behind_its_input")) sink = text[end];
  if (is("writes_into_its_input")) const_cast<char*>(text)[0] = 'X';
  (void)sink;
}

bool has_bad_bytes(const ArrowArray* batch) {
  const ArrowArray& column = *batch->children[0];
  const auto* offsets = static_cast<const int32_t*>(column.buffers[1]);
  const int32_t end = offsets[column.offset + column.length];
  return end > 0 && std::memchr(column.buffers[2], 0xFF, static_cast<size_t>(end)) != nullptr;
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

// Faults that end the process or never return.
void do_harm() {
  if (is("throws")) throw 7;
  if (is("aborts")) std::abort();
  if (is("exits")) std::_Exit(3);
  if (is("hangs")) hang();
  if (is("segfaults")) *reinterpret_cast<volatile int*>(nowhere) = 1;
  if (is("changes_its_table")) bad.save = good->save;
  if (is("leaks")) lost = std::malloc(100);
  if (is("calls_from_a_wrong_thread")) call_from_a_thread_of_its_own();
}

int32_t drop(mortise_sink*, const void*, uint64_t) {
  return MORTISE_STATUS_OK;
}

mortise_status write_short_scores(mortise_metric_instance* instance, const ArrowArray* batch,
                                  mortise_sink* scores, mortise_error* error) {
  mortise_sink nothing{sizeof nothing, 0, nullptr, &drop};
  const mortise_status status = good->update(instance, batch, &nothing, error);
  const double score = 50;
  for (int64_t i = 1; status == MORTISE_STATUS_OK && i < batch->length; ++i) {
    scores->write(scores, &score, sizeof score);
  }
  return status;
}

// Faults in what is counted; -1 when there is none.
mortise_status miscount(mortise_metric_instance* instance, const ArrowArray* batch,
                        mortise_sink* scores, mortise_error* error) {
  ArrowArray changed = *batch;
  if (is("releases_its_input")) {
    auto* borrowed = const_cast<ArrowArray*>(batch);
    borrowed->release(borrowed);
    return MORTISE_STATUS_OK;
  }
  if (is("ignores_offsets")) {
    changed.offset = 0;
    return good->update(instance, &changed, scores, error);
  }
  if (is("counts_single_rows_twice") && batch->length == 1) {
    good->update(instance, batch, nullptr, error);
  }
  if (is("forgets_the_first_row") && batch->length > 0) {
    ++changed.offset;
    --changed.length;
    return good->update(instance, &changed, scores, error);
  }
  if (is("refuses_empty_batches") && batch->length == 0) {
    return refuse(error, MORTISE_STATUS_INVALID_ARGUMENT, "There are no rows.");
  }
  if (is("refuses_nulls") && batch->children[0]->null_count != 0) {
    return refuse(error, MORTISE_STATUS_INVALID_ARGUMENT, "There is a null.");
  }
  if (is("counts_what_it_refuses") && has_bad_bytes(batch)) {
    good->update(instance, batch, nullptr, error);
    return refuse(error, MORTISE_STATUS_INVALID_ARGUMENT, "This is not UTF-8.");
  }
  if (is("short_scores") && scores != nullptr) {
    return write_short_scores(instance, batch, scores, error);
  }
  return -1;
}

mortise_status update(mortise_metric_instance* instance, const ArrowArray* batch,
                      mortise_sink* scores, mortise_error* error) {
  if (is("is_not_reentrant") && is_crowded()) {
    return refuse(error, MORTISE_STATUS_UNAVAILABLE, "Somebody else is in here.");
  }
  if (is("cancelled_is_internal")) {
    const auto* progress = service<mortise_progress_service>(MORTISE_SERVICE_PROGRESS);
    if (progress->is_cancelled(hello->host) != 0) return MORTISE_STATUS_INTERNAL;
  }
  do_harm();
  use_memory_badly(instance);
  if (batch->length > 0) misread(batch);
  const mortise_status status = miscount(instance, batch, scores, error);
  return status >= 0 ? status : good->update(instance, batch, scores, error);
}

mortise_status save(const mortise_metric_instance* instance, mortise_sink* state,
                    mortise_error* error) {
  static char count = 0;
  const mortise_status status = good->save(instance, state, error);
  if (is("ignores_its_sink")) return MORTISE_STATUS_OK;
  if (is("saves_other_bytes")) state->write(state, &++count, 1);
  return status;
}

mortise_status merge(mortise_metric_instance* instance, mortise_bytes state, mortise_error* error) {
  uint64_t counts[3] = {};
  const bool is_whole = state.size_bytes == sizeof counts;
  if (is_whole) std::memcpy(counts, state.data, sizeof counts);
  if (is("unknown_code") && !is_whole) return 4711;
  if (is("words_are_not_utf8") && !is_whole) {
    return refuse(error, MORTISE_STATUS_DATA_LOSS, "damaged \xff\xfe");
  }
  if (is("takes_cut_states") && !is_whole) return MORTISE_STATUS_OK;
  if (is("dies_of_states") && state.size_bytes > 100) *reinterpret_cast<int*>(nowhere) = 1;
  if (is("merges_twice")) good->merge(instance, state, error);
  if (is("nothing_counts") && is_whole && counts[1] == 0) {
    const uint64_t one[3] = {1, 1, 0};
    return good->merge(instance, {reinterpret_cast<const uint8_t*>(one), sizeof one}, error);
  }
  return good->merge(instance, state, error);
}

struct RowSink {
  mortise_status (*give)(void*, const mortise_metric_row*);
  void* user;
};

mortise_status change_row(void* user, const mortise_metric_row* row) {
  static int calls = 0;
  const auto& sink = *static_cast<const RowSink*>(user);
  mortise_metric_row changed = *row;
  if (is("zero_for_no_rows") && std::isnan(row->value)) changed.value = 0;
  if (is("is_out_of_range")) changed.value += 1000;
  if (is("is_random")) changed.value += 1e-3 * ++calls;
  const mortise_status status = sink.give(sink.user, &changed);
  return is("ignores_its_row_sink") ? MORTISE_STATUS_OK : status;
}

mortise_status finalize(const mortise_metric_instance* instance,
                        mortise_status (*give)(void*, const mortise_metric_row*), void* user,
                        mortise_error* error) {
  RowSink sink{give, user};
  return good->finalize(instance, &change_row, &sink, error);
}

}  // namespace

const void* find_interface(std::string_view id) {
  if (id != MORTISE_KIND_METRIC) return nullptr;
  if (good == nullptr) {
    good = healthy<mortise_metric>(id);
    bad = *good;
    bad.create = &create;
    bad.destroy = &destroy;
    bad.requires_schema = &requires_schema;
    bad.update = &update;
    bad.save = &save;
    bad.merge = &merge;
    bad.finalize = &finalize;
  }
  return &bad;
}

}  // namespace evil
