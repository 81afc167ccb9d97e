// See hub.h.
#include "hub/hub.h"

#include "hub/database_place.h"
#include "hub/restore.h"
#include "hub/upkeep.h"

namespace mortise::hub {

using base::Result;
using base::Status;

Hub::Hub(base::FileOps& files, base::Clock& clock, base::Random& random, std::string home,
         std::unique_ptr<Database> database, std::unique_ptr<store::Keyring> keyring,
         std::unique_ptr<store::Store> store, const RootKeySource& root_key)
    : files_(&files),
      clock_(&clock),
      home_(std::move(home)),
      database_(std::move(database)),
      keyring_(std::move(keyring)),
      store_(std::move(store)),
      key_lock_(files, random, clock, *keyring_, root_key),
      domains_(*database_, *store_, clock, random),
      jobs_(*database_, clock, random),
      datasets_(*database_, clock, random, domains_),
      uploads_(*database_, clock, random, jobs_, domains_),
      transfers_(*database_, clock, random, domains_, uploads_),
      models_(*database_, files, clock, random, base::join_path(home_, "models")),
      endpoints_(*database_, clock, jobs_) {}

Result<std::unique_ptr<Hub>> Hub::open(base::FileOps& files, base::Clock& clock,
                                       base::Random& random, const std::string& home,
                                       const std::string& database_address,
                                       const RootKeySource& root_key) {
  MORTISE_TRY(check_restored(files, home));
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
  MORTISE_ASSIGN(auto sealed, store::Store::open(files, random, clock,
                                                 base::join_path(home, "store"), *keyring));
  MORTISE_ASSIGN(auto database, open_database(files, random, home, database_address));
  std::unique_ptr<Hub> hub(new Hub(files, clock, random, home, std::move(database),
                                   std::move(keyring), std::move(sealed), root_key));
  MORTISE_TRY(hub->key_lock_.open());
  MORTISE_TRY(hub->models_.remove_orphans());
  MORTISE_TRY(note_shredded(*hub));
  return hub;
}

std::string Hub::task_folder(const std::string& job_id, int64_t attempt) const {
  return home_ + "/jobs/" + job_id + "/" + std::to_string(attempt);
}

}  // namespace mortise::hub
