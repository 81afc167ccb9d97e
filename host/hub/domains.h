// Which domain of the store belongs to which name: one a data set, made before its first byte, and
// one a job that makes files (made_files.h). Called by uploads, datasets, run and server. [any]
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "hub/database.h"
#include "store/store.h"

namespace mortise::hub {

class Domains {
 public:
  Domains(Database& database, store::Store& store, base::Clock& clock, base::Random& random)
      : database_(&database), store_(&store), clock_(&clock), random_(&random) {}

  // The id of the domain of this name; its key is made when the name is new. Errors:
  // FAILED_PRECONDITION when the keys are locked.
  base::Result<std::string> id_of(const std::string& name);
  // Errors: NOT_FOUND when it was shredded, FAILED_PRECONDITION when the keys are locked.
  base::Result<std::shared_ptr<store::Domain>> open(const std::string& id);
  // To store objects that no row names yet: as long as this handle lives, until their row is
  // written, no compaction takes them for dead.
  base::Result<std::shared_ptr<store::Domain>> open_to_store(const std::string& id);
  // Whether a handle of open_to_store lives that was opened at or before this time.
  bool is_stored_to_since(const std::string& id, int64_t time_ns);
  store::Store& store() { return *store_; }

 private:
  Database* database_;
  store::Store* store_;
  base::Clock* clock_;
  base::Random* random_;
  std::mutex mutex_;  // two requests for a new name make one domain
  std::mutex stored_mutex_;
  std::map<std::string, std::multiset<int64_t>> stored_;  // when each living handle was opened
};

}  // namespace mortise::hub
