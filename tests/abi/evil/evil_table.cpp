// Every fault with the check that finds it and the words that it deserves. See evil_pack.h.
#include <filesystem>
#include <fstream>

#include "base/crypto.h"
#include "base/file_ops.h"
#include "pack/signature.h"
#include "tests/abi/evil/evil_pack.h"

namespace mortise::plugin::kit {
namespace {

using base::Json;

constexpr const char* kMetric = "metric_cpp";
constexpr const char* kTokenizer = "tokenizer_cpp";
constexpr const char* kFormat = "format_cpp";
constexpr const char* kLoss = "loss_cpp";
constexpr const char* kPreference = "../packs/loss_dpo";  // no example is of this interface
constexpr const char* kDevice = "device_simulated";

constexpr State kFail = State::kFail, kCrash = State::kCrash, kTimeout = State::kTimeout;

void append_to(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app | std::ios::binary) << text;
}

// --- faults that are in the manifest or the folder ---

void add_unknown_key(Json& manifest) {
  manifest["colour"] = "red";
}
void write_wrong_hash(Json& manifest) {
  manifest["libraries"].items()[0]["sha256"] = std::string(64, '0');
}
void take_any_key(Json& manifest) {
  manifest["plugins"].items()[0]["config_schema"]["additionalProperties"] = true;
}
void swap_library(const std::string& root) {
  append_to(root + "/lib/plugin.so", "x");
}
void add_unlisted_file(const std::string& root) {
  append_to(root + "/extra.txt", "who put me here?");
}
void sign_other_bytes(const std::string& root) {
  (void)pack::sign_pack(base::posix_file_ops(), root, base::make_signing_key());
  append_to(root + "/pack.json", " ");
}
void claim_cross_entropy(Json& manifest) {
  manifest["x-conformance"]["reference"] = "cross_entropy";
}
void claim_rows(Json& manifest) {
  manifest["x-conformance"]["samples"].items()[0]["rows"] = 99;
}
void add_tokenizer_file(Json& manifest) {
  manifest["x-conformance"]["uri"] = "sample.json";
  manifest["x-conformance"]["files"] = Json::object({{"sample.json", "{\"a\": 1}"}});
}
void declare(Json& manifest, const char* id) {
  Json& plugin = manifest["plugins"].items()[0];
  plugin["interfaces"].push_back(id);
  plugin["uses_draft"] = true;
}
void declare_trainer(Json& manifest) {
  declare(manifest, "mortise.tokenizer.trainer/1");
}
void declare_telemetry(Json& manifest) {
  declare(manifest, "mortise.device_telemetry/1");
}
void declare_partition(Json& manifest) {
  declare(manifest, "mortise.device_partition/1");
}
void declare_bridge(Json& manifest) {
  declare(manifest, "mortise.device_torch_bridge/1");
}

using Edit = void (*)(Json&);

Evil metric(const char* fault, const char* check, State state, const char* words) {
  return {fault, kMetric, "evil_metric", check, state, words, nullptr, nullptr};
}
Evil tokenizer(const char* fault, const char* check, State state, const char* words,
               Edit edit = nullptr) {
  return {fault, kTokenizer, "evil_tokenizer", check, state, words, edit, nullptr};
}
Evil format(const char* fault, const char* check, State state, const char* words,
            Edit edit = nullptr) {
  return {fault, kFormat, "evil_format", check, state, words, edit, nullptr};
}
Evil loss(const char* fault, const char* check, State state, const char* words,
          Edit edit = nullptr) {
  return {fault, kLoss, "evil_loss", check, state, words, edit, nullptr};
}
Evil preference(const char* fault, const char* check, const char* words) {
  return {fault, kPreference, "evil_preference", check, kFail, words, nullptr, nullptr};
}
[[maybe_unused]] Evil device(const char* fault, const char* check, State state, const char* words,
                             Edit edit = nullptr) {
  return {fault, kDevice, "evil_device", check, state, words, edit, nullptr};
}

std::vector<Evil> of_packs() {
  return {
      {"none", kMetric, "evil_metric", "load.manifest_is_sound", kFail, "colour", add_unknown_key,
       nullptr},
      {"none", kMetric, "evil_metric", "load.files_match_their_hashes", kFail, "SHA-256",
       write_wrong_hash, nullptr},
      {"none", kMetric, "evil_metric", "load.files_match_their_hashes", kFail, "SHA-256", nullptr,
       swap_library},
      {"none", kMetric, "evil_metric", "load.files_match_their_hashes", kFail, "extra.txt", nullptr,
       add_unlisted_file},
      {"none", kMetric, "evil_metric", "load.signature_fits", kFail, "signature", nullptr,
       sign_other_bytes},
      {"none", kMetric, "evil_metric", "load.config_schema_is_strict", kFail, "no_such_key",
       take_any_key, nullptr},
      {"none", kMetric, "evil_exports", "load.exports_only_the_entry", kFail, "also exports",
       nullptr, nullptr},
      {"none", kMetric, "evil_run_path", "load.run_path_stays_in_the_pack", kFail, "/opt/elsewhere",
       nullptr, nullptr},
      {"none", kMetric, "evil_stack", "load.no_memory_is_writable_and_executable", kFail,
       "executable stack", nullptr, nullptr},
      metric("throws_at_entry", "load.plugin_loads", kFail, "exception"),
      metric("needs_newer_minor", "load.plugin_loads", kFail, "needs_minor is 1"),
  };
}

std::vector<Evil> of_entries() {
  return {
      metric("slow_entry", "entry.is_quick", kFail, "100 ms are allowed"),
      metric("thread_at_entry", "entry.starts_no_threads", kFail, "started 1 threads"),
      metric("dirty_reserved", "entry.reply_is_clean", kFail, "reserved"),
      metric("needs_newer_minor", "entry.minors_are_honest", kFail, "needs_minor is 1"),
      metric("refuses_newer_hosts", "entry.accepts_a_newer_host", kFail, "host of minor 1"),
      metric("wants_exact_sizes", "entry.accepts_longer_structs", kFail, "compare struct_size"),
      metric("any_generation", "entry.refuses_another_generation", kFail, "generation 7"),
      metric("knows_every_id", "entry.unknown_ids_give_null", kFail, "unknown id"),
      metric("reads_ids_up_to_zero", "entry.ids_are_read_by_length", kCrash, "SIGSEGV"),
      metric("fresh_tables", "entry.same_id_gives_same_table", kFail, "another table"),
      metric("null_table", "entry.interfaces_are_the_manifests", kFail, "gives NULL"),
      metric("table_flags", "tables.heads_are_sound", kFail, "unknown flags 1"),
      metric("short_table", "tables.required_slots_are_set", kFail, "lacks what the interface"),
      metric("changes_its_table", "tables.do_not_change", kFail, "table was changed"),
  };
}

std::vector<Evil> of_use() {
  return {
      metric("throws", "use.succeeds", kFail, "exception"),
      metric("aborts", "use.succeeds", kCrash, "died with SIGABRT in mortise.metric/1 update on"),
      metric("segfaults", "use.succeeds", kCrash,
             "died with SIGSEGV in mortise.metric/1 update on"),
      metric("exits", "use.succeeds", kCrash, "exit code 3"),
      metric("hangs", "use.succeeds", kTimeout, "mortise.metric/1 update"),
      metric("frees_the_hosts_memory", "use.succeeds", kFail, "rule \"service\""),
      metric("releases_twice", "use.succeeds", kFail, "freed it twice"),
      format("lies_about_shapes", "use.succeeds", kFail, "has a child of"),
      metric("releases_its_input", "use.succeeds", kFail, "borrowed"),
      metric("is_random", "use.same_input_gives_same_bytes", kFail, "other answers"),
      metric("needs_an_optional_service", "use.lives_without_optional_services", kCrash, "SIGSEGV"),
      metric("is_not_reentrant", "use.instances_run_side_by_side", kFail, "Four threads"),
      metric("leaves_a_thread", "use.leaves_no_threads", kFail, "threads"),
      metric("calls_from_a_wrong_thread", "use.calls_the_host_from_the_hosts_threads", kFail,
             "thread of its own"),
      metric("leaks_service_memory", "use.gives_service_memory_back", kFail, "mortise.memory/1"),
      metric("leaks", "use.heap_does_not_grow", kFail, "The heap grows"),
      metric("destroy_takes_no_null", "use.enders_take_null", kCrash, "mortise.metric/1 destroy"),
      metric("ignores_failed_memory", "errors.failing_memory_is_told", kCrash, "SIGSEGV"),
      metric("cancelled_is_internal", "errors.cancel_is_obeyed", kFail, "did not answer CANCELLED"),
      metric("ignores_its_sink", "errors.refusing_sink_is_obeyed", kFail, "answered 0"),
      metric("unknown_code", "errors.codes_are_canonical", kFail, "4711"),
      metric("words_are_not_utf8", "errors.words_are_good", kFail, "not UTF-8"),
      metric("dies_of_configs", "errors.hostile_configs_are_survived", kCrash,
             "mortise.metric/1 create"),
  };
}

std::vector<Evil> of_metrics() {
  return {
      metric("unknown_column_format", "metric.schema_is_known", kFail, "q?"),
      metric("schema_dies_with_the_instance", "metric.schema_outlives_the_instance", kFail,
             "own its names"),
      metric("release_keeps_release", "metric.release_marks_what_it_released", kFail,
             "did not set"),
      metric("counts_single_rows_twice", "metric.batches_do_not_matter", kFail, "batches of 1"),
      metric("forgets_the_first_row", "metric.order_does_not_matter", kFail, "in reverse"),
      metric("ignores_offsets", "metric.sliced_batches_are_read", kFail, "offset in the struct"),
      metric("reads_behind_its_input", "metric.reads_stay_inside_its_input", kCrash,
             "mortise.metric/1 update"),
      metric("writes_into_its_input", "metric.reads_stay_inside_its_input", kCrash,
             "mortise.metric/1 update"),
      metric("refuses_nulls", "metric.nulls_are_taken", kFail, "There is a null"),
      metric("refuses_empty_batches", "metric.empty_batch_changes_nothing", kFail,
             "There are no rows"),
      metric("zero_for_no_rows", "metric.no_rows_give_nan", kFail, "instead of NaN"),
      metric("short_scores", "metric.row_scores_fit", kFail, "bytes of scores"),
      metric("is_out_of_range", "metric.values_are_in_range", kFail, "outside of"),
      metric("is_random", "metric.finalize_is_repeatable", kFail, "second finalize"),
      metric("ignores_its_row_sink", "metric.refusing_row_sink_is_obeyed", kFail, "answered 0"),
      metric("shares_its_state", "metric.instances_are_independent", kFail, "in use already"),
      metric("merges_twice", "metric.any_partition_merges_alike", kFail, "merged"),
      metric("nothing_counts", "metric.empty_state_is_neutral", kFail, "without rows"),
      metric("saves_other_bytes", "metric.save_changes_nothing", kFail, "other bytes"),
      metric("merges_twice", "metric.merged_state_goes_on", kFail, "go on"),
      metric("takes_cut_states", "metric.damaged_state_is_refused", kFail, "took"),
      metric("dies_of_states", "metric.random_states_are_survived", kCrash,
             "mortise.metric/1 merge"),
      metric("counts_what_it_refuses", "metric.refused_rows_change_nothing", kFail,
             "yet the result changed"),
  };
}

std::vector<Evil> of_tokenizers() {
  return {
      tokenizer("changes_letters", "tokenizer.round_trip", kFail, "Encoded and decoded"),
      tokenizer("batches_differ", "tokenizer.batch_equals_single", kFail, "Among others"),
      tokenizer("loses_text", "tokenizer.stream_equals_batch", kFail, "Token by token"),
      tokenizer("offsets_lie_outside", "tokenizer.offsets_lie_inside", kFail, "do not lie"),
      tokenizer("counts_too_many_ids", "tokenizer.vocab_fits_the_facts", kFail, "vocab"),
      tokenizer("random_fingerprint", "tokenizer.fingerprint_is_stable", kFail, "ingerprint"),
      tokenizer("is_not_parallel", "tokenizer.threads_agree", kFail, "Four threads"),
      tokenizer("takes_any_bytes", "tokenizer.bad_text_is_refused", kFail, "took text"),
      tokenizer("takes_unknown_ids", "tokenizer.unknown_ids_are_refused", kFail, "OUT_OF_RANGE"),
      tokenizer("ignores_length_bounds", "tokenizer.length_bound_is_kept", kFail, "At most 3"),
      tokenizer("refuses_nothing", "tokenizer.nothing_is_fine", kFail, "There are no texts"),
      tokenizer("none", "tokenizer.missing_file_is_not_found", kFail, "instead of NOT_FOUND",
                add_tokenizer_file),
      tokenizer("dies_of_files", "tokenizer.hostile_files_are_survived", kCrash,
                "SIGABRT in mortise.tokenizer/1 create", add_tokenizer_file),
      tokenizer("training_depends_on_order", "tokenizer.training_ignores_order", kFail,
                "another order", declare_trainer),
  };
}

std::vector<Evil> of_formats() {
  return {
      format("probe_fails", "format.probe_takes_any_bytes", kFail, "The file is empty"),
      format("probe_knows_nothing", "format.probe_knows_its_own", kFail, "does not know"),
      format("none", "format.describe_fits_the_rows", kFail, "says 99 rows", claim_rows),
      format("schema_changes", "format.describe_is_repeatable", kFail, "another schema"),
      format("loses_a_shard", "format.shards_unite_to_the_whole", kFail, "Two files hold"),
      format("ignores_cursors", "format.resumes_from_any_cursor", kFail, "From the cursor"),
      format("takes_any_cursor", "format.damaged_cursor_is_refused", kFail, "DATA_LOSS"),
      format("ignores_projections", "format.projection_gives_the_columns", kFail,
             "INVALID_ARGUMENT"),
      format("ignores_batch_limits", "format.batch_limit_is_kept", kFail, "batch_rows_max is 1"),
      format("missing_is_internal", "format.wrong_names_are_refused", kFail, "NOT_FOUND"),
      format("takes_any_shard", "format.wrong_names_are_refused", kFail, "shard"),
      format("dies_of_files", "format.hostile_files_are_survived", kCrash, "SIGABRT"),
      format("gives_two_streams_for_life", "format.streams_are_independent", kFail, "two streams"),
      format("loses_a_row", "writer.written_rows_are_read", kFail, "rows written"),
      format("abort_commits", "writer.nothing_is_seen_before_commit", kFail, "abort left a file"),
      format("taken_is_unknown", "writer.taken_name_is_refused", kFail, "ALREADY_EXISTS"),
  };
}

std::vector<Evil> of_losses() {
  return {
      loss("wrong_gradient", "loss.gradient_is_the_slope", kFail, "finite differences"),
      loss("none", "loss.value_equals_the_reference", kFail, "the reference", claim_cross_entropy),
      loss("counts_without_labels", "loss.no_labels_give_zero", kFail, "Without labels"),
      loss("marks_other_rows", "loss.other_rows_get_zero", kFail, "carries no label"),
      loss("trusts_labels", "loss.wrong_labels_are_refused", kFail, "INVALID_ARGUMENT"),
      loss("trusts_tensors", "loss.wrong_shapes_are_refused", kFail, "INVALID_ARGUMENT"),
      loss("wants_full_size", "loss.smaller_calls_fit", kFail, "fewer rows"),
      loss("ignores_grad_loss", "loss.gradient_scales_and_adds", kFail, "-2.5"),
      preference("wrong_slope", "preference.slope_is_that_of_the_loss", "finite differences"),
      preference("gives_the_mean", "preference.parts_add_up", "no sum"),
      preference("trusts_answers", "preference.wrong_answers_are_refused", "INVALID_ARGUMENT"),
      loss("writes_beside_its_loss", "use.succeeds", kFail, "beside the tensor loss"),
  };
}

std::vector<Evil> of_devices() {
  return {
      device("has_no_uuid", "device.discovery_is_honest", kFail, "uuid"),
      device("ignores_its_device_sink", "device.refusing_sink_is_obeyed", kFail, "went on"),
      device("copies_too_little", "device.memory_keeps_bytes", kFail, "others are read"),
      device("memory_never_ends", "device.end_of_memory_is_told", kFail, "RESOURCE_EXHAUSTED"),
      device("drops_the_last_fill", "device.streams_keep_order", kFail, "does not hold 3"),
      device("events_go_back", "device.events_happen", kFail, "-5 ns"),
      device("measures_in_percent", "device.telemetry_is_sane", kFail, "utilisation",
             declare_telemetry),
      device("shares_in_percent", "device.slices_are_sane", kFail, "of the device",
             declare_partition),
      device("names_no_library", "device.torch_bridge_is_told", kFail, "lib/none.so",
             declare_bridge),
      device("computes_wrongly", "device.ops_equal_the_reference", kFail, "rms_norm"),
      device("computes_bf16_wrongly", "device.bf16_ops_equal_the_reference", kFail, "rms_norm"),
      device("computes_gradients_wrongly", "device.gradients_equal_the_reference", kFail,
             "linear_lora_grad"),
      device("computes_bf16_gradients_wrongly", "device.bf16_gradients_equal_the_reference", kFail,
             "linear_lora_grad"),
      device("takes_wrong_shapes", "device.wrong_shapes_are_refused", kFail, "INVALID_ARGUMENT"),
      device("keeps_queued_errors_to_itself", "device.ids_out_of_range_are_refused", kFail,
             "INVALID_ARGUMENT"),
      device("unknown_is_not_found", "device.unknown_operation_is_unsupported", kFail,
             "UNSUPPORTED"),
      device("promises_everything", "device.query_keeps_its_word", kFail, "query says"),
      device("launches_one_at_a_time", "device.threads_agree", kFail, "four threads"),
      device("refuses_no_rows", "device.no_rows_are_fine", kFail, "There are no rows"),
  };
}

}  // namespace

