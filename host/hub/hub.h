// Everything stored under MORTISE_HOME, opened together: the database, the keys, the sealed store
// and the parts that speak of them. Made once by app/mortised; run and server get a reference.
#pragma once

#include <memory>
#include <string>

#include "hub/database.h"
#include "hub/datasets.h"
#include "hub/domains.h"
#include "hub/endpoints.h"
#include "hub/jobs.h"
#include "hub/key_lock.h"
#include "hub/models.h"
#include "hub/transfers.h"
#include "hub/uploads.h"
#include "store/keyring.h"
#include "store/store.h"

namespace mortise::hub {

class Hub {
 public:
  // Opens or makes the store in `home`, and its database there or at `database`
  // (postgresql://...). The caller holds the lock of the home: one server at a time. With a
  // passphrase for a root key the data are locked until key_lock() gets it. Errors: as
  // open_database, KeyLock::open and FileOps; FAILED_PRECONDITION after a restore that was cut.
  static base::Result<std::unique_ptr<Hub>> open(base::FileOps& files, base::Clock& clock,
                                                 base::Random& random, const std::string& home,
                                                 const std::string& database = {},
                                                 const RootKeySource& root_key = {});

  base::FileOps& files() { return *files_; }
  base::Clock& clock() { return *clock_; }
  Database& database() { return *database_; }
  store::Keyring& keyring() { return *keyring_; }
  KeyLock& key_lock() { return key_lock_; }
  store::Store& store() { return *store_; }
  Domains& domains() { return domains_; }
  Jobs& jobs() { return jobs_; }
  Datasets& datasets() { return datasets_; }
  Uploads& uploads() { return uploads_; }
  Transfers& transfers() { return transfers_; }
  Models& models() { return models_; }
  Endpoints& endpoints() { return endpoints_; }
  const std::string& home() const { return home_; }
  // HOME/jobs/ID/ATTEMPT: the task folder of one attempt.
  std::string task_folder(const std::string& job_id, int64_t attempt) const;

 private:
  Hub(base::FileOps& files, base::Clock& clock, base::Random& random, std::string home,
      std::unique_ptr<Database> database, std::unique_ptr<store::Keyring> keyring,
      std::unique_ptr<store::Store> store, const RootKeySource& root_key);
  base::FileOps* files_;
  base::Clock* clock_;
  std::string home_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<store::Keyring> keyring_;
  std::unique_ptr<store::Store> store_;
  KeyLock key_lock_;
  Domains domains_;
  Jobs jobs_;
  Datasets datasets_;
  Uploads uploads_;
  Transfers transfers_;
  Models models_;
  Endpoints endpoints_;
};

}  // namespace mortise::hub
