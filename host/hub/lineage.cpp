// See lineage.h.
#include "hub/lineage.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "job/split.h"

namespace mortise::hub {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t kIdsAtOnce = 65536;

// A row that is looked for, as one version holds it.
struct Held {
  Version version;
  uint64_t index = 0;
  std::string text;
};

// Jobs, models and endpoints that are reached from versions. A model's job hands on what it read.
class Reach {
 public:
  explicit Reach(Hub& hub) : hub_(hub) {}

  Status from(const std::vector<Held>& versions) {
    MORTISE_TRY(hub_.database().read([&](Connection& connection) -> Status {
      for (const Held& held : versions) {
        MORTISE_TRY(jobs_of(connection, held.version.id, held.version.reference()));
      }
      while (!open_.empty()) {
        const std::string job = open_.front();
        open_.pop_front();
        MORTISE_TRY(follow(connection, job));
      }
      return {};
    }));
    return name_splits(versions);
  }
  void write(Json& out) const {
    out["jobs"] = jobs_;
    out["models"] = models_;
    out["endpoints"] = endpoints_;
  }

 private:
  // reference: of the version when the job read it itself, else "".
  Status jobs_of(Connection& connection, const std::string& input, const std::string& reference) {
    MORTISE_TRY(connection.run(
        "SELECT j.id, j.name, j.kind, j.state, j.manifest FROM job_inputs i JOIN jobs j"
        " ON j.id = i.job_id WHERE i.input_id = ?1 ORDER BY j.created_ns, j.id",
        {input}, [&](const Row& row) {
          const std::string id = row.text(0);
          if (!seen_.insert(id).second) return;
          open_.push_back(id);
          manifests_[id] = stored_json(row.text(4));
          jobs_.push_back(Json::object({{"id", id},
                                        {"name", row.text(1)},
                                        {"kind", row.text(2)},
                                        {"state", row.text(3)},
                                        {"dataset", reference.empty() ? Json() : Json(reference)},
                                        {"split", Json()}}));
        }));
    return {};
  }

  Status follow(Connection& connection, const std::string& job) {
    std::vector<std::string> ids;
    MORTISE_TRY(connection.run(
        "SELECT id, name, number, kind, state FROM models WHERE job_id = ?1 ORDER BY name, number",
        {job}, [&](const Row& row) {
          ids.push_back(row.text(0));
          models_.push_back(
              Json::object({{"reference", row.text(1) + "@" + std::to_string(row.integer(2))},
                            {"kind", row.text(3)},
                            {"state", row.text(4)},
                            {"job_id", job}}));
        }));
    MORTISE_TRY(connection.run(
        "SELECT name, model FROM endpoints WHERE job_id = ?1 ORDER BY name", {job},
        [&](const Row& row) {
          endpoints_.push_back(Json::object({{"name", row.text(0)}, {"model", row.text(1)}}));
        }));
    for (const std::string& id : ids) MORTISE_TRY(jobs_of(connection, id, ""));
    return {};
  }

  // On which side of a job's holdout the row stood.
  Status name_splits(const std::vector<Held>& versions) {
    for (Json& job : jobs_.items()) {
      const Json& holdout = manifests_[job["id"].as_string()]["holdout"];
      for (const Held& held : versions) {
        if (held.text.empty() || held.version.reference() != job["dataset"].as_string()) continue;
        if (!holdout.is_object()) continue;
        const bool is_held_out = job::is_held_out(held.text, holdout["ratio"].as_double(0.1),
                                                  holdout["seed"].as_uint(7));
        job["split"] = is_held_out ? "held_out" : "train";
      }
    }
    return {};
  }

