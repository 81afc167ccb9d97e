// Jobs: what was asked for, in which state it is, what came of it. A state changes by
// compare-and-set with an event row in the same transaction; `attempt` is the fencing number: what
// an attempt that is no longer the current one reports or publishes is refused with ABORTED.
// Called by run (all changes) and server (submit, cancel, reading).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "hub/database.h"
#include "hub/page.h"
#include "job/manifest.h"
#include "job/result.h"

namespace mortise::hub {

// queued -> running -> done | failed | cancelled; running -> queued when a worker was lost and the
// job may start again. done, failed and cancelled are final.
struct Job {
  std::string id, name, kind, state;
  int64_t attempt = 0, priority = 50;
  base::Json manifest;
  std::string parent;       // the pipeline's job; empty: none
  std::string resume_from;  // job whose last checkpoint this one starts from; empty: none
  bool cancel_wanted = false;
  base::ProcessIdentity process;  // pid 0: none
  base::Json progress, error, record;
  int64_t created_ns = 0, started_ns = 0, finished_ns = 0;

  bool is_final() const { return state == "done" || state == "failed" || state == "cancelled"; }
  base::Json to_json() const;  // as the API shows it; without the manifest and record
};

struct JobEvent {
  int64_t id = 0, at_ns = 0, attempt = 0;
  std::string from_state, to_state, reason;
  base::Json to_json() const;
};

struct JobFilter {
  std::string state, kind, parent;  // empty: any
};

struct JobRequest {
  job::Manifest manifest;
  std::string parent, resume_from;
  std::string id;  // made by new_id(); empty: a new one
};

class Jobs {  // [any]
 public:
  Jobs(Database& database, base::Clock& clock, base::Random& random)
      : database_(&database), clock_(&clock), random_(&random) {}

  base::Result<Job> submit(const JobRequest& request);
  // Inside a transaction of another part (uploads, endpoints).
  base::Result<std::string> submit_in(Connection& connection, const JobRequest& request);

  base::Result<Job> get(const std::string& id_or_name);  // a name means its newest job
  base::Result<Page<Job>> list(const JobFilter& filter, const PageRequest& page);
  base::Result<std::vector<JobEvent>> events(const std::string& id, int64_t after_id = 0);
  base::Result<std::vector<job::Artifact>> artifacts(const std::string& id);
  base::Result<base::Json> counts();  // {"queued": 1, ...}

  // The queued job to run next among `kinds`: highest priority, then oldest. NOT_FOUND: none.
  base::Result<Job> next(const std::vector<std::string>& kinds);
  // queued -> running with a new attempt. ABORTED when it is not queued any more.
  base::Result<Job> start(const std::string& id);
  base::Status set_process(const Job& job, const base::ProcessIdentity& process);
  base::Status set_progress(const Job& job, const base::Json& progress);
  // running -> state, for this attempt only. error may be null. `more` joins the transaction.
  base::Status finish(const Job& job, const std::string& state, const std::string& reason,
                      const base::Json& error,
                      const std::function<base::Status(Connection&)>& more = {});
  base::Status requeue(const Job& job, const std::string& reason);
  // running -> done together with what it made, in one transaction: exactly once.
  base::Status publish(const Job& job, const job::TaskResult& result, const base::Json& record,
                       const std::function<base::Status(Connection&)>& more);
  // Cancels a queued job at once and asks for it when the job runs. OK when it is cancelled
  // already; FAILED_PRECONDITION when it is over otherwise.
  base::Status cancel(const std::string& id);

 private:
  base::Status move(Connection& connection, const std::string& id, int64_t attempt,
                    const std::string& from, const std::string& to, const std::string& reason);
  Database* database_;
  base::Clock* clock_;
  base::Random* random_;
};

}  // namespace mortise::hub
