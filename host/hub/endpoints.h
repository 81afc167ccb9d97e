// Endpoints: a name under which a model is served, and the serve job behind it. Called by server.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "hub/database.h"
#include "hub/jobs.h"

namespace mortise::hub {

struct Endpoint {
  std::string name, job_id, model, state;  // state: starting | ready | stopped
  base::Json adapters, error;
  int64_t attempt = 0, created_ns = 0;
  base::Json to_json() const;
};

class Endpoints {  // [any]
 public:
  Endpoints(Database& database, base::Clock& clock, Jobs& jobs)
      : database_(&database), clock_(&clock), jobs_(&jobs) {}

  // Submits the serve job and takes the name, in one transaction. A name whose job is over is
  // taken again. Errors: ALREADY_EXISTS while the name is served.
  base::Result<Endpoint> start(const std::string& name, const job::Manifest& manifest);
  base::Result<Endpoint> get(const std::string& name);
  base::Result<std::vector<Endpoint>> list();
  base::Status stop(const std::string& name);  // cancels the job and gives the name back

 private:
  Database* database_;
  base::Clock* clock_;
  Jobs* jobs_;
};

}  // namespace mortise::hub
