// See upkeep.h.
#include "hub/upkeep.h"

#include <filesystem>
#include <map>
#include <set>

#include "hub/row_search.h"
#include "job/task.h"

namespace mortise::hub {

using base::Json;
using base::Result;
using base::Status;

namespace {

using LiveChunks = std::set<store::ChunkId>;

Status add_object(store::Domain& domain, const std::string& ref, LiveChunks& live) {
  if (ref.empty()) return {};
  MORTISE_ASSIGN(const store::ObjectRef object, store::parse_object_ref(ref));
  return domain.chunks_of(object, [&live](const store::ChunkUse& use) { live.insert(use.id); });
}

// The table itself and everything that it names.
Status add_names(const std::shared_ptr<store::Domain>& domain, const std::string& ref,
                 LiveChunks& live) {
  if (ref.empty()) return {};
  MORTISE_TRY(add_object(*domain, ref, live));
  MORTISE_ASSIGN(const store::ObjectRef object, store::parse_object_ref(ref));
  MORTISE_ASSIGN(const store::NameTable table, store::NameTable::open(domain, object));
  return table.visit([&](const store::NamedObject& entry) {
    return add_object(*domain, to_text(entry.ref), live);
  });
}

Status add_rows(const std::shared_ptr<store::Domain>& domain, const std::string& ref,
                LiveChunks& live) {
  if (ref.empty()) return {};
  MORTISE_TRY(add_object(*domain, ref, live));
  MORTISE_ASSIGN(const store::ObjectRef object, store::parse_object_ref(ref));
  MORTISE_ASSIGN(const store::RowTable table, store::RowTable::open(domain, object));
  for (const store::RowGroup& group : table.groups()) {
    MORTISE_TRY(add_object(*domain, to_text(group.ref), live));
  }
  return {};
}

// What a domain's live objects are: {kind, reference}; kind: rows, names or object.
Result<std::vector<std::pair<std::string, std::string>>> live_objects(Database& database,
                                                                      const std::string& domain) {
  std::vector<std::pair<std::string, std::string>> found;
  const auto add = [&found](const Row& row) { found.emplace_back(row.text(0), row.text(1)); };
  MORTISE_TRY(database.read([&](Connection& connection) -> Status {
    for (const char* statement :
         {"SELECT 'rows', rows_ref FROM versions WHERE domain = ?1",
          "SELECT 'names', media_ref FROM versions WHERE domain = ?1",
          "SELECT 'names', originals_ref FROM versions WHERE domain = ?1",
          "SELECT 'object', report_ref FROM versions WHERE domain = ?1",
          "SELECT 'names', files_ref FROM uploads WHERE domain = ?1 AND state <> 'removed'",
          "SELECT 'object', report_ref FROM uploads WHERE domain = ?1 AND state <> 'removed'",
          "SELECT 'object', f.file_ref FROM upload_files f JOIN uploads u ON u.id = f.upload_id"
          " WHERE u.domain = ?1",
          "SELECT 'names', t.files_ref FROM upload_tables t JOIN uploads u ON u.id = t.upload_id"
          " WHERE u.domain = ?1",
          "SELECT 'object', p.part_ref FROM transfer_parts p JOIN transfers t ON"
          " t.id = p.transfer_id WHERE t.domain = ?1",
          "SELECT 'object', file_ref FROM transfers WHERE domain = ?1 AND state = 'complete' AND"
          " (upload_id = '' OR kind = 'partial')"}) {
      MORTISE_TRY(connection.run(statement, {domain}, add));
    }
    return {};
  }));
  return found;
}

// What jobs sealed beside rows, by domain: predictions, and of a search what it looks for and what
// it found, for a day.
Result<std::map<std::string, std::vector<std::string>>> objects_of_jobs(Hub& hub) {
  std::map<std::string, std::vector<std::string>> found;
  const int64_t since_ns = hub.clock().now_ns() - kMatchesKeptNs;
  MORTISE_TRY(hub.database().read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "SELECT manifest, record FROM jobs WHERE (kind = 'search' AND (finished_ns = 0 OR"
        " finished_ns > ?1)) OR (kind <> 'search' AND instr(record, ?2) > 0)",
        {since_ns, std::string("\"objects\":")}, [&](const Row& row) {
          const Json manifest = stored_json(row.text(0)), record = stored_json(row.text(1));
          const Json& search = manifest["search"];
          if (!search.is_null()) {
            found[search["domain"].as_string()].push_back(search["query"].as_string());
          }
          for (const Json& object : record["objects"].items()) {
            found[object["domain"].as_string()].push_back(object["object"].as_string());
          }
        }));
    return {};
  }));
  return found;
}

// One that is gone already is not missed.
Status add_kept_object(store::Domain& domain, const std::string& ref, LiveChunks& live) {
  Status status = add_object(domain, ref, live);
  const bool is_gone = !status.ok() && status.error().code == base::Code::kNotFound;
  return is_gone ? Status() : status;
}

