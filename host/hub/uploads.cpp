// See uploads.h.
#include "hub/uploads.h"

#include "base/file_ops.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr const char* kUploadColumns =
    "SELECT u.id, u.name, u.state, u.options, u.job_id, u.result, u.created_ns, u.domain,"
    " u.files_ref, u.report_ref, (SELECT count(*) FROM upload_files f WHERE f.upload_id = u.id) +"
    " (SELECT coalesce(sum(files_count), 0) FROM upload_tables t WHERE t.upload_id = u.id),"
    " (SELECT coalesce(sum(size_bytes), 0) FROM upload_files f WHERE f.upload_id = u.id) +"
    " (SELECT coalesce(sum(size_bytes), 0) FROM upload_tables t WHERE t.upload_id = u.id)"
    " FROM uploads u ";

Upload upload_of(const Row& row) {
  Upload upload;
  upload.id = row.text(0);
  upload.name = row.text(1);
  upload.state = row.text(2);
  upload.options = stored_json(row.text(3));
  upload.job_id = row.text(4);
  upload.result = stored_json(row.text(5));
  upload.created_ns = row.integer(6);
  upload.domain = row.text(7);
  upload.files_ref = row.text(8);
  upload.report_ref = row.text(9);
  upload.files_count = row.integer(10);
  upload.size_bytes = row.integer(11);
  return upload;
}

// The ingest job that checks this upload.
Result<job::Manifest> check_manifest_of(const Upload& upload) {
  Json ingest = Json::object({{"upload", upload.id}});
  for (const char* key : {"rows", "modalities", "map", "labels", "max_bad_rows", "tokenizer",
                          "max_length", "draft", "patch", "change", "parent", "parent_newest"}) {
    if (const Json* value = upload.options.find(key)) ingest[key] = *value;
  }
  Json manifest = Json::object({{"kind", "ingest"}, {"name", upload.name}, {"ingest", ingest}});
  if (const Json* task = upload.options.find("task_type")) manifest["task"] = *task;
  if (const Json* text = upload.options.find("description")) manifest["description"] = *text;
  if (const Json* format = upload.options.find("format")) {
    manifest["plugins"] = Json::object({{"format", *format}});
  }
  return job::check_manifest(std::move(manifest), "the upload's options");
}

bool is_open(const Upload& upload) {
  return upload.state == "open" || upload.state == "failed";
}

Error not_open(const Upload& upload) {
  return Error(Code::kFailedPrecondition,
               "The upload " + upload.id + " is " + upload.state + " and takes no change.",
               upload.state == "checking" ? "Wait for its check." : "Start a new upload.");
}

Error takes_no_change(const std::string& id) {
  return Error(Code::kFailedPrecondition,
               "The upload " + id + " is being checked, is over, or does not exist.",
               "Wait for its check, or start a new upload.");
}

}  // namespace

Json Upload::to_json() const {
  return Json::object({{"id", id},
                       {"name", name},
                       {"state", state},
                       {"options", options},
                       {"job_id", job_id.empty() ? Json() : Json(job_id)},
                       {"result", result},
                       {"files_count", files_count},
                       {"size_bytes", size_bytes},
                       {"created_at", base::format_utc(created_ns)}});
}

Result<Upload> Uploads::create(const std::string& name, const Json& options) {
  if (!job::is_valid_name(name)) {
    return Error(Code::kInvalidArgument, "\"" + name + "\" is not a name for a data set or model.",
                 "Use 1 to 128 letters, digits, '.', '_' and '-', a letter or digit first.")
        .at_field("/name");
  }
  const std::string id = base::random_hex(*random_, 16);
  if (options.contains("task_type")) {
    // What the check would refuse is refused before anything is sent.
    Upload upload;
    upload.id = id;
    upload.name = name;
    upload.options = options;
    MORTISE_TRY(check_manifest_of(upload));
  }
  MORTISE_ASSIGN(const std::string domain, domains_->id_of(name));
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "INSERT INTO uploads VALUES (?1, ?2, 'open', ?3, '', 'null', ?4, '', '', ?5)",
        {id, name, options.dump(), domain, clock_->now_ns()}));
    return {};
  }));
  return get(id);
}

Result<Upload> Uploads::join(const std::string& name, const std::string& task_type) {
  const std::lock_guard lock(join_mutex_);
  std::string id;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("SELECT id FROM uploads WHERE name = ?1 AND state = 'open' ORDER BY "
                       "created_ns DESC LIMIT 1",
                       {name}, [&id](const Row& row) { id = row.text(0); }));
    return {};
  }));
  if (!id.empty()) return get(id);
  Json options = Json::object();
  if (!task_type.empty()) options["task_type"] = task_type;
  return create(name, options);
}

