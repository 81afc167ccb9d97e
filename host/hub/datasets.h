// Data sets and their versions. A version is a manifest with a digest and is never changed; labels
// and description belong to the data set and may change, a tag points to one version and may move.
// Called by run (new versions) and server.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "hub/database.h"
#include "hub/dataset_facets.h"
#include "hub/dataset_query.h"
#include "hub/domains.h"
#include "hub/page.h"
#include "store/name_table.h"
#include "store/row_table.h"

namespace mortise::hub {

struct Version {
  // state: draft | released | withdrawn | deleted | shredded. Withdrawn: not the newest any more
  // and refused by new jobs, readable under its number.
  std::string id, dataset, state;
  int64_t number = 0;
  base::Json manifest;
  std::string digest;  // "sha256:..." of the manifest's canonical form
  int64_t row_count = 0, media_count = 0, size_bytes = 0;
  std::string domain;                  // of the store
  store::ObjectRef rows, media;        // a row table, a name table
  store::ObjectRef originals, report;  // what was uploaded (a name table), what the check said
  std::string job_id;
  int64_t created_ns = 0;
  std::string parent_id;  // of the version that it is a change of; "" for none
  std::string reference() const { return dataset + "@" + std::to_string(number); }
  base::Json to_json() const;
};

struct Dataset {
  std::string id, name, description, task_type;
  base::Json labels;  // object of texts, numbers, booleans
  base::Json tags;    // name -> number of a version
  int64_t created_ns = 0;
  int64_t newest = 0;  // number of the newest released version; 0: none
  int64_t versions_count = 0, row_count = 0, size_bytes = 0;  // row_count, size: of the newest
  base::Json to_json() const;
};

// The version that a new one is a change of.
struct ParentVersion {
  std::string id, reference, digest;
  int64_t number = 0;
  bool must_be_newest = false;  // refuse when another was released meanwhile
};

// What becomes a version.
struct NewVersion {
  std::string name, task_type, description;
  base::Json labels;
  bool draft = false;
  // All in the domain, durable already. size_bytes: rows and media as users count them.
  std::string domain;
  store::ObjectRef rows, media, originals, report;
  int64_t row_count = 0, media_count = 0, size_bytes = 0;
  base::Json facts;  // goes into the manifest: mapping, packs, statistics
  std::optional<ParentVersion> parent;
  std::string job_id;
};

class Datasets {  // [any]
 public:
  Datasets(Database& database, base::Clock& clock, base::Random& random, Domains& domains)
      : database_(&database), clock_(&clock), random_(&random), domains_(&domains) {}

  // In a transaction of the caller; answers "name@n". The name's data set is made when it is new.
  // Errors: FAILED_PRECONDITION when the name has another task type, or when the parent is not the
  // newest version any more though it must be.
  base::Result<std::string> add_version(Connection& connection, const NewVersion& version);

  // Errors: INVALID_ARGUMENT for a filter that is none.
  base::Result<Page<Dataset>> list(const DatasetQuery& query, const PageRequest& page);
  base::Result<Facets> facets(const DatasetQuery& query);  // of all that list finds
  base::Result<Dataset> get(const std::string& name);
  base::Result<std::vector<Version>> versions(const std::string& name);
  // "name" (newest released), "name@n", "name@tag" or a version's id. Errors: NOT_FOUND, also for a
  // deleted one.
  base::Result<Version> resolve(const std::string& reference);
  // What a version's tables are read with. Errors: NOT_FOUND when its key was shredded, DATA_LOSS.
  base::Result<store::RowTable> rows(const Version& version);
  base::Result<store::NameTable> media(const Version& version);
  base::Result<store::NameTable> originals(const Version& version);
  base::Result<store::ObjectReader> open_object(const Version& version,
                                                const store::ObjectRef& object);
  base::Result<Version> version_by_id(const std::string& id);  // in whatever state
  // Fields that are null stay; a label with the value null goes away.
  base::Status describe(const std::string& name, const base::Json& description,
                        const base::Json& labels);
  // tags: name -> number of a version, null to remove. Errors: INVALID_ARGUMENT naming the tag,
  // NOT_FOUND for a version that is not there. All or none.
  base::Status move_tags(const std::string& name, const base::Json& tags);
  base::Status release(const std::string& reference);   // draft -> released
  base::Status withdraw(const std::string& reference);  // released -> withdrawn
  // A version, or with a bare name all of them. Rows and media go with the next collection.
  base::Status remove(const std::string& reference);
  // deleted or withdrawn -> released; number 0: all of them.
  base::Status restore(const std::string& name, int64_t number);

 private:
  base::Status set_state(const std::string& name, int64_t number,
                         const std::vector<std::string>& from, const std::string& to);
  Database* database_;
  base::Clock* clock_;
  base::Random* random_;
  Domains* domains_;
};

}  // namespace mortise::hub
