// See jobs.h.
#include "hub/jobs.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr const char* kJobColumns =
    "SELECT id, name, kind, state, attempt, priority, manifest, parent, resume_from, cancel_wanted,"
    " pid, start_ticks, boot_id, progress, error, record, created_ns, started_ns, finished_ns"
    " FROM jobs ";

Job job_of(const Row& row) {
  Job job;
  job.id = row.text(0);
  job.name = row.text(1);
  job.kind = row.text(2);
  job.state = row.text(3);
  job.attempt = row.integer(4);
  job.priority = row.integer(5);
  job.manifest = stored_json(row.text(6));
  job.parent = row.text(7);
  job.resume_from = row.text(8);
  job.cancel_wanted = row.integer(9) != 0;
  job.process = {row.integer(10), static_cast<uint64_t>(row.integer(11)), row.text(12)};
  job.progress = stored_json(row.text(13));
  job.error = stored_json(row.text(14));
  job.record = stored_json(row.text(15));
  job.created_ns = row.integer(16);
  job.started_ns = row.integer(17);
  job.finished_ns = row.integer(18);
  return job;
}

Error fenced(const std::string& id, int64_t attempt) {
  return Error(Code::kAborted, "Attempt " + std::to_string(attempt) + " of job " + id +
                                   " is not the one that runs; what it reports is refused.");
}

Json time_or_null(int64_t at_ns) {
  return at_ns == 0 ? Json() : Json(base::format_utc(at_ns));
}

}  // namespace

Json Job::to_json() const {
  Json json = Json::object({{"id", id}, {"name", name}, {"kind", kind}, {"state", state}});
  json["attempt"] = attempt;
  json["priority"] = priority;
  json["parent"] = parent.empty() ? Json() : Json(parent);
  json["resume_from"] = resume_from.empty() ? Json() : Json(resume_from);
  json["cancel_wanted"] = cancel_wanted;
  json["progress"] = progress;
  json["error"] = error;
  json["created_at"] = time_or_null(created_ns);
  json["started_at"] = time_or_null(started_ns);
  json["finished_at"] = time_or_null(finished_ns);
  return json;
}

Json JobEvent::to_json() const {
  return Json::object({{"id", id},
                       {"at", base::format_utc(at_ns)},
                       {"from", from_state},
                       {"to", to_state},
                       {"attempt", attempt},
                       {"reason", reason}});
}

Result<std::string> Jobs::submit_in(Connection& connection, const JobRequest& request) {
  const std::string id = request.id.empty() ? base::random_hex(*random_, 8) : request.id;
  const job::Manifest& manifest = request.manifest;
  const int64_t now = clock_->now_ns();
  MORTISE_TRY(connection.run(
      "INSERT INTO jobs VALUES (?1, ?2, ?3, 'queued', 0, ?4, ?5, ?6, 0, ?7, 0, 0, '', 'null',"
      " 'null', 'null', ?8, 0, 0)",
      {id, manifest.name.empty() ? manifest.kind + "-" + id : manifest.name, manifest.kind,
       manifest.priority, manifest.json.dump(), request.parent, request.resume_from, now}));
  MORTISE_TRY(
      connection.run("INSERT INTO job_events (job_id, at_ns, from_state, to_state, attempt, reason)"
                     " VALUES (?1, ?2, '', 'queued', 0, 'submitted')",
                     {id, now}));
  return id;
}

Result<Job> Jobs::submit(const JobRequest& request) {
  std::string id;
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(id, submit_in(connection, request));
    return {};
  }));
  return get(id);
}

Result<Job> Jobs::get(const std::string& id_or_name) {
  std::vector<Job> found;
  const auto collect = [&found](const Row& row) { found.push_back(job_of(row)); };
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kJobColumns) + "WHERE id = ?1", {id_or_name}, collect));
    if (!found.empty()) return {};
    MORTISE_TRY(connection.run(
        std::string(kJobColumns) + "WHERE name = ?1 ORDER BY created_ns DESC LIMIT 1", {id_or_name},
        collect));
    return {};
  }));
  if (found.empty()) return not_found("job", id_or_name, "mortise job list shows the jobs.");
  return std::move(found[0]);
}

