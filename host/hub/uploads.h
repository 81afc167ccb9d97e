// Uploads: files on their way to becoming a version of a data set or a model. Each file is a sealed
// object of the name's domain that is durable before it is acknowledged. Called by server (files)
// and run (the check's end).
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "hub/database.h"
#include "hub/domains.h"
#include "hub/jobs.h"
#include "hub/page.h"
#include "store/name_table.h"

namespace mortise::hub {

struct Upload {
  std::string id, name, state;  // open | checking | committed | failed | removed
  base::Json options;           // task_type, modalities, description, labels, map, rows, ...
  std::string job_id;           // of the check
  base::Json result;            // {"reference"} or {"error"}; the report is an object of its own
  std::string domain;           // of the store
  std::string files_ref;        // the table of all files, once the check began; else ""
  std::string report_ref;       // what the check found; "" before
  int64_t created_ns = 0;
  int64_t files_count = 0, size_bytes = 0;
  base::Json to_json() const;
};

class Uploads {  // [any]
 public:
  Uploads(Database& database, base::Clock& clock, base::Random& random, Jobs& jobs,
          Domains& domains)
      : database_(&database), clock_(&clock), random_(&random), jobs_(&jobs), domains_(&domains) {}

  // Errors: INVALID_ARGUMENT for a bad name.
  base::Result<Upload> create(const std::string& name, const base::Json& options);
  // The newest open upload of this name, else a new one (task_type: "" for a model).
  base::Result<Upload> join(const std::string& name, const std::string& task_type);
  base::Result<Upload> get(const std::string& id);
  base::Result<Page<Upload>> list(const PageRequest& page);
  // The files in the order of their names; a cursor is the last name seen.
  base::Result<Page<store::NamedObject>> files(const std::string& id, const PageRequest& page);
  // Errors: FAILED_PRECONDITION when it takes no change: it is being checked, or is over.
  base::Status require_open(const Upload& upload) const;
  // Names an object of the upload's domain, durable already; an older file of this name is
  // replaced. Errors: INVALID_ARGUMENT for a name that leaves the upload, FAILED_PRECONDITION when
  // it is not open.
  base::Status put_file(const std::string& id, const std::string& name,
                        const store::ObjectRef& file);
  base::Status put_file(Connection& connection, const std::string& id, const std::string& name,
                        const store::ObjectRef& file);
  // Many at once: a table of them, durable already, whose names the caller has checked.
  base::Status put_table(const std::string& id, const store::NamesWritten& table);
  base::Status put_table(Connection& connection, const std::string& id,
                         const store::NamesWritten& table);
  // Errors: NOT_FOUND, also for a file that came in a bundle.
  base::Status remove_file(const std::string& id, const std::string& name);
  base::Status remove(const std::string& id);
  // open or failed -> checking, together with the ingest job. Answers the job.
  base::Result<Job> begin_check(const std::string& id);
  // One table of all files of an upload, durable when it returns.
  base::Result<store::ObjectRef> gather_files(const Upload& upload);
  // In the transaction that publishes the check. report_ref: "" when there is none.
  base::Status set_committed(Connection& connection, const std::string& id,
                             const base::Json& result, const std::string& report_ref);
  base::Status set_failed(Connection& connection, const std::string& id, const base::Json& result,
                          const std::string& report_ref);

 private:
  base::Status set_result(Connection& connection, const std::string& id, const char* state,
                          const base::Json& result, const std::string& report_ref);
  Database* database_;
  base::Clock* clock_;
  base::Random* random_;
  Jobs* jobs_;
  Domains* domains_;
  std::mutex join_mutex_;  // two files of a new name join one upload
};

}  // namespace mortise::hub
