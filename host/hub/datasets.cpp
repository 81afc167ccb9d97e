// See datasets.h.
#include "hub/datasets.h"

#include "base/crypto.h"
#include "job/manifest.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr const char* kVersionColumns =
    "SELECT v.id, d.name, v.state, v.number, v.manifest, v.digest, v.row_count, v.media_count,"
    " v.size_bytes, v.domain, v.rows_ref, v.media_ref, v.originals_ref, v.report_ref, v.job_id,"
    " v.created_ns, v.parent_id"
    " FROM versions v JOIN datasets d ON d.id = v.dataset_id ";

constexpr const char* kDatasetColumns =
    "SELECT d.id, d.name, d.description, d.task_type, d.labels, d.created_ns,"
    " coalesce(v.number, 0), (SELECT count(*) FROM versions c WHERE c.dataset_id = d.id"
    " AND c.state NOT IN ('deleted', 'shredded')), coalesce(v.row_count, 0), "
    "coalesce(v.size_bytes, 0)"
    " FROM datasets d LEFT JOIN versions v ON v.dataset_id = d.id AND v.number ="
    " (SELECT max(number) FROM versions m WHERE m.dataset_id = d.id AND m.state = 'released') ";

Version version_of(const Row& row) {
  Version version;
  version.id = row.text(0);
  version.dataset = row.text(1);
  version.state = row.text(2);
  version.number = row.integer(3);
  version.manifest = stored_json(row.text(4));
  version.digest = row.text(5);
  version.row_count = row.integer(6);
  version.media_count = row.integer(7);
  version.size_bytes = row.integer(8);
  version.domain = row.text(9);
  // A reference of ours that does not parse is damage; reading the object then says so.
  store::ObjectRef* refs[] = {&version.rows, &version.media, &version.originals, &version.report};
  for (int i = 0; i < 4; ++i) {
    if (const auto ref = store::parse_object_ref(row.text(10 + i)); ref.ok()) *refs[i] = *ref;
  }
  version.job_id = row.text(14);
  version.created_ns = row.integer(15);
  version.parent_id = row.text(16);
  return version;
}

Dataset dataset_of(const Row& row) {
  Dataset dataset;
  dataset.id = row.text(0);
  dataset.name = row.text(1);
  dataset.description = row.text(2);
  dataset.task_type = row.text(3);
  dataset.labels = stored_json(row.text(4));
  dataset.created_ns = row.integer(5);
  dataset.newest = row.integer(6);
  dataset.versions_count = row.integer(7);
  dataset.row_count = row.integer(8);
  dataset.size_bytes = row.integer(9);
  return dataset;
}

Json object_of(const store::ObjectRef& ref, int64_t count) {
  return Json::object({{"object", to_text(ref)}, {"count", count}, {"size_bytes", ref.size_bytes}});
}

Json manifest_of(const NewVersion& version) {
  Json manifest = Json::object({{"manifest_version", 1}, {"task_type", version.task_type}});
  manifest["domain"] = version.domain;
  manifest["rows"] = object_of(version.rows, version.row_count);
  manifest["media"] = object_of(version.media, version.media_count);
  manifest["originals"] = Json::object({{"object", to_text(version.originals)}});
  manifest["report"] = Json::object({{"object", to_text(version.report)}});
  if (version.parent) {
    manifest["parents"] = Json::array({Json::object(
        {{"reference", version.parent->reference}, {"digest", version.parent->digest}})});
  }
  manifest["facts"] = version.facts;
  return manifest;
}

// A change that was asked for on top of the newest version is lost work when another came first:
// its rows would not be among those of the version that it would hide.
Status check_newest(Connection& connection, const std::string& id, const NewVersion& version) {
  if (!version.parent || !version.parent->must_be_newest) return {};
  int64_t newest = 0;
  MORTISE_TRY(connection.run(
      "SELECT coalesce(max(number), 0) FROM versions WHERE dataset_id = ?1 AND state = 'released'",
      {id}, [&](const Row& row) { newest = row.integer(0); }));
  if (newest == version.parent->number) return {};
  return Error(Code::kFailedPrecondition,
               version.name + "@" + std::to_string(newest) + " is the newest version now, the " +
                   "change was made from " + version.parent->reference + ".",
               "Make the change again, or name the parent to branch off from it.");
}

