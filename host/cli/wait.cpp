// See wait.h.
#include "cli/wait.h"

#include "base/clock.h"
#include "cli/progress.h"
#include "job/error_json.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr int64_t kPollMs = 50;

bool is_over(const Json& job) {
  const std::string& state = job["state"].as_string();
  return state == "done" || state == "failed" || state == "cancelled";
}

}  // namespace

Result<Json> wait_for_job(Http& http, const std::string& id) {
  Progress progress;
  while (true) {
    MORTISE_ASSIGN(Json job, http.get("/api/v1/jobs/" + id));
    const Json& at = job["progress"];
    progress.show(at["phase"].as_string(), at["step"].as_int(-1), at["steps_total"].as_int(-1));
    if (is_over(job)) return job;
    base::system_clock().sleep_ms(kPollMs);
  }
}

Error job_error(const Json& job) {
  const Json& problem = job["error"];
  Error error = problem.is_object()
                    ? job::error_of_problem(problem)
                    : Error(Code::kCancelled, "The job " + job["id"].as_string() + " was " +
                                                  job["state"].as_string() + ".");
  return error.with("exit_code", "1");
}

}  // namespace mortise::cli
