// Tasks "ingest" and "dataset.check": an upload through a format pack into canonical rows and a
// report. The two differ in what they keep.
#include <algorithm>
#include <map>

#include "app/mortise-worker/context.h"
#include "base/crypto.h"
#include "ingest/change.h"
#include "ingest/choose_rows.h"
#include "ingest/folder_output.h"
#include "ingest/ingest.h"
#include "ingest/plugin_rows.h"
#include "ingest/sealed_output.h"
#include "job/dataset_file.h"
#include "job/report_page.h"
#include "schemas/schemas.h"

namespace mortise::worker {
namespace {

using base::Json;
using base::Result;
using base::Status;

constexpr size_t kSampleBytes = 64 * 1024;

// A text, or a list of them.
std::vector<std::string> texts_of(const Json& value) {
  std::vector<std::string> texts;
  if (!value.as_string().empty()) texts.push_back(value.as_string());
  for (const Json& item : value.items()) texts.push_back(item.as_string());
  return texts;
}

// The files, where plugins find them, and how they are read.
struct Source {
  const ingest::UploadFiles* files = nullptr;
  ingest::RowsFiles rows;
  ingest::IngestRequest request;
};

Result<plugin::FormatSample> sample_of(const ingest::UploadFiles& files, const std::string& name) {
  MORTISE_ASSIGN(auto file, files.open(name));
  plugin::FormatSample sample;
  sample.name = name;
  MORTISE_ASSIGN(sample.size_bytes, file->size());
  sample.head.resize(std::min<uint64_t>(sample.size_bytes, kSampleBytes));
  MORTISE_ASSIGN(const size_t read,
                 file->read_at(0, std::as_writable_bytes(std::span(sample.head))));
  sample.head.resize(read);
  return sample;
}

// What formats say of a file; only the one that the user named, if any.
Result<std::vector<ingest::FormatGuess>> guesses_of(Context& context,
                                                    const ingest::UploadFiles& files,
                                                    const std::string& name,
                                                    const std::string& format_id) {
  MORTISE_ASSIGN(const auto sample, sample_of(files, name));
  std::vector<ingest::FormatGuess> guesses;
  for (const auto& one : context.registry.probe_formats(sample)) {
    if (!format_id.empty() && one.plugin_id != format_id) continue;
    if (one.answer.score > 0) guesses.push_back({one.plugin_id, one.answer.score});
  }
  return guesses;
}

Result<std::vector<std::string>> names_of(const ingest::UploadFiles& files) {
  std::vector<std::string> names;
  MORTISE_TRY(files.visit([&](const std::string& name) -> Status {
    names.push_back(name);
    return {};
  }));
  return names;
}

// A format that the user named is taken at the user's word.
Status choose(Context& context, Source& source, const std::vector<std::string>& wanted,
              const Json& format) {
  MORTISE_ASSIGN(const std::vector<std::string> names, names_of(*source.files));
  const std::string format_id = format["id"].as_string();
  const auto probe = [&](const std::string& name) -> Result<std::vector<ingest::FormatGuess>> {
    if (!wanted.empty() && !format_id.empty()) {
      return std::vector<ingest::FormatGuess>{{format_id, 100}};
    }
    return guesses_of(context, *source.files, name, format_id);
  };
  MORTISE_ASSIGN(source.rows, ingest::choose_rows(names, wanted, probe, format_id));
  source.request.rows_names = source.rows.names;
  return {};
}

// Hands the rows of the source to `take`, with the hooks of the task.
template <class Take>
auto with_rows(Context& context, const Source& source, const Json& config, const Take& take) {
  const std::string root = "upload/";
  const std::vector<std::string>& names = source.rows.names;
  const bool is_folder = names[0].empty();
  int64_t total = -1;
  ingest::PluginRows rows(
      names.size(),
      [&](size_t file) -> Result<plugin::Format> {
        const std::string uri = is_folder ? "upload" : root + names[file];
        MORTISE_ASSIGN(plugin::Format opened,
                       context.registry.open_format(source.rows.format_id, {uri}, config));
        if (names.size() == 1) total = opened.row_count_hint();
        return opened;
      },
      root);
  ingest::IngestHooks hooks;
  hooks.progress = [&](int64_t done) { context.progress("check", done, total); };
  hooks.is_cancelled = [&] { return context.is_cancelled.load(); };
  auto result = take(rows, hooks);
  if (!result.ok() && result.error().file == "upload") {  // the folder, which it cannot read
    result =
        base::Error(base::Code::kNotFound,
                    "The upload holds no file of rows that " + source.rows.format_id + " knows.",
                    "Name its file with --rows FILE, or another format with --format ID.");
  }
  // People know a file by its own name, not by the root it was granted under.
  if (!result.ok() && result.error().file.starts_with(root)) {
    result.error().file.erase(0, root.size());
  }
  return result;
}

Result<ingest::IngestResult> read_source(Context& context, const Source& source,
                                         const Json& config) {
  return with_rows(context, source, config, [&](ingest::RowSource& rows, const auto& hooks) {
    return ingest::run_ingest(rows, source.request, hooks);
  });
}

// The tables of the version that is changed, as dataset.json names them.
struct Parent {
  store::RowTable rows;
  store::NameTable media;
};
Result<Parent> parent_of(Context& context, const std::shared_ptr<store::Domain>& domain) {
  MORTISE_ASSIGN(const job::DatasetFile file,
                 job::read_dataset_file(context.files, context.task.inputs.dataset_file));
  MORTISE_ASSIGN(const auto rows, store::parse_object_ref(file.rows_object));
  MORTISE_ASSIGN(const auto media, store::parse_object_ref(file.media_object));
  MORTISE_ASSIGN(store::RowTable row_table, store::RowTable::open(domain, rows));
  MORTISE_ASSIGN(store::NameTable name_table, store::NameTable::open(domain, media));
  return Parent{std::move(row_table), std::move(name_table)};
}

std::vector<std::pair<std::string, std::string>> overrides_of(const Json& map) {
  std::vector<std::pair<std::string, std::string>> overrides;
  for (const auto& [target, column] : map.members()) {
    overrides.emplace_back(target, column.as_string());
  }
  return overrides;
}

// What is kept says where the first finding is, not what: what rows hold stays sealed. A check of
// local files is only shown and says it all.
std::string summary_of(const ingest::IngestResult& ingested, bool is_kept) {
  const ingest::Report& report = ingested.report;
  std::string text = std::to_string(report.rows_count - report.bad_rows_count) + " of " +
                     std::to_string(report.rows_count) + " rows are good, " +
                     std::to_string(report.media_count) + " media files.";
  if (ingested.accepted || report.findings.empty()) return text;
  const auto is_cause = [](const ingest::Finding& found) { return found.severity == "error"; };
  const auto cause = std::ranges::find_if(report.findings, is_cause);
  const ingest::Finding& first = cause == report.findings.end() ? report.findings.front() : *cause;
  if (!is_kept) {
    base::Error shown(base::Code::kInvalidArgument, first.message, first.hint);
    shown.at_file(first.file.empty() ? report.rows_file : first.file).at_row(first.row);
    return text +
           " First finding: " + shown.at_byte(first.byte_offset).at_field(first.field).text();
  }
  text += " First finding: " + first.code;
  if (first.row > 0) text += " in row " + std::to_string(first.row);
  if (!first.field.empty()) text += ", field " + first.field;
  return text + ". The report has them all.";
}

job::TaskResult result_of(const ingest::IngestResult& ingested, bool is_kept) {
  job::TaskResult result;
  result.ok = ingested.accepted;
  result.summary = summary_of(ingested, is_kept);
  result.record["mapping"] = ingested.report.mapping;
  result.record["change"] = ingested.report.change;
  result.record["counts"] = Json::object({{"rows_count", ingested.report.rows_count},
                                          {"bad_rows_count", ingested.report.bad_rows_count},
                                          {"media_count", ingested.report.media_count}});
  return result;
}

// A mended copy never lies over what is there.
Status check_new_folder(Context& context, const std::string& out) {
  if (out.empty()) return {};
  MORTISE_ASSIGN(const bool there, context.files.exists(out));
  if (!there) return base::make_folders(context.files, out);
  return base::Error(base::Code::kAlreadyExists, out + " is there already.",
                     "Name a folder that is not, with --out.");
}

// Tokens of texts through a tokenizer pack, as a job would count them.
class PluginCounter final : public ingest::TokenCounter {
 public:
  explicit PluginCounter(plugin::Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}
  Result<std::vector<int64_t>> count(std::span<const std::string> texts) override {
    MORTISE_ASSIGN(const auto encoded, tokenizer_.encode_batch(texts));
    std::vector<int64_t> counts;
    for (const auto& ids : encoded) counts.push_back(static_cast<int64_t>(ids.size()));
    return counts;
  }