// The tags of the data sets found.
Status add_tags(Connection& connection, std::vector<Dataset>& datasets) {
  for (Dataset& dataset : datasets) {
    dataset.tags = Json::object();
    MORTISE_TRY(connection.run(
        "SELECT tag, number FROM version_tags WHERE dataset_id = ?1 ORDER BY tag", {dataset.id},
        [&](const Row& row) { dataset.tags[row.text(0)] = row.integer(1); }));
  }
  return {};
}

}  // namespace

Json Version::to_json() const {
  return Json::object({{"id", id},
                       {"dataset", dataset},
                       {"version", number},
                       {"reference", reference()},
                       {"state", state},
                       {"digest", digest},
                       {"row_count", row_count},
                       {"media_count", media_count},
                       {"size_bytes", size_bytes},
                       {"manifest", manifest},
                       {"job_id", job_id},
                       {"created_at", base::format_utc(created_ns)}});
}

Json Dataset::to_json() const {
  return Json::object({{"id", id},
                       {"name", name},
                       {"task_type", task_type},
                       {"description", description},
                       {"labels", labels},
                       {"tags", tags},
                       {"newest_version", newest == 0 ? Json() : Json(newest)},
                       {"versions_count", versions_count},
                       {"row_count", row_count},
                       {"size_bytes", size_bytes},
                       {"created_at", base::format_utc(created_ns)}});
}

Result<std::string> Datasets::add_version(Connection& connection, const NewVersion& version) {
  std::string id, task_type;
  int64_t number = 1;
  MORTISE_TRY(connection.run("SELECT id, task_type FROM datasets WHERE name = ?1", {version.name},
                             [&](const Row& row) {
                               id = row.text(0);
                               task_type = row.text(1);
                             }));
  const int64_t now = clock_->now_ns();
  if (id.empty()) {
    id = base::random_hex(*random_, 8);
    const Json labels = version.labels.is_object() ? version.labels : Json::object();
    MORTISE_TRY(connection.run(
        "INSERT INTO datasets VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        {id, version.name, version.description, labels.dump(), version.task_type, now}));
    MORTISE_TRY(index_dataset(connection, id, version.name, version.description, labels));
  } else if (task_type != version.task_type) {
    return Error(Code::kFailedPrecondition,
                 "The data set \"" + version.name + "\" holds rows of task type " + task_type +
                     ", the new rows are " + version.task_type + ".",
                 "Upload them under another name.");
  }
  MORTISE_TRY(check_newest(connection, id, version));
  MORTISE_TRY(
      connection.run("SELECT coalesce(max(number), 0) + 1 FROM versions WHERE dataset_id = ?1",
                     {id}, [&](const Row& row) { number = row.integer(0); }));
  const Json manifest = manifest_of(version);
  const std::string digest =
      "sha256:" + base::to_hex(base::sha256(base::as_bytes(manifest.canonical())));
  MORTISE_TRY(connection.run(
      "INSERT INTO versions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " ?15, ?16, ?17)",
      {base::random_hex(*random_, 16), id, number,
       std::string(version.draft ? "draft" : "released"), manifest.dump(), digest,
       version.row_count, version.media_count, version.size_bytes, version.domain,
       to_text(version.rows), to_text(version.media), to_text(version.originals),
       to_text(version.report), version.job_id, now,
       version.parent ? version.parent->id : std::string()}));
  return version.name + "@" + std::to_string(number);
}

Result<Page<Dataset>> Datasets::list(const DatasetQuery& query, const PageRequest& page) {
  Values values = {page.cursor, page.limit + 1};
  MORTISE_ASSIGN(const std::string where, query_condition(query, values));
  Page<Dataset> result;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        kDatasetColumns + ("WHERE d.name > ?1 " + where) + "ORDER BY d.name LIMIT ?2", values,
        [&](const Row& row) { result.items.push_back(dataset_of(row)); }));
    return add_tags(connection, result.items);
  }));
  if (static_cast<int64_t>(result.items.size()) > page.limit) {
    result.items.pop_back();
    result.next_cursor = result.items.back().name;
  }
  return result;
}

