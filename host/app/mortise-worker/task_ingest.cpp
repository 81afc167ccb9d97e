// Tasks "ingest" and "dataset.check": an upload through a format pack into canonical rows and a
// report. The two differ in what they keep.
#include <algorithm>

#include "app/mortise-worker/context.h"
#include "ingest/choose_rows.h"
#include "ingest/ingest.h"
#include "ingest/plugin_rows.h"

namespace mortise::worker {
namespace {

using base::Code;
using base::Error;
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

Result<plugin::FormatSample> sample_of(base::FileOps& files, const std::string& folder,
                                       const std::string& name) {
  MORTISE_ASSIGN(auto file, files.open(base::join_path(folder, name), base::OpenMode::kRead));
  plugin::FormatSample sample;
  sample.name = name;
  MORTISE_ASSIGN(sample.size_bytes, file->size());
  sample.head.resize(std::min<uint64_t>(sample.size_bytes, kSampleBytes));
  MORTISE_ASSIGN(const size_t read,
                 file->read_at(0, std::as_writable_bytes(std::span(sample.head))));
  sample.head.resize(read);
  return sample;
}

struct Source {
  std::string rows_folder;
  ingest::RowsFiles rows;
  ingest::IngestRequest request;
};

// What formats say of a file; only the one that the user named, if any.
Result<std::vector<ingest::FormatGuess>> guesses_of(Context& context, const std::string& folder,
                                                    const std::string& name,
                                                    const std::string& format_id) {
  MORTISE_ASSIGN(const auto sample, sample_of(context.files, folder, name));
  std::vector<ingest::FormatGuess> guesses;
  for (const auto& one : context.registry.probe_formats(sample)) {
    if (!format_id.empty() && one.plugin_id != format_id) continue;
    if (one.answer.score > 0) guesses.push_back({one.plugin_id, one.answer.score});
  }
  return guesses;
}

// names: every file of the folder. A format that the user named is taken at the user's word.
Status choose(Context& context, Source& source, const std::vector<std::string>& names,
              const std::vector<std::string>& wanted, const Json& format) {
  const std::string format_id = format["id"].as_string();
  const auto probe = [&](const std::string& name) -> Result<std::vector<ingest::FormatGuess>> {
    if (!wanted.empty() && !format_id.empty()) {
      return std::vector<ingest::FormatGuess>{{format_id, 100}};
    }
    return guesses_of(context, source.rows_folder, name, format_id);
  };
  MORTISE_ASSIGN(source.rows, ingest::choose_rows(names, wanted, probe));
  source.request.rows_names = source.rows.names;
  return {};
}

Result<ingest::IngestResult> read_source(Context& context, const Source& source,
                                         const Json& config) {
  const std::string root = "upload/";
  MORTISE_TRY(context.services.grant("upload", source.rows_folder));
  const std::vector<std::string>& names = source.rows.names;
  int64_t total = -1;
  ingest::PluginRows rows(names.size(), [&](size_t file) -> Result<plugin::Format> {
    MORTISE_ASSIGN(plugin::Format opened, context.registry.open_format(
                                              source.rows.format_id, {root + names[file]}, config));
    if (names.size() == 1) total = opened.row_count_hint();
    return opened;
  });
  ingest::IngestHooks hooks;
  hooks.progress = [&](int64_t done) { context.progress("check", done, total); };
  hooks.is_cancelled = [&] { return context.is_cancelled.load(); };
  auto result = ingest::run_ingest(context.files, rows, source.request, hooks);
  // People know a file by its own name, not by the root it was granted under.
  if (!result.ok() && result.error().file.starts_with(root)) {
    result.error().file.erase(0, root.size());
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> overrides_of(const Json& map) {
  std::vector<std::pair<std::string, std::string>> overrides;
  for (const auto& [target, column] : map.members()) {
    overrides.emplace_back(target, column.as_string());
  }
  return overrides;
}

job::TaskResult result_of(const ingest::IngestResult& ingested) {
  job::TaskResult result;
  const ingest::Report& report = ingested.report;
  result.ok = ingested.accepted;
  result.summary = std::to_string(report.rows_count - report.bad_rows_count) + " of " +
                   std::to_string(report.rows_count) + " rows are good, " +
                   std::to_string(report.media_count) + " media files.";
  if (!ingested.accepted && !report.findings.empty()) {
    const ingest::Finding& first = report.findings.front();
    Error shown(Code::kInvalidArgument, first.message, first.hint);
    shown.at_file(first.file.empty() ? report.rows_file : first.file)
        .at_row(first.row)
        .at_byte(first.byte_offset);
    result.summary += " First finding: " + shown.at_field(first.field).text();
  }
  Json media = Json::array();
  for (const std::string& name : ingested.used_media) media.push_back(name);
  result.record["used_media"] = std::move(media);
  result.record["report"] = report.to_json();
  return result;
}

// Every file of the folder that holds no rows may be a medium.
void add_media(Source& source, const std::vector<std::string>& names, const std::string& folder) {
  const std::vector<std::string>& rows = source.rows.names;
  for (const std::string& name : names) {
    const bool is_rows =
        folder == source.rows_folder && std::find(rows.begin(), rows.end(), name) != rows.end();
    if (!is_rows) source.request.media[name] = base::join_path(folder, name);
  }
}

}  // namespace

Result<job::TaskResult> task_ingest(Context& context) {
  const Json& manifest = context.task.manifest;
  const Json& options = manifest["ingest"];
  const std::string& folder = context.task.inputs.upload_folder;
  std::vector<std::string> names;
  MORTISE_TRY(list_files(context.files, folder, "", names));
  Source source;
  source.rows_folder = folder;
  const Json& format = manifest["plugins"]["format"];
  MORTISE_TRY(choose(context, source, names, texts_of(options["rows"]), format));
  source.request.task_type = manifest["task"].as_string();
  source.request.overrides = overrides_of(options["map"]);
  source.request.max_bad_rows = options["max_bad_rows"].as_int();
  source.request.patch = options["patch"].as_bool();
  source.request.output_folder = context.task.output_folder;
  add_media(source, names, folder);
  MORTISE_ASSIGN(const auto ingested, read_source(context, source, format["config"]));
  job::TaskResult result = result_of(ingested);
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(context.files, context.task.output_folder));
  return result;
}

// arguments: {path, rows [], format {id, config}, media?, task_type, map {}, max_bad_rows, patch};
// path is a rows file or a folder.
Result<job::TaskResult> dataset_check(Context& context) {
  const std::string path = context.text("path");
  const Json& format = context.argument("format");
  std::vector<std::string> names;
  std::vector<std::string> wanted = texts_of(context.argument("rows"));
  Source source;
  source.rows_folder = path;
  if (!context.files.list(path).ok()) {
    const size_t slash = path.rfind('/');
    source.rows_folder = slash == std::string::npos ? "." : path.substr(0, slash);
    wanted = {slash == std::string::npos ? path : path.substr(slash + 1)};
  }
  MORTISE_TRY(list_files(context.files, source.rows_folder, "", names));
  MORTISE_TRY(choose(context, source, names, wanted, format));
  const std::string media_folder = context.text("media");
  if (!media_folder.empty()) {
    names.clear();
    MORTISE_TRY(list_files(context.files, media_folder, "", names));
  }
  add_media(source, names, media_folder.empty() ? source.rows_folder : media_folder);
  source.request.task_type = context.text("task_type");
  source.request.overrides = overrides_of(context.argument("map"));
  source.request.max_bad_rows = context.argument("max_bad_rows").as_int();
  source.request.patch = context.argument("patch").as_bool();
  MORTISE_ASSIGN(const auto ingested, read_source(context, source, format["config"]));
  job::TaskResult result = result_of(ingested);
  MORTISE_TRY(context.print(ingested.report.to_json().dump(2) + "\n"));
  return result;
}

}  // namespace mortise::worker