const std::vector<Evil>& all_evils() {
  static const std::vector<Evil> evils = [] {
    std::vector<Evil> out;
    for (const auto& part : {of_packs(), of_entries(), of_use(), of_metrics(), of_tokenizers(),
                             of_formats(), of_losses(), of_devices()}) {
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }();
  return evils;
}

void make_evil_pack(const Evil& evil, const std::string& root) {
  namespace fs = std::filesystem;
  base::FileOps& files = base::posix_file_ops();
  fs::create_directories(root + "/lib");
  fs::copy_file(std::string(MORTISE_EVIL) + "/" + evil.library + ".so", root + "/lib/plugin.so");
  std::ofstream(root + "/fault") << evil.fault << "\n";
  const auto sha256 = [&](const std::string& name) {
    return base::to_hex(base::sha256_file(root + "/" + name).value());
  };
  const std::string healthy = std::string(MORTISE_PACKS) + "/" + evil.example + "/pack.json";
  Json manifest = base::parse_json(base::read_file(files, healthy).value()).value();
  Json& library = manifest["libraries"].items()[0];
  library["path"] = "lib/plugin.so";
  library["sha256"] = sha256("lib/plugin.so");
  manifest["files"] = Json::object({{"fault", sha256("fault")}});
  if (evil.edit_manifest != nullptr) evil.edit_manifest(manifest);
  std::ofstream(root + "/pack.json") << manifest.dump(2) << "\n";
  if (evil.edit_folder != nullptr) evil.edit_folder(root);
}

}  // namespace mortise::plugin::kit