  Hub& hub_;
  std::set<std::string> seen_;
  std::deque<std::string> open_;
  std::map<std::string, Json> manifests_;
  Json jobs_ = Json::array(), models_ = Json::array(), endpoints_ = Json::array();
};

Json brief(const Version& version) {
  return Json::object(
      {{"reference", version.reference()}, {"digest", version.digest}, {"state", version.state}});
}

// Looks the rows up in one version: the first place of each goes to its holders.
Status find_rows(Hub& hub, const Version& version, const std::map<store::RowId, size_t>& wanted,
                 std::vector<std::vector<Held>>& holders) {
  MORTISE_ASSIGN(const store::RowTable table, hub.datasets().rows(version));
  std::set<size_t> found;
  for (uint64_t first = 0; first < table.row_count(); first += kIdsAtOnce) {
    MORTISE_ASSIGN(const auto ids, table.ids(first, kIdsAtOnce));
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto row = wanted.find(ids[i]);
      if (row == wanted.end() || !found.insert(row->second).second) continue;
      MORTISE_ASSIGN(std::string text, table.row(first + i));
      holders[row->second].push_back({version, first + i, std::move(text)});
    }
  }
  return {};
}

}  // namespace

Status note_input(Hub& hub, const std::string& job_id, const std::string& kind,
                  const std::string& input_id) {
  return hub.database().write([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("INSERT INTO job_inputs VALUES (?1, ?2, ?3) ON CONFLICT (job_id, kind, "
                       "input_id) DO NOTHING",
                       {job_id, kind, input_id}));
    return {};
  });
}

Result<Version> dataset_of_job(Hub& hub, const std::string& job_id) {
  std::string id;
  MORTISE_TRY(hub.database().read([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("SELECT input_id FROM job_inputs WHERE job_id = ?1 AND kind = 'dataset'",
                       {job_id}, [&](const Row& row) { id = row.text(0); }));
    return {};
  }));
  return hub.datasets().version_by_id(id);
}

Result<Json> lineage_of(Hub& hub, const Version& version) {
  Json out = brief(version);
  out["parents"] = Json::array();
  out["children"] = Json::array();
  for (std::string id = version.parent_id; !id.empty();) {
    MORTISE_ASSIGN(const Version parent, hub.datasets().version_by_id(id));
    out["parents"].push_back(brief(parent));
    id = parent.parent_id;
  }
  MORTISE_ASSIGN(const auto all, hub.datasets().versions(version.dataset));
  std::set<std::string> below = {version.id};
  for (auto it = all.rbegin(); it != all.rend(); ++it) {  // a child has a higher number
    if (!below.contains(it->parent_id)) continue;
    below.insert(it->id);
    out["children"].push_back(brief(*it));
  }
  Reach reach(hub);
  MORTISE_TRY(reach.from({{version, 0, ""}}));
  reach.write(out);
  return out;
}

Result<Json> lineage_of_rows(Hub& hub, const std::string& within,
                             const std::vector<store::RowId>& rows) {
  MORTISE_ASSIGN(const auto versions, hub.datasets().versions(within));
  std::map<store::RowId, size_t> wanted;
  for (const store::RowId& row : rows) wanted.emplace(row, wanted.size());
  std::vector<std::vector<Held>> holders(wanted.size());
  for (const Version& version : versions) {
    if (version.state != "shredded") MORTISE_TRY(find_rows(hub, version, wanted, holders));
  }
  Json answers = Json::array();
  for (const store::RowId& row : rows) {
    const std::vector<Held>& held = holders[wanted.at(row)];
    if (held.empty()) {
      return not_found("row", store::to_text(row),
                       "No version of \"" + within + "\" holds it; mortise dataset rows --ids.");
    }
    Json listed = Json::array();
    for (const Held& one : held) {
      listed.push_back(Json::object({{"reference", one.version.reference()},
                                     {"state", one.version.state},
                                     {"row_number", static_cast<int64_t>(one.index) + 1}}));
    }
    Json answer = Json::object({{"row", store::to_text(row)}, {"versions", std::move(listed)}});
    Reach reach(hub);
    MORTISE_TRY(reach.from(held));
    reach.write(answer);
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace mortise::hub