Result<Upload> Uploads::get(const std::string& id) {
  std::vector<Upload> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run(std::string(kUploadColumns) + "WHERE u.id = ?1 AND u.state <> 'removed'",
                       {id}, [&](const Row& row) { found.push_back(upload_of(row)); }));
    return {};
  }));
  if (found.empty()) return not_found("upload", id);
  return std::move(found[0]);
}

Result<Page<Upload>> Uploads::list(const PageRequest& page) {
  MORTISE_ASSIGN(const TimeCursor after, parse_time_cursor(page.cursor));
  Page<Upload> result;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kUploadColumns) +
                                   "WHERE u.state <> 'removed' AND (u.created_ns, u.id) < (?1, ?2)"
                                   " ORDER BY u.created_ns DESC, u.id DESC LIMIT ?3",
                               {after.created_ns, after.id, page.limit + 1},
                               [&](const Row& row) { result.items.push_back(upload_of(row)); }));
    return {};
  }));
  if (static_cast<int64_t>(result.items.size()) > page.limit) {
    result.items.pop_back();
    result.next_cursor = write_time_cursor(result.items.back().created_ns, result.items.back().id);
  }
  return result;
}

Result<Page<store::NamedObject>> Uploads::files(const std::string& id, const PageRequest& page) {
  MORTISE_ASSIGN(const Upload upload, get(id));
  MORTISE_ASSIGN(const store::ObjectRef ref, gather_files(upload));
  MORTISE_ASSIGN(const auto domain, domains_->open(upload.domain));
  MORTISE_ASSIGN(const store::NameTable table, store::NameTable::open(domain, ref));
  return page_of_names(table, page);
}

Status Uploads::require_open(const Upload& upload) const {
  return is_open(upload) ? Status() : Status(not_open(upload));
}

Status Uploads::put_file(Connection& connection, const std::string& id, const std::string& name,
                         const store::ObjectRef& file) {
  MORTISE_TRY(base::check_relative_path(name));
  MORTISE_ASSIGN(const int64_t changed,
                 connection.run("INSERT INTO upload_files SELECT ?1, ?2, ?3, ?4 FROM uploads"
                                " WHERE id = ?1 AND state IN ('open', 'failed')"
                                " ON CONFLICT (upload_id, name) DO UPDATE SET"
                                " file_ref = excluded.file_ref, size_bytes = excluded.size_bytes",
                                {id, name, to_text(file), static_cast<int64_t>(file.size_bytes)}));
  return changed == 1 ? Status() : Status(takes_no_change(id));
}

Status Uploads::put_file(const std::string& id, const std::string& name,
                         const store::ObjectRef& file) {
  return database_->write(
      [&](Connection& connection) { return put_file(connection, id, name, file); });
}

Status Uploads::put_table(Connection& connection, const std::string& id,
                          const store::NamesWritten& table) {
  MORTISE_ASSIGN(
      const int64_t changed,
      connection.run("INSERT INTO upload_tables SELECT ?1, (SELECT coalesce(max(number), 0) + 1"
                     " FROM upload_tables WHERE upload_id = ?1), ?2, ?3, ?4 FROM uploads"
                     " WHERE id = ?1 AND state IN ('open', 'failed')",
                     {id, to_text(table.ref), static_cast<int64_t>(table.count),
                      static_cast<int64_t>(table.content_bytes)}));
  return changed == 1 ? Status() : Status(takes_no_change(id));
}

Status Uploads::put_table(const std::string& id, const store::NamesWritten& table) {
  return database_->write([&](Connection& connection) { return put_table(connection, id, table); });
}