Result<Facets> Datasets::facets(const DatasetQuery& query) {
  Facets facets;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(facets, count_facets(connection, query));
    return {};
  }));
  return facets;
}

Result<Dataset> Datasets::get(const std::string& name) {
  std::vector<Dataset> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kDatasetColumns) + "WHERE d.name = ?1", {name},
                               [&](const Row& row) { found.push_back(dataset_of(row)); }));
    return add_tags(connection, found);
  }));
  if (found.empty()) return not_found("data set", name, "mortise dataset list shows them.");
  return std::move(found[0]);
}

Result<std::vector<Version>> Datasets::versions(const std::string& name) {
  MORTISE_TRY(get(name));
  std::vector<Version> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run(std::string(kVersionColumns) + "WHERE d.name = ?1 ORDER BY v.number DESC",
                       {name}, [&](const Row& row) { found.push_back(version_of(row)); }));
    return {};
  }));
  return found;
}

Result<Version> Datasets::resolve(const std::string& reference) {
  MORTISE_ASSIGN(const job::Reference wanted, job::parse_reference(reference));
  std::vector<Version> found;
  const auto collect = [&found](const Row& row) { found.push_back(version_of(row)); };
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        std::string(kVersionColumns) +
            "WHERE d.name = ?1 AND (v.number = ?2 OR (?2 = 0 AND ?3 = '' AND v.state = 'released')"
            " OR v.number = (SELECT number FROM version_tags WHERE dataset_id = d.id AND tag = ?3))"
            " ORDER BY v.number DESC LIMIT 1",
        {wanted.name, wanted.version, wanted.tag}, collect));
    if (found.empty() && wanted.version == 0 && wanted.tag.empty()) {
      MORTISE_TRY(
          connection.run(std::string(kVersionColumns) + "WHERE v.id = ?1", {wanted.name}, collect));
    }
    return {};
  }));
  if (found.empty()) {
    return not_found("data set", reference, "mortise dataset versions NAME shows what there is.");
  }
  if (found[0].state == "shredded") {
    return Error(Code::kNotFound, "The data set version \"" + reference + "\" was destroyed.",
                 "Its key is gone; nothing brings it back.");
  }
  if (found[0].state == "deleted") {
    return Error(Code::kNotFound, "The data set version \"" + reference + "\" was deleted.",
                 "mortise dataset restore brings it back while its rows are kept.");
  }
  return std::move(found[0]);
}

Result<Version> Datasets::version_by_id(const std::string& id) {
  std::vector<Version> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kVersionColumns) + "WHERE v.id = ?1", {id},
                               [&](const Row& row) { found.push_back(version_of(row)); }));
    return {};
  }));
  if (found.empty()) return not_found("version", id);
  return std::move(found[0]);
}

Result<store::RowTable> Datasets::rows(const Version& version) {
  MORTISE_ASSIGN(const auto domain, domains_->open(version.domain));
  return store::RowTable::open(domain, version.rows);
}

Result<store::NameTable> Datasets::media(const Version& version) {
  MORTISE_ASSIGN(const auto domain, domains_->open(version.domain));
  return store::NameTable::open(domain, version.media);
}

Result<store::NameTable> Datasets::originals(const Version& version) {
  MORTISE_ASSIGN(const auto domain, domains_->open(version.domain));
  return store::NameTable::open(domain, version.originals);
}

Result<store::ObjectReader> Datasets::open_object(const Version& version,
                                                  const store::ObjectRef& object) {
  MORTISE_ASSIGN(const auto domain, domains_->open(version.domain));
  return domain->open_object(object);
}

