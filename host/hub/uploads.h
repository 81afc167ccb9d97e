// Uploads: files on their way to becoming a version of a data set or a model. Each file is a blob
// that is durable before it is acknowledged. Called by server (files) and run (the check's end).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "hub/database.h"
#include "hub/jobs.h"
#include "hub/page.h"
#include "store/blob_store.h"

namespace mortise::hub {

struct Upload {
  std::string id, name, state;  // open | checking | committed | failed | removed
  base::Json options;           // task_type, modalities, description, labels, map, rows, ...
  std::string job_id;           // of the check
  base::Json result;            // {"reference"} or {"error", "report"}
  int64_t created_ns = 0;
  int64_t files_count = 0, size_bytes = 0;
  base::Json to_json() const;
};

class Uploads {  // [any]
 public:
  Uploads(Database& database, base::Clock& clock, base::Random& random, Jobs& jobs)
      : database_(&database), clock_(&clock), random_(&random), jobs_(&jobs) {}

  // Errors: INVALID_ARGUMENT for a bad name.
  base::Result<Upload> create(const std::string& name, const base::Json& options);
  base::Result<Upload> get(const std::string& id);
  base::Result<Page<Upload>> list(const PageRequest& page);
  base::Result<std::map<std::string, store::BlobRef>> files(const std::string& id);
  // Names a stored blob in the upload; an older file of this name is replaced. Errors:
  // INVALID_ARGUMENT for a name that leaves the upload, FAILED_PRECONDITION when it is not open.
  base::Status put_file(const std::string& id, const std::string& name, const store::BlobRef& blob);
  // Many at once, in one transaction.
  base::Status put_files(const std::string& id, const std::map<std::string, store::BlobRef>& files);
  base::Status remove_file(const std::string& id, const std::string& name);
  base::Status remove(const std::string& id);
  // open or failed -> checking, together with the ingest job. Answers the job.
  base::Result<Job> begin_check(const std::string& id);
  // In the transaction that publishes the check.
  base::Status set_committed(Connection& connection, const std::string& id,
                             const base::Json& result);
  base::Status set_failed(Connection& connection, const std::string& id, const base::Json& result);

 private:
  base::Status set_result(Connection& connection, const std::string& id, const char* state,
                          const base::Json& result);
  Database* database_;
  base::Clock* clock_;
  base::Random* random_;
  Jobs* jobs_;
};

}  // namespace mortise::hub