 private:
  plugin::Tokenizer tokenizer_;
};

// The tokenizer of the stored model that the upload names; null when it names none.
Result<std::unique_ptr<PluginCounter>> open_counter_of_model(Context& context) {
  const std::string& folder = context.task.inputs.model_folder;
  if (folder.empty()) return std::unique_ptr<PluginCounter>();
  MORTISE_TRY(context.services.grant("model", folder));
  auto tokenizer = context.registry.open_tokenizer(context.tokenizer_id(), "model", Json::object());
  if (!tokenizer.ok()) return std::move(tokenizer.error().at_field("/ingest/tokenizer"));
  return std::make_unique<PluginCounter>(std::move(*tokenizer));
}

// tokenizer: a folder or file of this machine; "" counts nothing.
Result<std::unique_ptr<PluginCounter>> open_counter(Context& context, const std::string& path) {
  if (path.empty()) return std::unique_ptr<PluginCounter>();
  MORTISE_ASSIGN(plugin::Tokenizer tokenizer, open_local_tokenizer(context, path, Json::object()));
  return std::make_unique<PluginCounter>(std::move(tokenizer));
}

// The mended copy, under out: rows.jsonl and media/ only for an accepted set, the report always.
Status write_copy(Context& context, const std::string& out, const ingest::IngestResult& ingested,
                  ingest::FolderOutput& output) {
  if (ingested.accepted) {
    MORTISE_TRY(output.finish());
  } else {
    MORTISE_TRY(base::remove_tree(context.files, out));
    MORTISE_TRY(base::make_folders(context.files, out));
  }
  return base::write_file_durably(context.files, base::join_path(out, "report.json"),
                                  ingested.report.to_json().dump(2) + "\n");
}

// Rows of a new data set, or the change of a stored version when the task has one.
Result<ingest::Changed> make_version(Context& context, Source& source, ingest::SealedUpload& upload,
                                     ingest::SealedOutput& output) {
  const Json& config = context.task.manifest["plugins"]["format"]["config"];
  const std::string& kind = context.task.manifest["ingest"]["change"].as_string();
  ingest::Changed made;
  if (kind.empty()) {
    MORTISE_ASSIGN(made.ingested, read_source(context, source, config));
    if (!made.ingested.accepted) return made;
    MORTISE_ASSIGN(made.rows, output.finish_rows());
    MORTISE_ASSIGN(made.media, output.finish_media(made.ingested.used_media, upload));
    return made;
  }
  MORTISE_ASSIGN(const OpenDomain* const sealed, context.sealed());
  MORTISE_ASSIGN(const Parent parent, parent_of(context, sealed->domain));
  upload.set_below(std::make_unique<ingest::SealedUpload>(sealed->domain, parent.media));
  ingest::ChangeRequest request;
  request.task_type = source.request.task_type;
  request.rows_names = source.rows.names;
  request.domain = sealed->domain;
  request.parent = &parent.rows;
  request.parent_media = &parent.media;
  request.upload = &upload;
  request.output = &output;
  if (kind == "append") {
    return ingest::append_rows(request, [&] { return read_source(context, source, config); });
  }
  return with_rows(context, source, config, [&](ingest::RowSource& rows, const auto& hooks) {
    return ingest::edit_rows(rows, request, hooks);
  });
}

}  // namespace

// Reads sealed files, seals what it makes: rows, media and the report are objects of the upload's
// domain, named in the record.
Result<job::TaskResult> task_ingest(Context& context) {
  const Json& manifest = context.task.manifest;
  const Json& options = manifest["ingest"];
  MORTISE_ASSIGN(const OpenDomain* const sealed, context.sealed());
  MORTISE_ASSIGN(const auto files, store::parse_object_ref(context.task.inputs.upload_files));
  MORTISE_ASSIGN(auto table, store::NameTable::open(sealed->domain, files));
  ingest::SealedUpload upload(sealed->domain, std::move(table));
  MORTISE_TRY(context.services.grant_files("upload", upload.files()));
  ingest::SealedOutput output(sealed->domain, sealed->key);
  Source source;
  source.files = &upload;
  const Json& format = manifest["plugins"]["format"];
  MORTISE_TRY(choose(context, source, texts_of(options["rows"]), format));
  source.request.task_type = manifest["task"].as_string();
  source.request.overrides = overrides_of(options["map"]);
  source.request.max_bad_rows = options["max_bad_rows"].as_int();
  source.request.patch = options["patch"].as_bool();
  MORTISE_ASSIGN(const auto counter, open_counter_of_model(context));
  source.request.set.tokens = counter.get();
  source.request.set.length_max = options["max_length"].as_int();
  source.request.upload = &upload;
  source.request.rows = &output;
  source.request.media = &output;
  MORTISE_ASSIGN(const ingest::Changed made, make_version(context, source, upload, output));
  job::TaskResult result = result_of(made.ingested, true);
  Json objects = Json::object();
  if (made.ingested.accepted) {
    objects = Json::object({{"rows", to_text(made.rows)}, {"media", to_text(made.media)}});
  }
  MORTISE_ASSIGN(const auto report,
                 sealed->domain->put(base::as_bytes(made.ingested.report.to_json().dump())));
  objects["report"] = to_text(report);
  result.record["sealed"] = std::move(objects);
  const std::string schema = "rows/" + source.request.task_type + ".json";
  result.record["schema"] =
      Json::object({{"name", schema},
                    {"sha256", base::to_hex(base::sha256(base::as_bytes(schemas::text(schema))))}});
  return result;
}

// arguments: {path, rows [], format {id, config}, media?, task_type, map {}, max_bad_rows, patch,
// tokenizer?, max_length, report?, out?}; path is a rows file or a folder. What is looked at is
// what `dataset upload` would send: of a rows file only what its rows name of its folder.
Result<job::TaskResult> dataset_check(Context& context) {
  const std::string path = context.text("path");
  const Json& format = context.argument("format");
  std::vector<std::string> wanted = texts_of(context.argument("rows"));
  std::string folder = path, beside;
  std::map<std::string, std::string> paths;
  if (!context.files.list(path).ok()) {
    const size_t slash = path.rfind('/');
    folder = beside = slash == std::string::npos ? "." : path.substr(0, slash);
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    MORTISE_ASSIGN(const bool is_there, context.files.exists(path));
    if (is_there) paths.emplace(name, path);
    if (wanted.empty()) wanted = {name};
  }
  const auto add = [&](const std::string& below) -> Status {
    std::vector<std::string> names;
    MORTISE_TRY(list_files(context.files, below, "", names));
    for (const std::string& name : names) paths.emplace(name, base::join_path(below, name));
    return {};
  };
  if (beside.empty()) MORTISE_TRY(add(folder));
  if (!context.text("media").empty()) MORTISE_TRY(add(context.text("media")));
  const ingest::LocalFiles files(context.files, std::move(paths), beside);
  MORTISE_TRY(context.services.grant("upload", folder));
  Source source;
  source.files = &files;
  MORTISE_TRY(choose(context, source, wanted, format));
  source.request.upload = &files;
  source.request.task_type = context.text("task_type");
  source.request.overrides = overrides_of(context.argument("map"));
  source.request.max_bad_rows = context.argument("max_bad_rows").as_int();
  source.request.patch = context.argument("patch").as_bool();
  MORTISE_ASSIGN(const auto counter, open_counter(context, context.text("tokenizer")));
  source.request.set.tokens = counter.get();
  source.request.set.length_max = context.argument("max_length").as_int();
  const std::string out = context.text("out"), page = context.text("report");
  MORTISE_TRY(check_new_folder(context, out));
  ingest::FolderOutput output(context.files, out);
  if (!out.empty()) source.request.rows = &output;
  if (!out.empty()) source.request.media = &output;
  MORTISE_ASSIGN(const auto ingested, read_source(context, source, format["config"]));
  job::TaskResult result = result_of(ingested, false);
  if (!out.empty()) MORTISE_TRY(write_copy(context, out, ingested, output));
  if (!page.empty()) {
    MORTISE_TRY(
        base::write_file_durably(context.files, page, job::report_page(ingested.report.to_json())));
  }
  MORTISE_TRY(context.print(ingested.report.to_json().dump(2) + "\n"));
  return result;
}

}  // namespace mortise::worker
