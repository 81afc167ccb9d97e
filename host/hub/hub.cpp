// See hub.h.
#include "hub/hub.h"

#include <set>

namespace mortise::hub {

Hub::Hub(base::FileOps& files, base::Clock& clock, base::Random& random, std::string home,
         std::unique_ptr<Database> database, std::unique_ptr<store::BlobStore> blobs)
    : files_(&files),
      clock_(&clock),
      home_(std::move(home)),
      database_(std::move(database)),
      blobs_(std::move(blobs)),
      jobs_(*database_, clock, random),
      datasets_(*database_, clock, random),
      uploads_(*database_, clock, random, jobs_),
      models_(*database_, files, clock, random, base::join_path(home_, "models")),
      endpoints_(*database_, clock, jobs_) {}

base::Result<std::unique_ptr<Hub>> Hub::open(base::FileOps& files, base::Clock& clock,
                                             base::Random& random, const std::string& home) {
  const std::string database_folder = base::join_path(home, "database");
  MORTISE_TRY(base::make_folders(files, database_folder));
  MORTISE_TRY(base::make_folders(files, base::join_path(home, "jobs")));
  MORTISE_ASSIGN(auto database, Database::open(base::join_path(database_folder, "mortise.db")));
  MORTISE_ASSIGN(auto blobs, store::BlobStore::open(files, random, base::join_path(home, "store")));
  std::unique_ptr<Hub> hub(
      new Hub(files, clock, random, home, std::move(database), std::move(blobs)));
  MORTISE_TRY(hub->models_.remove_orphans());
  return hub;
}

std::string Hub::task_folder(const std::string& job_id, int64_t attempt) const {
  return home_ + "/jobs/" + job_id + "/" + std::to_string(attempt);
}

base::Result<uint64_t> Hub::collect() {
  std::set<std::string> used;
  int64_t open_uploads = 0;
  MORTISE_TRY(database_->read([&](Connection& connection) -> base::Status {
    const auto add = [&used](const Row& row) { used.insert(row.text(0)); };
    MORTISE_TRY(connection.run("SELECT count(*) FROM uploads WHERE state IN ('open', 'checking')",
                               {}, [&](const Row& row) { open_uploads = row.integer(0); }));
    MORTISE_TRY(connection.run("SELECT digest FROM upload_files", {}, add));
    MORTISE_TRY(
        connection.run("SELECT rows_digest FROM versions WHERE state <> 'deleted'", {}, add));
    MORTISE_TRY(
        connection.run("SELECT m.digest FROM version_media m JOIN versions v ON v.id = m.version_id"
                       " WHERE v.state <> 'deleted'",
                       {}, add));
    return {};
  }));
  if (open_uploads > 0) {
    return base::Error(base::Code::kFailedPrecondition,
                       std::to_string(open_uploads) + " uploads are open.",
                       "Commit or remove them first.");
  }
  return blobs_->collect(
      [&](std::string_view digest) { return used.contains(std::string(digest)); });
}

}  // namespace mortise::hub
