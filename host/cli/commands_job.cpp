// `mortise job ...`: submit a manifest, look at what became of it.
#include <cstdio>

#include "base/file_ops.h"
#include "cli/command.h"
#include "cli/http.h"
#include "cli/server.h"
#include "cli/show.h"
#include "cli/wait.h"
#include "job/manifest.h"

namespace mortise::cli {

using base::Json;
using base::Result;

namespace {

std::string job_path(const Arguments& arguments) {
  return "/api/v1/jobs/" + escape_path(arguments.text("id"));
}

// Tells of the scores in a table; the whole record is what --json and `job show` give.
void show_scores(const Json& scores) {
  for (const Json& score : scores.items()) {
    const double value = score["value"].as_double();
    std::printf("%-10s %-18s %10.4f\n", score["of"].as_string().c_str(),
                score["name"].as_string().c_str(), value);
  }
}

Result<int> finish(const Arguments& arguments, Http& http, const std::string& id) {
  MORTISE_ASSIGN(const Json ended, wait_for_job(http, id));
  if (ended["state"].as_string() != "done") return job_error(ended);
  MORTISE_ASSIGN(const Json whole, http.get("/api/v1/jobs/" + id));
  if (arguments.is_json) {
    show(arguments, whole);
  } else {
    show(arguments, ended);
    show_scores(whole["record"]["scores"]);
  }
  return 0;
}

Result<int> submit(const Arguments& arguments) {
  const std::string path = arguments.text("file");
  MORTISE_ASSIGN(const std::string text, base::read_file(base::posix_file_ops(), path));
  MORTISE_ASSIGN(const job::Manifest manifest, job::parse_manifest(text, path));
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json given, base::parse_json(text));
  MORTISE_ASSIGN(const Json job, http.post("/api/v1/jobs", given));
  if (arguments.has("--wait")) return finish(arguments, http, job["id"].as_string());
  show(arguments, job);
  return 0;
}

Result<int> list(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page, http.get("/api/v1/jobs" + page_query(arguments)));
  show_table(arguments, page, {"id", "name", "kind", "state", "attempt"});
  return 0;
}

Result<int> show_job(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json job, http.get(job_path(arguments)));
  show(arguments, job);
  return 0;
}

Result<int> logs(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_TRY(http.read(job_path(arguments) + "/log", [](std::string_view piece) -> base::Status {
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    return {};
  }));
  return 0;
}

Result<int> metrics(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json page,
                 http.get(job_path(arguments) + "/metrics" + page_query(arguments)));
  show_table(arguments, page,
             {"step", "epoch", "loss", "grad_norm", "learning_rate", "tokens", "seconds",
              "data_wait_seconds"});
  return 0;
}

Result<int> cancel(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json job, http.post(job_path(arguments) + "/cancel", Json::object()));
  show(arguments, job);
  return 0;
}

Result<int> resume(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  MORTISE_ASSIGN(const Json job, http.post(job_path(arguments) + "/resume", Json::object()));
  if (arguments.has("--wait")) return finish(arguments, http, job["id"].as_string());
  show(arguments, job);
  return 0;
}

// Scores and settings of several jobs side by side: only what differs.
Result<int> compare(const Arguments& arguments) {
  MORTISE_ASSIGN(Http http, connect());
  Json table = Json::object();
  for (const std::string& id : arguments.all("id")) {
    MORTISE_ASSIGN(const Json job, http.get("/api/v1/jobs/" + escape_path(id)));
    Json column = Json::object({{"state", job["state"]}});
    for (const auto& [section, value] : job["manifest"].members()) {
      if (!value.is_object()) column[section] = value;
      for (const auto& [name, member] : value.members()) column[section + "." + name] = member;
    }
    for (const Json& score : job["record"]["scores"].items()) {
      column["score." + score["of"].as_string() + "." + score["name"].as_string()] = score["value"];
    }
    table[id] = std::move(column);
  }
  Json rows = Json::array();
  for (const auto& [name, unused] : table.members().front().second.members()) {
    Json row = Json::object({{"what", name}});
    bool differs = false;
    for (const auto& [id, column] : table.members()) {
      row[id] = column[name];
      differs = differs || !(column[name] == unused);
    }
    if (differs || name.starts_with("score.")) rows.push_back(std::move(row));
  }
  for (const Json& row : rows.items()) {
    if (!arguments.is_json) std::printf("%s\n", row.dump().c_str());
  }
  if (arguments.is_json) show(arguments, Json::object({{"items", std::move(rows)}}));
  return 0;
}

const Option kId = {"id", "ID", "a job's id, or its name", Take::kOne, true};
const Option kWait = {"--wait", "", "until it is over", Take::kFlag};

}  // namespace

void add_job_commands(std::vector<Command>& out) {
  out.push_back({"job",
                 "submit",
                 "Submit a manifest.",
                 {{"file", "FILE", "a job manifest, JSON", Take::kOne, true}, kWait},
                 submit});
  out.push_back({"job",
                 "list",
                 "The jobs, newest first.",
                 {{"--limit", "N", "items a page"}, {"--cursor", "TEXT", "next page"}},
                 list});
  out.push_back({"job", "show", "The run record of a job.", {kId}, show_job});
  out.push_back({"job", "logs", "What the worker logged.", {kId}, logs});
  out.push_back({"job",
                 "metrics",
                 "One line an optimiser step.",
                 {kId,
                  {"--limit", "N", "items a page"},
                  {"--cursor", "TEXT", "the step after which to go on"}},
                 metrics});
  out.push_back({"job", "cancel", "Cancel a job.", {kId}, cancel});
  out.push_back({"job", "resume", "Go on from the last checkpoint.", {kId, kWait}, resume});
  out.push_back({"job",
                 "compare",
                 "What differs between jobs, and their scores.",
                 {{"id", "ID", "jobs", Take::kMany, true}},
                 compare});
}

}  // namespace mortise::cli