// Domains that a running job reads or writes.
Result<std::set<std::string>> domains_of_running_jobs(Hub& hub) {
  std::set<std::string> busy;
  MORTISE_ASSIGN(const auto jobs, hub.jobs().list({"running", "", ""}, {1000, ""}));
  for (const Job& job : jobs.items) {
    const auto task = job::read_task(hub.files(), hub.task_folder(job.id, job.attempt));
    if (!task.ok()) continue;  // a pipeline, or one that has not begun
    for (const job::DomainInput& input : task->inputs.domains) busy.insert(input.id);
    for (const job::SealedFolder& sealed : task->inputs.sealed_folders) busy.insert(sealed.domain);
  }
  return busy;
}

// What a shred is about to destroy; kept before the first byte of the key goes.
Result<Json> begin_certificate(Hub& hub, const std::string& dataset, const std::string& domain) {
  Json certificate = Json::object({{"dataset", dataset}, {"domain", domain}});
  const auto key = hub.store().key_of(domain);
  certificate["key_id"] = key.ok() ? key->key_id() : "";
  Json versions = Json::array();
  if (const auto found = hub.datasets().versions(dataset); found.ok()) {
    for (const Version& version : *found) {
      if (version.domain != domain) continue;
      versions.push_back(Json::object({{"reference", version.reference()},
                                       {"digest", version.digest},
                                       {"state", version.state},
                                       {"row_count", version.row_count}}));
    }
  }
  certificate["versions"] = std::move(versions);
  const int64_t now = hub.clock().now_ns();
  certificate["begun_at"] = base::format_utc(now);
  MORTISE_TRY(hub.database().write([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "INSERT INTO shreds VALUES (?1, ?2, ?3, ?4) ON CONFLICT (domain) DO UPDATE SET"
        " certificate = excluded.certificate",
        {domain, dataset, certificate.dump(), now}));
    return {};
  }));
  return certificate;
}

// Whatever links lead there: a backup in the home would be lost with it.
Status check_outside(const std::string& home, const std::string& target) {
  std::error_code ignored;
  const std::string real = std::filesystem::weakly_canonical(home, ignored).string() + "/";
  const std::string wanted = std::filesystem::weakly_canonical(target, ignored).string() + "/";
  if (!wanted.starts_with(real)) return {};
  return base::Error(base::Code::kInvalidArgument,
                     "The folder of a backup lies in the home that it is a backup of.",
                     "Name a folder elsewhere, best on another disk.")
      .at_file(target)
      .at_field("/target");
}

// The certificate as it is in the end; null adds nothing to what was begun.
Status mark_shredded(Hub& hub, const std::string& domain, const Json& certificate) {
  return hub.database().write([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("UPDATE versions SET state = 'shredded' WHERE domain = ?1", {domain}));
    MORTISE_TRY(connection.run("UPDATE uploads SET state = 'removed' WHERE domain = ?1", {domain}));
    MORTISE_TRY(
        connection.run("DELETE FROM transfer_parts WHERE transfer_id IN"
                       " (SELECT id FROM transfers WHERE domain = ?1)",
                       {domain}));
    MORTISE_TRY(
        connection.run("UPDATE transfers SET state = 'removed' WHERE domain = ?1", {domain}));
    MORTISE_TRY(connection.run("DELETE FROM domains WHERE id = ?1", {domain}));
    MORTISE_TRY(connection.run("UPDATE shreds SET certificate = ?2 WHERE domain = ?1",
                               {domain, certificate.dump()}));
    return {};
  });
}

}  // namespace

namespace {

// A worker reads its segments where they lie; what is being stored has no row yet.
bool is_busy(Hub& hub, const std::string& id, int64_t grace_ns) {
  const auto running = domains_of_running_jobs(hub);
  return !running.ok() || running->contains(id) ||
         hub.domains().is_stored_to_since(id, hub.clock().now_ns() - grace_ns);
}

Result<LiveChunks> live_chunks(Hub& hub, const std::string& id,
                               const std::shared_ptr<store::Domain>& domain) {
  MORTISE_ASSIGN(const auto objects, live_objects(hub.database(), id));
  MORTISE_ASSIGN(auto made, objects_of_jobs(hub));
  LiveChunks live;
  for (const auto& [kind, ref] : objects) {
    MORTISE_TRY(kind == "rows"    ? add_rows(domain, ref, live)
                : kind == "names" ? add_names(domain, ref, live)
                                  : add_object(*domain, ref, live));
  }
  for (const std::string& ref : made[id]) MORTISE_TRY(add_kept_object(*domain, ref, live));
  return live;
}

}  // namespace

