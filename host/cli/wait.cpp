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
using base::Status;

namespace {

constexpr int64_t kPollMs = 50;

bool is_over(const Json& job) {
  const std::string& state = job["state"].as_string();
  return state == "done" || state == "failed" || state == "cancelled";
}

}  // namespace

Status send_files(Http& http, const std::string& upload_id,
                  const std::vector<std::pair<std::string, std::string>>& files) {
  Progress progress;
  int64_t done = 0;
  for (const auto& [name, path] : files) {
    MORTISE_TRY(http.send_file(upload_id, name, path, {}));
    progress.show("upload", ++done, static_cast<int64_t>(files.size()));
  }
  return {};
}

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
