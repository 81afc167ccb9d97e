// Tasks "ingest" and "dataset.check": an upload through a format pack into canonical rows and a
// report. The two differ in what they keep.
#include <algorithm>

#include "app/mortise-worker/context.h"
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

// Every file below a folder, as "a/b.png"; links are left alone.
Status list_files(base::FileOps& files, const std::string& root, const std::string& below,
                  std::vector<std::string>& out) {
  const std::string folder = below.empty() ? root : base::join_path(root, below);
  MORTISE_ASSIGN(const auto entries, files.list(folder));
  for (const base::FileInfo& entry : entries) {
    const std::string name = below.empty() ? entry.name : base::join_path(below, entry.name);
    if (entry.is_folder) {
      MORTISE_TRY(list_files(files, root, name, out));
    } else {
      out.push_back(name);
    }
  }
  return {};
}

bool is_rows_file(const std::string& name) {
  return name.ends_with(".jsonl") || name.ends_with(".json") || name.ends_with(".csv") ||
         name.ends_with(".parquet");
}

Result<std::string> choose_rows(const std::vector<std::string>& names, const std::string& wanted) {
  if (!wanted.empty()) {
    if (std::find(names.begin(), names.end(), wanted) != names.end()) return wanted;
    return Error(Code::kNotFound, "The upload has no file " + wanted + ".").at_file(wanted);
  }
  std::vector<std::string> found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found), is_rows_file);
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    return Error(Code::kNotFound, "The upload holds no file of rows.",
                 "Add a .jsonl file with one JSON object a line.");
  }
  return Error(Code::kInvalidArgument,
               "The upload holds " + found[0] + " and " + found[1] + "; one of them has the rows.",
               "Name it: ingest.rows, or give the file itself to `mortise dataset upload`.");
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
  std::string rows_folder, rows_name;
  ingest::IngestRequest request;
};

Result<ingest::IngestResult> read_source(Context& context, const Source& source,
                                         const Json& format) {
  MORTISE_TRY(context.services.grant("upload", source.rows_folder));
  std::string format_id = format["id"].as_string();
  if (format_id.empty()) {
    MORTISE_ASSIGN(const auto sample,
                   sample_of(context.files, source.rows_folder, source.rows_name));
    MORTISE_ASSIGN(const auto detected, context.registry.detect_format(sample));
    format_id = detected.plugin_id;
  }
  MORTISE_ASSIGN(
      plugin::Format opened,
      context.registry.open_format(format_id, {"upload/" + source.rows_name}, format["config"]));
  const int64_t total = opened.row_count_hint();
  ingest::PluginRows rows(std::move(opened), "upload");
  ingest::IngestHooks hooks;
  hooks.progress = [&](int64_t done) { context.progress("check", done, total); };
  hooks.is_cancelled = [&] { return context.is_cancelled.load(); };
  ingest::IngestRequest request = source.request;
  request.members_folder = source.rows_folder;
  auto result = ingest::run_ingest(context.files, rows, request, hooks);
  // People know the file by its own name, not by the root it was granted under.
  if (!result.ok() && result.error().file == "upload/" + source.rows_name) {
    result.error().file = source.rows_name;
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
    shown.at_file(report.rows_file).at_row(first.row).at_byte(first.byte_offset);
    result.summary += " First finding: " + shown.at_field(first.field).text();
  }
  Json media = Json::array();
  for (const std::string& name : ingested.used_media) media.push_back(name);
  result.record["used_media"] = std::move(media);
  result.record["report"] = report.to_json();
  return result;
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
  MORTISE_ASSIGN(source.rows_name, choose_rows(names, options["rows"].as_string()));
  source.request.task_type = manifest["task"].as_string();
  source.request.rows_name = source.rows_name;
  source.request.overrides = overrides_of(options["map"]);
  source.request.max_bad_rows = options["max_bad_rows"].as_int();
  source.request.patch = options["patch"].as_bool();
  source.request.output_folder = context.task.output_folder;
  for (const std::string& name : names) {
    if (name != source.rows_name) source.request.media[name] = base::join_path(folder, name);
  }
  MORTISE_ASSIGN(const auto ingested, read_source(context, source, manifest["plugins"]["format"]));
  job::TaskResult result = result_of(ingested);
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(context.files, context.task.output_folder));
  return result;
}

// arguments: {path, media?, task_type, map {}, max_bad_rows, patch}; path is a rows file or a
// folder.
Result<job::TaskResult> dataset_check(Context& context) {
  const std::string path = context.text("path");
  std::vector<std::string> names;
  Source source;
  const auto listed = context.files.list(path);
  if (listed.ok()) {
    MORTISE_TRY(list_files(context.files, path, "", names));
    source.rows_folder = path;
    MORTISE_ASSIGN(source.rows_name, choose_rows(names, context.text("rows")));
  } else {
    const size_t slash = path.rfind('/');
    source.rows_folder = slash == std::string::npos ? "." : path.substr(0, slash);
    source.rows_name = slash == std::string::npos ? path : path.substr(slash + 1);
  }
  std::string media_folder = context.text("media");
  if (media_folder.empty()) media_folder = source.rows_folder;
  names.clear();
  MORTISE_TRY(list_files(context.files, media_folder, "", names));
  for (const std::string& name : names) {
    if (media_folder != source.rows_folder || name != source.rows_name) {
      source.request.media[name] = base::join_path(media_folder, name);
    }
  }
  source.request.task_type = context.text("task_type");
  source.request.rows_name = source.rows_name;
  source.request.overrides = overrides_of(context.argument("map"));
  source.request.max_bad_rows = context.argument("max_bad_rows").as_int();
  source.request.patch = context.argument("patch").as_bool();
  MORTISE_ASSIGN(const auto ingested, read_source(context, source, Json()));
  job::TaskResult result = result_of(ingested);
  MORTISE_TRY(context.print(ingested.report.to_json().dump(2) + "\n"));
  return result;
}

}  // namespace mortise::worker