Result<store::ObjectRef> Uploads::gather_files(const Upload& upload) {
  if (!upload.files_ref.empty() && upload.state != "failed" && upload.state != "open") {
    return store::parse_object_ref(upload.files_ref);
  }
  MORTISE_ASSIGN(const auto domain, domains_->open(upload.domain));
  store::NameTableWriter singles(domain);
  std::vector<store::ObjectRef> refs;
  Status status;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    const auto each = [&](const Row& row) {
      const auto ref = store::parse_object_ref(row.text(1));
      if (status.ok()) status = ref.ok() ? singles.add(row.text(0), *ref) : Status(ref.error());
    };
    MORTISE_TRY(
        connection.run("SELECT name, file_ref FROM upload_files WHERE upload_id = ?1 ORDER BY name",
                       {upload.id}, each));
    MORTISE_TRY(
        connection.run("SELECT files_ref FROM upload_tables WHERE upload_id = ?1 ORDER BY number",
                       {upload.id}, [&](const Row& row) {
                         const auto ref = store::parse_object_ref(row.text(0));
                         if (ref.ok()) refs.push_back(*ref);
                         if (!ref.ok() && status.ok()) status = ref.error();
                       }));
    return {};
  }));
  MORTISE_TRY(status);
  MORTISE_ASSIGN(const store::ObjectRef of_singles, singles.finish());
  refs.push_back(of_singles);  // a file sent by itself wins over one in a bundle
  std::vector<store::NameTable> tables;
  for (const store::ObjectRef& ref : refs) {
    MORTISE_ASSIGN(store::NameTable table, store::NameTable::open(domain, ref));
    tables.push_back(std::move(table));
  }
  MORTISE_ASSIGN(const store::ObjectRef all, store::merge_names(domain, tables));
  MORTISE_TRY(domain->sync());
  return all;
}

Status Uploads::remove_file(const std::string& id, const std::string& name) {
  MORTISE_ASSIGN(const Upload upload, get(id));
  MORTISE_TRY(require_open(upload));
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(
        const int64_t changed,
        connection.run("DELETE FROM upload_files WHERE upload_id = ?1 AND name = ?2", {id, name}));
    return changed == 1
               ? Status()
               : Status(not_found("file", name,
                                  "A file that came in a bundle stays; send another under its name,"
                                  " or start a new upload."));
  });
}

Status Uploads::remove(const std::string& id) {
  MORTISE_ASSIGN(const Upload upload, get(id));
  if (upload.state == "checking") return not_open(upload);
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("UPDATE uploads SET state = 'removed' WHERE id = ?1 AND"
                       " state <> 'checking'",
                       {id}));
    MORTISE_TRY(connection.run("DELETE FROM upload_files WHERE upload_id = ?1", {id}));
    MORTISE_TRY(connection.run("DELETE FROM upload_tables WHERE upload_id = ?1", {id}));
    MORTISE_TRY(
        connection.run("DELETE FROM transfer_parts WHERE transfer_id IN"
                       " (SELECT id FROM transfers WHERE upload_id = ?1)",
                       {id}));
    MORTISE_TRY(
        connection.run("UPDATE transfers SET state = 'removed' WHERE upload_id = ?1", {id}));
    return {};
  });
}

Result<Job> Uploads::begin_check(const std::string& id) {
  MORTISE_ASSIGN(const Upload upload, get(id));
  MORTISE_TRY(require_open(upload));
  if (upload.files_count == 0) {
    return Error(Code::kFailedPrecondition, "The upload " + id + " has no files.",
                 "Send at least the file with the rows.");
  }
  MORTISE_ASSIGN(const job::Manifest manifest, check_manifest_of(upload));
  MORTISE_ASSIGN(const auto domain, domains_->open_to_store(upload.domain));
  MORTISE_ASSIGN(const store::ObjectRef files, gather_files(upload));
  std::string job_id;
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(job_id, jobs_->submit_in(connection, {manifest, "", "", ""}));
    MORTISE_ASSIGN(const int64_t changed,
                   connection.run("UPDATE uploads SET state = 'checking', job_id = ?2,"
                                  " result = 'null', report_ref = '', files_ref = ?3"
                                  " WHERE id = ?1 AND state IN ('open', 'failed')",
                                  {id, job_id, to_text(files)}));
    return changed == 1 ? Status() : Status(not_open(upload));
  }));
  return jobs_->get(job_id);
}

Status Uploads::set_result(Connection& connection, const std::string& id, const char* state,
                           const Json& result, const std::string& report_ref) {
  MORTISE_TRY(
      connection.run("UPDATE uploads SET state = ?2, result = ?3, report_ref = ?4 WHERE id = ?1",
                     {id, std::string(state), result.dump(), report_ref}));
  return {};
}

Status Uploads::set_committed(Connection& connection, const std::string& id, const Json& result,
                              const std::string& report_ref) {
  return set_result(connection, id, "committed", result, report_ref);
}

Status Uploads::set_failed(Connection& connection, const std::string& id, const Json& result,
                           const std::string& report_ref) {
  return set_result(connection, id, "failed", result, report_ref);
}

}  // namespace mortise::hub