Result<Page<Job>> Jobs::list(const JobFilter& filter, const PageRequest& page) {
  MORTISE_ASSIGN(const TimeCursor after, parse_time_cursor(page.cursor));
  Page<Job> result;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        std::string(kJobColumns) +
            "WHERE (?1 = '' OR state = ?1) AND (?2 = '' OR kind = ?2) AND (?3 = '' OR parent = ?3)"
            " AND (created_ns, id) < (?4, ?5) ORDER BY created_ns DESC, id DESC LIMIT ?6",
        {filter.state, filter.kind, filter.parent, after.created_ns, after.id, page.limit + 1},
        [&](const Row& row) { result.items.push_back(job_of(row)); }));
    return {};
  }));
  if (static_cast<int64_t>(result.items.size()) > page.limit) {
    result.items.pop_back();
    result.next_cursor = write_time_cursor(result.items.back().created_ns, result.items.back().id);
  }
  return result;
}

Result<std::vector<JobEvent>> Jobs::events(const std::string& id, int64_t after_id) {
  std::vector<JobEvent> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("SELECT id, at_ns, attempt, from_state, to_state, reason FROM job_events"
                       " WHERE job_id = ?1 AND id > ?2 ORDER BY id",
                       {id, after_id}, [&](const Row& row) {
                         found.push_back({row.integer(0), row.integer(1), row.integer(2),
                                          row.text(3), row.text(4), row.text(5)});
                       }));
    return {};
  }));
  return found;
}

Result<std::vector<job::Artifact>> Jobs::artifacts(const std::string& id) {
  std::vector<job::Artifact> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "SELECT name, path, sha256, size_bytes FROM artifacts WHERE job_id = ?1 ORDER BY name",
        {id}, [&](const Row& row) {
          found.push_back(
              {row.text(0), row.text(1), row.text(2), static_cast<uint64_t>(row.integer(3))});
        }));
    return {};
  }));
  return found;
}

Result<Json> Jobs::counts() {
  Json json = Json::object();
  for (const char* state : {"queued", "running", "done", "failed", "cancelled"}) json[state] = 0;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("SELECT state, count(*) FROM jobs GROUP BY state", {},
                               [&](const Row& row) { json[row.text(0)] = row.integer(1); }));
    return {};
  }));
  return json;
}

Result<Job> Jobs::next(const std::vector<std::string>& kinds) {
  std::string list = " ";  // kinds hold no space
  for (const std::string& kind : kinds) list += kind + " ";
  std::vector<Job> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kJobColumns) +
                                   "WHERE state = 'queued' AND instr(?1, ' ' || kind || ' ') > 0"
                                   " ORDER BY priority DESC, created_ns, id LIMIT 1",
                               {list}, [&](const Row& row) { found.push_back(job_of(row)); }));
    return {};
  }));
  if (found.empty()) return Error(Code::kNotFound, "No job waits.");
  return std::move(found[0]);
}

Status Jobs::move(Connection& connection, const std::string& id, int64_t attempt,
                  const std::string& from, const std::string& to, const std::string& reason) {
  MORTISE_ASSIGN(const int64_t changed,
                 connection.run("UPDATE jobs SET state = ?1 WHERE id = ?2 AND attempt = ?3"
                                " AND state = ?4",
                                {to, id, attempt, from}));
  if (changed != 1) return fenced(id, attempt);
  MORTISE_TRY(
      connection.run("INSERT INTO job_events (job_id, at_ns, from_state, to_state, attempt, reason)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                     {id, clock_->now_ns(), from, to, attempt, reason}));
  return {};
}

Result<Job> Jobs::start(const std::string& id) {
  MORTISE_ASSIGN(const Job before, get(id));
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(move(connection, id, before.attempt, "queued", "running", "started"));
    MORTISE_TRY(
        connection.run("UPDATE jobs SET attempt = attempt + 1, started_ns = ?2, pid = 0,"
                       " start_ticks = 0, boot_id = '', progress = 'null', error = 'null'"
                       " WHERE id = ?1",
                       {id, clock_->now_ns()}));
    return {};
  }));
  return get(id);
}

