// See endpoints.h.
#include "hub/endpoints.h"

namespace mortise::hub {
namespace {

using base::Json;
using base::Result;
using base::Status;

constexpr const char* kEndpointColumns =
    "SELECT e.name, e.job_id, e.model, e.adapters, e.created_ns, j.state, j.progress, j.error,"
    " j.attempt FROM endpoints e JOIN jobs j ON j.id = e.job_id ";

Endpoint endpoint_of(const Row& row) {
  Endpoint endpoint;
  endpoint.name = row.text(0);
  endpoint.job_id = row.text(1);
  endpoint.model = row.text(2);
  endpoint.adapters = stored_json(row.text(3));
  endpoint.created_ns = row.integer(4);
  const std::string job_state = row.text(5);
  const Json progress = stored_json(row.text(6));
  if (job_state == "running" && progress["endpoint"].as_string() == "ready") {
    endpoint.state = "ready";
  } else if (job_state == "queued" || job_state == "running") {
    endpoint.state = "starting";
  } else {
    endpoint.state = "stopped";
  }
  endpoint.error = stored_json(row.text(7));
  endpoint.attempt = row.integer(8);
  return endpoint;
}

}  // namespace

Json Endpoint::to_json() const {
  return Json::object({{"name", name},
                       {"state", state},
                       {"model", model},
                       {"adapters", adapters},
                       {"job_id", job_id},
                       {"error", error},
                       {"created_at", base::format_utc(created_ns)}});
}

Result<Endpoint> Endpoints::start(const std::string& name, const job::Manifest& manifest) {
  if (!job::is_valid_name(name)) {
    return base::Error(base::Code::kInvalidArgument,
                       "\"" + name + "\" is not a name for an endpoint.",
                       "Use letters, digits, '.', '_' and '-', a letter or digit first.")
        .at_field("/name");
  }
  const auto before = get(name);
  if (before.ok() && before->state != "stopped") {
    return base::Error(base::Code::kAlreadyExists,
                       "The endpoint \"" + name + "\" serves " + before->model + " already.",
                       "Stop it first, or take another name.");
  }
  Json adapters = Json::array();
  if (!manifest.adapter.empty()) adapters.push_back(manifest.adapter);
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(const std::string job_id, jobs_->submit_in(connection, {manifest, "", "", ""}));
    MORTISE_TRY(connection.run(
        "DELETE FROM endpoints WHERE name = ?1 AND job_id IN (SELECT id FROM jobs WHERE state IN"
        " ('done', 'failed', 'cancelled'))",
        {name}));
    MORTISE_TRY(connection.run("INSERT INTO endpoints VALUES (?1, ?2, ?3, ?4, ?5)",
                               {name, job_id, manifest.model, adapters.dump(), clock_->now_ns()}));
    return {};
  }));
  return get(name);
}

Result<Endpoint> Endpoints::get(const std::string& name) {
  std::vector<Endpoint> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kEndpointColumns) + "WHERE e.name = ?1", {name},
                               [&](const Row& row) { found.push_back(endpoint_of(row)); }));
    return {};
  }));
  if (found.empty()) return not_found("endpoint", name, "mortise endpoint list shows them.");
  return std::move(found[0]);
}

Result<std::vector<Endpoint>> Endpoints::list() {
  std::vector<Endpoint> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kEndpointColumns) + "ORDER BY e.name", {},
                               [&](const Row& row) { found.push_back(endpoint_of(row)); }));
    return {};
  }));
  return found;
}

Status Endpoints::stop(const std::string& name) {
  MORTISE_ASSIGN(const Endpoint endpoint, get(name));
  if (endpoint.state != "stopped") MORTISE_TRY(jobs_->cancel(endpoint.job_id));
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("DELETE FROM endpoints WHERE name = ?1 AND job_id = ?2",
                               {name, endpoint.job_id}));
    return {};
  });
}

}  // namespace mortise::hub