Status Datasets::describe(const std::string& name, const Json& description, const Json& labels) {
  return database_->write([&](Connection& connection) -> Status {
    Json merged;
    std::string id, text;
    MORTISE_TRY(connection.run("SELECT labels, id, description FROM datasets WHERE name = ?1",
                               {name}, [&](const Row& row) {
                                 merged = stored_json(row.text(0));
                                 id = row.text(1);
                                 text = row.text(2);
                               }));
    if (id.empty()) return not_found("data set", name);
    for (const auto& [key, value] : labels.members()) {
      if (value.is_null()) {
        merged.erase(key);
      } else {
        merged[key] = value;
      }
    }
    if (description.is_string()) text = description.as_string();
    MORTISE_TRY(connection.run("UPDATE datasets SET labels = ?2, description = ?3 WHERE id = ?1",
                               {id, merged.dump(), text}));
    return index_dataset(connection, id, name, text, merged);
  });
}

Status Datasets::move_tags(const std::string& name, const Json& tags) {
  return database_->write([&](Connection& connection) -> Status {
    std::string id;
    MORTISE_TRY(connection.run("SELECT id FROM datasets WHERE name = ?1", {name},
                               [&](const Row& row) { id = row.text(0); }));
    if (id.empty()) return not_found("data set", name);
    for (const auto& [tag, number] : tags.members()) {
      if (!job::is_valid_tag(tag) || (!number.is_integer() && !number.is_null())) {
        return Error(Code::kInvalidArgument,
                     "\"" + tag + "\" with this value is not a tag that points to a version.",
                     "A tag begins with a letter and points to a version's number, or null.")
            .at_field("/tags/" + tag);
      }
      MORTISE_TRY(
          connection.run("DELETE FROM version_tags WHERE dataset_id = ?1 AND tag = ?2", {id, tag}));
      if (number.is_null()) continue;
      MORTISE_ASSIGN(
          const int64_t added,
          connection.run("INSERT INTO version_tags SELECT ?1, ?2, number, ?4 FROM versions WHERE"
                         " dataset_id = ?1 AND number = ?3 AND state IN ('draft', 'released')",
                         {id, tag, number.as_int(), clock_->now_ns()}));
      if (added == 0) return not_found("data set", name + "@" + std::to_string(number.as_int()));
    }
    return {};
  });
}

Status Datasets::set_state(const std::string& name, int64_t number,
                           const std::vector<std::string>& from, const std::string& to) {
  return database_->write([&](Connection& connection) -> Status {
    int64_t changed = 0;
    for (const std::string& state : from) {
      MORTISE_ASSIGN(const int64_t some,
                     connection.run("UPDATE versions SET state = ?4 WHERE state = ?3 AND"
                                    " (?2 = 0 OR number = ?2) AND dataset_id ="
                                    " (SELECT id FROM datasets WHERE name = ?1)",
                                    {name, number, state, to}));
      changed += some;
    }
    if (changed > 0) return {};
    std::string states;
    for (const std::string& state : from) states += (states.empty() ? "" : " or ") + state;
    return Error(Code::kNotFound,
                 "No version of \"" + name + "\" that was asked for is " + states + ".");
  });
}

Status Datasets::release(const std::string& reference) {
  MORTISE_ASSIGN(const Version version, resolve(reference));
  return set_state(version.dataset, version.number, {"draft"}, "released");
}

Status Datasets::withdraw(const std::string& reference) {
  MORTISE_ASSIGN(const Version version, resolve(reference));
  return set_state(version.dataset, version.number, {"released"}, "withdrawn");
}

Status Datasets::restore(const std::string& name, int64_t number) {
  return set_state(name, number, {"deleted", "withdrawn"}, "released");
}

Status Datasets::remove(const std::string& reference) {
  MORTISE_ASSIGN(job::Reference wanted, job::parse_reference(reference));
  if (!wanted.tag.empty()) {
    MORTISE_ASSIGN(const Version version, resolve(reference));
    wanted.version = version.number;
  }
  const Status removed =
      set_state(wanted.name, wanted.version, {"draft", "released", "withdrawn"}, "deleted");
  return removed.ok() || removed.error().code != Code::kNotFound
             ? removed
             : Status(not_found("data set", reference));
}

}  // namespace mortise::hub