Status Jobs::set_process(const Job& job, const base::ProcessIdentity& process) {
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(const int64_t changed,
                   connection.run("UPDATE jobs SET pid = ?3, start_ticks = ?4, boot_id = ?5"
                                  " WHERE id = ?1 AND attempt = ?2 AND state = 'running'",
                                  {job.id, job.attempt, process.pid,
                                   static_cast<int64_t>(process.start_ticks), process.boot_id}));
    return changed == 1 ? Status() : fenced(job.id, job.attempt);
  });
}

Status Jobs::set_progress(const Job& job, const Json& progress) {
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(const int64_t changed,
                   connection.run("UPDATE jobs SET progress = ?3 WHERE id = ?1 AND attempt = ?2"
                                  " AND state = 'running'",
                                  {job.id, job.attempt, progress.dump()}));
    return changed == 1 ? Status() : fenced(job.id, job.attempt);
  });
}

Status Jobs::finish(const Job& job, const std::string& state, const std::string& reason,
                    const Json& error, const std::function<Status(Connection&)>& more) {
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(move(connection, job.id, job.attempt, "running", state, reason));
    MORTISE_TRY(
        connection.run("UPDATE jobs SET error = ?2, finished_ns = ?3, pid = 0 WHERE id = ?1",
                       {job.id, error.dump(), clock_->now_ns()}));
    MORTISE_TRY(
        connection.run("UPDATE uploads SET state = 'failed', result = ?2"
                       " WHERE job_id = ?1 AND state = 'checking'",
                       {job.id, Json::object({{"error", error}}).dump()}));
    return more ? more(connection) : Status();
  });
}

Status Jobs::requeue(const Job& job, const std::string& reason) {
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(move(connection, job.id, job.attempt, "running", "queued", reason));
    MORTISE_TRY(connection.run("UPDATE jobs SET pid = 0 WHERE id = ?1", {job.id}));
    return {};
  });
}

Status Jobs::publish(const Job& job, const job::TaskResult& result, const Json& record,
                     const std::function<Status(Connection&)>& more) {
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(move(connection, job.id, job.attempt, "running", "done", result.summary));
    MORTISE_TRY(
        connection.run("UPDATE jobs SET record = ?2, finished_ns = ?3, pid = 0 WHERE id = ?1",
                       {job.id, record.dump(), clock_->now_ns()}));
    for (const job::Artifact& artifact : result.artifacts) {
      MORTISE_TRY(connection.run("INSERT INTO artifacts VALUES (?1, ?2, ?3, ?4, ?5)",
                                 {job.id, artifact.name, artifact.path, artifact.sha256,
                                  static_cast<int64_t>(artifact.size_bytes)}));
    }
    return more ? more(connection) : Status();
  });
}

Status Jobs::cancel(const std::string& id) {
  MORTISE_ASSIGN(const Job job, get(id));
  if (job.state == "cancelled") return {};
  if (job.is_final()) {
    return Error(Code::kFailedPrecondition, "Job " + job.id + " is over: it is " + job.state + ".");
  }
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("UPDATE jobs SET cancel_wanted = 1 WHERE id = ?1", {job.id}));
    if (job.state != "queued") return {};
    MORTISE_TRY(move(connection, job.id, job.attempt, "queued", "cancelled", "asked for"));
    MORTISE_TRY(connection.run("UPDATE jobs SET finished_ns = ?2 WHERE id = ?1",
                               {job.id, clock_->now_ns()}));
    MORTISE_TRY(
        connection.run("UPDATE uploads SET state = 'failed' WHERE job_id = ?1"
                       " AND state = 'checking'",
                       {job.id}));
    return {};
  });
}

}  // namespace mortise::hub
