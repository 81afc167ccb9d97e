// See hub.h.
#include "hub/hub.h"

#include <set>

namespace mortise::hub {

using base::Result;
using base::Status;

Hub::Hub(base::FileOps& files, base::Clock& clock, base::Random& random, std::string home,
         std::unique_ptr<Database> database, std::unique_ptr<store::Keyring> keyring,
         std::unique_ptr<store::Store> store)
    : files_(&files),
      clock_(&clock),
      home_(std::move(home)),
      database_(std::move(database)),
      keyring_(std::move(keyring)),
      store_(std::move(store)),
      domains_(*database_, *store_, clock, random),
      jobs_(*database_, clock, random),
      datasets_(*database_, clock, random, domains_),
      uploads_(*database_, clock, random, jobs_, domains_),
      models_(*database_, files, clock, random, base::join_path(home_, "models")),
      endpoints_(*database_, clock, jobs_) {}

Result<std::unique_ptr<Hub>> Hub::open(base::FileOps& files, base::Clock& clock,
                                       base::Random& random, const std::string& home) {
  const std::string database_folder = base::join_path(home, "database");
  MORTISE_TRY(base::make_folders(files, database_folder));
  MORTISE_TRY(base::make_folders(files, base::join_path(home, "jobs")));
  MORTISE_ASSIGN(const bool is_unsealed, files.exists(base::join_path(home, "store/blobs")));
  if (is_unsealed) {
    return base::Error(base::Code::kFailedPrecondition,
                       "This store was made by a development version that did not seal its data.",
                       "Set MORTISE_HOME to a new folder and upload the data again.")
        .at_file(base::join_path(home, "store/blobs"));
  }
  const std::string keys = base::join_path(home, "keys");
  MORTISE_ASSIGN(auto keyring, store::Keyring::open(files, random, clock, keys));
  MORTISE_ASSIGN(auto root, store::open_file_root_key(files, random, keys));
  MORTISE_TRY(keyring->unlock(std::move(root)));
  MORTISE_ASSIGN(auto sealed, store::Store::open(files, random, clock,
                                                 base::join_path(home, "store"), *keyring));
  MORTISE_ASSIGN(auto database, Database::open(base::join_path(database_folder, "mortise.db")));
  std::unique_ptr<Hub> hub(new Hub(files, clock, random, home, std::move(database),
                                   std::move(keyring), std::move(sealed)));
  MORTISE_TRY(hub->models_.remove_orphans());
  return hub;
}

std::string Hub::task_folder(const std::string& job_id, int64_t attempt) const {
  return home_ + "/jobs/" + job_id + "/" + std::to_string(attempt);
}

namespace {

using LiveChunks = std::set<store::ChunkId>;

Status add_object(store::Domain& domain, const std::string& ref, LiveChunks& live) {
  if (ref.empty()) return {};
  MORTISE_ASSIGN(const store::ObjectRef object, store::parse_object_ref(ref));
  return domain.chunks_of(object,
                          [&live](const store::ChunkUse& use) { live.insert(use.id); });
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
          " WHERE u.domain = ?1"}) {
      MORTISE_TRY(connection.run(statement, {domain}, add));
    }
    return {};
  }));
  return found;
}

}  // namespace

Result<store::CompactFacts> Hub::compact(const store::CompactOptions& options) {
  store::CompactFacts total;
  MORTISE_ASSIGN(const auto ids, keyring_->list());
  for (const std::string& id : ids) {
    MORTISE_ASSIGN(const auto domain, domains_.open(id));
    MORTISE_ASSIGN(const auto objects, live_objects(*database_, id));
    LiveChunks live;
    for (const auto& [kind, ref] : objects) {
      MORTISE_TRY(kind == "rows"    ? add_rows(domain, ref, live)
                  : kind == "names" ? add_names(domain, ref, live)
                                    : add_object(*domain, ref, live));
    }
    MORTISE_ASSIGN(const store::CompactFacts facts,
                   store::compact(*domain,
                                  [&](const store::ChunkId& chunk) { return live.contains(chunk); },
                                  options));
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

}  // namespace mortise::hub
