// Tasks "dataset.catalog" and "dataset.import": the known sets, and a folder of one of them as
// canonical rows. Nothing is fetched: the folder holds what the user brought.
#include <algorithm>

#include "app/mortise-worker/context.h"
#include "ingest/catalog/import.h"

namespace mortise::worker {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using ingest::catalog::Catalog;
using ingest::catalog::Entry;

namespace {

constexpr int64_t kLimit = 50;

Result<Catalog> read_catalog(Context& context) {
  MORTISE_ASSIGN(const std::string path, shared_path("catalog.jsonl"));
  MORTISE_ASSIGN(const std::string text, base::read_file(context.files, path));
  auto catalog = Catalog::parse(text);
  if (!catalog.ok()) return catalog.error().at_file(path);
  return catalog;
}

Json shown(const Entry& entry) {
  Json out = entry.status();
  for (const auto& [name, value] : entry.fields.members()) {
    if (name != "rows" && name != "tables") out[name] = value;
  }
  if (!out.contains("license")) out["license"] = "not known: confirm it before use";
  return out;
}

Result<Json> page_of(const std::vector<const Entry*>& found, int64_t limit,
                     const std::string& cursor) {
  Json items = Json::array();
  Json page = Json::object();
  for (const Entry* entry : found) {
    if (!cursor.empty() && entry->id() <= cursor) continue;
    if (static_cast<int64_t>(items.size()) == limit) {
      page["next_cursor"] = items.at(items.size() - 1)["id"];
      break;
    }
    items.push_back(shown(*entry));
  }
  page["items"] = std::move(items);
  return page;
}

}  // namespace

// arguments: {task, modality, language, license, layout, query, limit, cursor, summary}; the
// record's member "page" is the answer: {items, next_cursor?, sets, importable, needs_preparation},
// without items for a summary.
Result<job::TaskResult> dataset_catalog(Context& context) {
  MORTISE_ASSIGN(const Catalog catalog, read_catalog(context));
  ingest::catalog::Query query;
  query.task = context.text("task");
  query.modality = context.text("modality");
  query.language = context.text("language");
  query.license = context.text("license");
  query.layout = context.text("layout");
  query.words = context.text("query");
  const auto found = catalog.search(query);
  job::TaskResult result;
  result.ok = true;
  const auto ready = std::ranges::count_if(
      found, [](const Entry* entry) { return !entry->status().contains("reason"); });
  Json page = Json::object();
  if (!context.argument("summary").as_bool()) {
    MORTISE_ASSIGN(
        page, page_of(found, context.argument("limit").as_int(kLimit), context.text("cursor")));
  }
  page["sets"] = static_cast<uint64_t>(found.size());
  page["importable"] = static_cast<int64_t>(ready);
  page["needs_preparation"] = static_cast<int64_t>(found.size()) - ready;
  result.record["page"] = std::move(page);
  return result;
}

// arguments: {name, path, media?, task?, rows [], max_bad_rows, patch, out}. Leaves rows.jsonl,
// report.json and media/ in out; the record holds the report, the rows' task_type and media {name:
// file}.
Result<job::TaskResult> dataset_import(Context& context) {
  MORTISE_ASSIGN(const Catalog catalog, read_catalog(context));
  ingest::catalog::ImportRequest request;
  MORTISE_ASSIGN(request.entry, catalog.find(context.text("name")));
  request.task = context.text("task");
  request.folder = context.text("path");
  for (const Json& name : context.argument("rows").items()) {
    request.rows.push_back(name.as_string());
  }
  for (const std::string& folder : {context.text("media"), request.folder}) {
    std::vector<std::string> names;
    if (!folder.empty()) MORTISE_TRY(list_files(context.files, folder, "", names));
    for (const std::string& name : names) request.files[name] = base::join_path(folder, name);
  }
  request.max_bad_rows = context.argument("max_bad_rows").as_int();
  request.patch = context.argument("patch").as_bool();
  request.output_folder = context.text("out");
  ingest::IngestHooks hooks;
  hooks.progress = [&](int64_t done) { context.progress("import", done, -1); };
  hooks.is_cancelled = [&] { return context.is_cancelled.load(); };
  MORTISE_ASSIGN(const auto imported,
                 ingest::catalog::import_set(context.files, context.registry, request, hooks));
  const ingest::Report& report = imported.ingested.report;
  job::TaskResult result;
  result.ok = imported.ingested.accepted;
  result.summary = std::to_string(report.rows_count - report.bad_rows_count) + " of " +
                   std::to_string(report.rows_count) + " rows are good.";
  result.record["report"] = report.to_json();
  result.record["task_type"] = imported.task_type;
  Json media = Json::object();
  for (const auto& [name, path] : imported.media) media[name] = path;
  result.record["media"] = std::move(media);
  return result;
}

}  // namespace mortise::worker
