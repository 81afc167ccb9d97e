// Data sets and their versions. A version is a manifest with a digest and is never changed; a label
// or a description belongs to the data set and may move. Called by run (new versions) and server.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "hub/database.h"
#include "hub/page.h"
#include "store/blob_store.h"

namespace mortise::hub {

struct Version {
  std::string id, dataset, state;  // state: draft | released | deleted
  int64_t number = 0;
  base::Json manifest;
  std::string digest;  // "sha256:..." of the manifest's canonical form
  int64_t row_count = 0, media_count = 0, size_bytes = 0;
  store::BlobRef rows;
  std::string job_id;
  int64_t created_ns = 0;
  base::Json to_json() const;
};

struct Dataset {
  std::string id, name, description, task_type;
  base::Json labels;  // object of texts
  int64_t created_ns = 0;
  int64_t newest = 0;  // number of the newest released version; 0: none
  int64_t versions_count = 0, row_count = 0, size_bytes = 0;  // row_count, size: of the newest
  base::Json to_json() const;
};

struct Medium {
  std::string name;
  store::BlobRef blob;
  base::Json to_json() const;
};

// What becomes a version.
struct NewVersion {
  std::string name, task_type, description;
  base::Json labels;
  bool draft = false;
  store::BlobRef rows;
  int64_t row_count = 0;
  std::map<std::string, store::BlobRef> media;
  base::Json facts;  // goes into the manifest: mapping, packs, statistics, parents
  std::string job_id;
};

class Datasets {  // [any]
 public:
  Datasets(Database& database, base::Clock& clock, base::Random& random)
      : database_(&database), clock_(&clock), random_(&random) {}

  // In a transaction of the caller; answers "name@n". The name's data set is made when it is new.
  // Errors: FAILED_PRECONDITION when the name has another task type.
  base::Result<std::string> add_version(Connection& connection, const NewVersion& version);

  // query: words that must occur in name, description or labels; empty: all.
  base::Result<Page<Dataset>> list(const std::string& query, const PageRequest& page);
  base::Result<Dataset> get(const std::string& name);
  base::Result<std::vector<Version>> versions(const std::string& name);
  // "name" (newest released), "name@n" or a version's id. Errors: NOT_FOUND, also for a deleted
  // one.
  base::Result<Version> resolve(const std::string& reference);
  base::Result<std::map<std::string, store::BlobRef>> media(const std::string& version_id);
  // In the order of their names; a cursor is the last name seen.
  base::Result<Page<Medium>> media_page(const std::string& version_id, const PageRequest& page);
  base::Result<Medium> medium(const std::string& version_id, const std::string& name);  // NOT_FOUND
  // Fields that are null stay; a label with the value null goes away.
  base::Status describe(const std::string& name, const base::Json& description,
                        const base::Json& labels);
  base::Status release(const std::string& reference);  // draft -> released
  // A version, or with a bare name all of them. Rows and media go with the next collection.
  base::Status remove(const std::string& reference);
  base::Status restore(const std::string& name, int64_t number);  // deleted -> released

 private:
  base::Status set_state(const std::string& name, int64_t number, const std::string& from,
                         const std::string& to);
  Database* database_;
  base::Clock* clock_;
  base::Random* random_;
};

}  // namespace mortise::hub