Result<CompactFacts> compact(Hub& hub, const store::CompactOptions& options) {
  CompactFacts total;
  MORTISE_TRY(hub.transfers().expire());
  MORTISE_ASSIGN(const auto ids, hub.keyring().list());
  for (const std::string& id : ids) {
    MORTISE_ASSIGN(const auto domain, hub.domains().open(id));
    // In this order: what is stored from here on touches none of these segments; what was stored
    // before and has no row yet makes the domain busy; then all rows that count are there.
    const store::ClosedSegments closed = store::closed_segments(*domain);
    if (is_busy(hub, id, options.grace_ns)) {
      ++total.domains_busy;
      continue;
    }
    MORTISE_ASSIGN(const LiveChunks live, live_chunks(hub, id, domain));
    store::CompactOptions now = options;
    now.may_remove = [&] { return !is_busy(hub, id, options.grace_ns); };
    MORTISE_ASSIGN(const store::CompactFacts facts,
                   store::compact(
                       *domain, closed,
                       [&](const store::ChunkId& chunk) { return live.contains(chunk); }, now));
    total.segments_rewritten += facts.segments_rewritten;
    total.segments_removed += facts.segments_removed;
    total.segments_young += facts.segments_young;
    total.segments_damaged += facts.segments_damaged;
    total.chunks_kept += facts.chunks_kept;
    total.chunks_dropped += facts.chunks_dropped;
    total.bytes_freed += facts.bytes_freed;
  }
  return total;
}

Result<BackupFacts> backup(Hub& hub, const std::string& target) {
  MORTISE_TRY(check_outside(hub.home(), target));
  MORTISE_TRY(base::make_folders(hub.files(), target));
  const std::string fresh = base::join_path(target, "mortise.db.new");
  MORTISE_ASSIGN(const bool is_left, hub.files().exists(fresh));
  if (is_left) MORTISE_TRY(hub.files().remove(fresh));
  HomeFiles named;
  MORTISE_TRY(hub.database().snapshot(fresh, [&](Connection& connection) -> Status {
    MORTISE_ASSIGN(named, read_home_files(connection));
    return {};
  }));
  BackupFacts facts;
  MORTISE_ASSIGN(static_cast<store::BackupFacts&>(facts),
                 store::backup(hub.files(), hub.store(), target));
  MORTISE_TRY(copy_home_files(hub.files(), named, hub.home(), target, Missing::kError, facts));
  MORTISE_TRY(hub.files().rename(fresh, base::join_path(target, "mortise.db")));
  MORTISE_TRY(hub.files().sync_folder(target));
  return facts;
}

Result<Json> shred(Hub& hub, const std::string& dataset) {
  std::string domain;
  MORTISE_TRY(hub.database().read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("SELECT id FROM domains WHERE name = ?1", {dataset},
                               [&](const Row& row) { domain = row.text(0); }));
    return {};
  }));
  if (domain.empty()) return not_found("data set", dataset);
  MORTISE_ASSIGN(const auto busy, domains_of_running_jobs(hub));
  if (busy.contains(domain)) {
    return base::Error(base::Code::kFailedPrecondition,
                       "A running job uses the data set \"" + dataset + "\".",
                       "Wait for it, or cancel it: mortise job list.");
  }
  MORTISE_ASSIGN(Json certificate, begin_certificate(hub, dataset, domain));
  MORTISE_ASSIGN(const store::ShredFacts facts, hub.store().shred(domain));
  certificate["kek_version"] = int64_t{facts.kek_version};
  certificate["segments"] = facts.segments;
  certificate["chunks"] = facts.chunks;
  certificate["stored_bytes"] = facts.stored_bytes;
  certificate["shredded_at"] = base::format_utc(facts.shredded_at_ns);
  MORTISE_TRY(mark_shredded(hub, domain, certificate));
  return certificate;
}

Result<Json> certificates(Hub& hub, const std::string& dataset) {
  Json found = Json::array();
  MORTISE_TRY(hub.database().read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "SELECT certificate FROM shreds WHERE dataset = ?1 ORDER BY begun_ns, domain", {dataset},
        [&](const Row& row) { found.push_back(stored_json(row.text(0))); }));
    return {};
  }));
  return found;
}

Status note_shredded(Hub& hub) {
  std::vector<std::string> known;
  MORTISE_TRY(hub.database().read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("SELECT id FROM domains", {},
                               [&](const Row& row) { known.push_back(row.text(0)); }));
    return {};
  }));
  for (const std::string& domain : known) {
    MORTISE_ASSIGN(const bool has_key, hub.keyring().contains(domain));
    if (has_key) continue;
    Json certificate = Json::object({{"domain", domain}});
    MORTISE_TRY(hub.database().read([&](Connection& connection) -> Status {
      MORTISE_TRY(connection.run("SELECT certificate FROM shreds WHERE domain = ?1", {domain},
                                 [&](const Row& row) { certificate = stored_json(row.text(0)); }));
      return {};
    }));
    certificate["shredded_at"] = base::format_utc(hub.clock().now_ns());
    certificate["found_at_start"] = true;
    MORTISE_TRY(mark_shredded(hub, domain, certificate));
  }
  return {};
}

}  // namespace mortise::hub
