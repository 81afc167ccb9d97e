// See models.h.
#include "hub/models.h"

#include <map>
#include <set>

#include "job/manifest.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr const char* kModelColumns =
    "SELECT id, name, kind, base, state, number, files, description, job_id, created_ns, domain"
    " FROM models ";

Json files_to_json(const std::vector<job::Artifact>& files) {
  Json list = Json::array();
  for (const job::Artifact& file : files) {
    list.push_back(Json::object(
        {{"name", file.name}, {"sha256", file.sha256}, {"size_bytes", file.size_bytes}}));
  }
  return list;
}

Model model_of(const Row& row, const std::string& root) {
  Model model;
  model.id = row.text(0);
  model.name = row.text(1);
  model.kind = row.text(2);
  model.base = row.text(3);
  model.state = row.text(4);
  model.number = row.integer(5);
  model.folder = base::join_path(root, model.id);
  model.files = model_files_of(row.text(6));
  model.description = row.text(7);
  model.job_id = row.text(8);
  model.created_ns = row.integer(9);
  model.domain = row.text(10);
  return model;
}

// Models have numbers only.
Result<job::Reference> parse_model_reference(const std::string& reference) {
  MORTISE_ASSIGN(job::Reference wanted, job::parse_reference(reference));
  if (wanted.tag.empty()) return wanted;
  return Error(Code::kInvalidArgument, "\"" + reference + "\" is not a reference to a model.",
               "Write NAME or NAME@VERSION, as in chest-base@2.");
}

}  // namespace

std::vector<job::Artifact> model_files_of(const std::string& text) {
  std::vector<job::Artifact> files;
  const Json list = stored_json(text);
  for (const Json& item : list.items()) {
    const std::string& name = item["name"].as_string();
    files.push_back({name, name, item["sha256"].as_string(), item["size_bytes"].as_uint()});
  }
  return files;
}

Json Model::to_json() const {
  uint64_t size_bytes = 0;
  for (const job::Artifact& file : files) size_bytes += file.size_bytes;
  return Json::object({{"id", id},
                       {"name", name},
                       {"version", number},
                       {"reference", reference()},
                       {"kind", kind},
                       {"base", base.empty() ? Json() : Json(base)},
                       {"description", description},
                       {"job_id", job_id.empty() ? Json() : Json(job_id)},
                       {"size_bytes", size_bytes},
                       {"files", files_to_json(files)},
                       {"created_at", base::format_utc(created_ns)}});
}

Result<PreparedModel> Models::prepare(const std::vector<std::string>& names, const Placer& place) {
  PreparedModel model;
  for (const std::string& name : names) {
    MORTISE_TRY(base::check_relative_path(name));
    if (name == "adapter_config.json") model.kind = "adapter";
    if (name == "config.json" && model.kind.empty()) model.kind = "model";
  }
  if (model.kind.empty()) {
    return Error(Code::kInvalidArgument,
                 "The folder has neither config.json nor adapter_config.json: it is no model.",
                 "Give the folder in which Hugging Face keeps config.json.");
  }
  model.id = base::random_hex(*random_, 8);
  model.folder = base::join_path(root_, model.id);
  Status status = base::make_folders(*files_, model.folder);
  std::set<std::string> folders = {model.folder};
  for (auto it = names.begin(); status.ok() && it != names.end(); ++it) {
    const std::string path = base::join_path(model.folder, *it);
    const std::string parent = path.substr(0, path.rfind('/'));
    if (folders.insert(parent).second) status = base::make_folders(*files_, parent);
    if (!status.ok()) break;
    auto placed = place(*it, path);
    if (placed.ok()) model.files.push_back(std::move(*placed));
    if (!placed.ok()) status = std::move(placed).error();
  }
  for (auto it = folders.begin(); status.ok() && it != folders.end(); ++it) {
    status = files_->sync_folder(*it);
  }
  if (status.ok()) return model;
  discard(model);
  return std::move(status).error();
}

Result<PreparedModel> Models::prepare_upload(store::Domain& domain, const store::NameTable& files) {
  std::vector<std::string> names;
  MORTISE_TRY(files.visit([&](const store::NamedObject& entry) -> Status {
    names.push_back(entry.name);
    return {};
  }));
  const auto copy = [&](const std::string& name, const std::string& path) -> Result<job::Artifact> {
    MORTISE_ASSIGN(const auto ref, files.find(name));
    MORTISE_ASSIGN(const store::ObjectReader source, domain.open_object(*ref));
    MORTISE_ASSIGN(auto target, files_->open(path, base::OpenMode::kCreateNew));
    base::Sha256 hash;
    std::vector<std::byte> piece(1u << 20);
    for (uint64_t offset = 0; offset < source.size_bytes();) {
      MORTISE_ASSIGN(const size_t got, source.read_at(offset, piece));
      const base::ByteView here(piece.data(), got);
      hash.update(here);
      MORTISE_TRY(target->write(here));
      offset += got;
    }
    MORTISE_TRY(target->sync());
    MORTISE_TRY(target->close());
    return job::Artifact{name, name, base::to_hex(hash.finish()), source.size_bytes()};
  };
  return prepare(names, copy);
}

Result<PreparedModel> Models::prepare_output(const std::string& output_folder,
                                             const job::ModelOutput& output,
                                             const std::vector<job::Artifact>& artifacts) {
  std::vector<std::string> names;
  std::map<std::string, job::Artifact> listed;
  const std::string prefix = output.folder + "/";
  for (const job::Artifact& artifact : artifacts) {
    if (!artifact.path.starts_with(prefix)) continue;
    names.push_back(artifact.path.substr(prefix.size()));
    listed[names.back()] = artifact;
  }
  // Hard links: the artifacts were checked, synced, and nobody writes them any more.
  const auto link = [&](const std::string& name, const std::string& path) -> Result<job::Artifact> {
    job::Artifact file = listed.at(name);
    MORTISE_TRY(files_->link(base::join_path(output_folder, file.path), path));
    file.name = file.path = name;
    return file;
  };
  MORTISE_ASSIGN(PreparedModel model, prepare(names, link));
  model.name = output.name;
  return model;
}

Result<std::string> Models::add(Connection& connection, const PreparedModel& model) {
  if (!job::is_valid_name(model.name)) {
    return Error(Code::kInvalidArgument, "\"" + model.name + "\" is not a name for a model.",
                 "Use 1 to 128 letters, digits, '.', '_' and '-', a letter or digit first.");
  }
  int64_t number = 1;
  MORTISE_TRY(connection.run("SELECT coalesce(max(number), 0) + 1 FROM models WHERE name = ?1",
                             {model.name}, [&](const Row& row) { number = row.integer(0); }));
  MORTISE_TRY(connection.run(
      "INSERT INTO models VALUES (?1, ?2, ?3, ?4, ?5, 'ready', ?6, ?7, ?8, ?9, ?10)",
      {model.id, model.name, number, model.kind, model.base, files_to_json(model.files).dump(),
       model.description, model.job_id, clock_->now_ns(), model.domain}));
  return model.name + "@" + std::to_string(number);
}

// An adapter's base is kept as name@n, whatever it was called: a newer model of the name is
// another.
Status Models::fix_base(PreparedModel& model) {
  if (model.kind != "adapter") return {};
  if (model.base.empty()) {
    return Error(Code::kInvalidArgument, "An adapter needs the model that it belongs to.",
                 "Name it as base, as in \"base\": \"chest-base@1\".")
        .at_field("/base");
  }
  auto base = resolve(model.base);
  if (!base.ok()) return std::move(base.error().at_field("/base"));
  if (base->kind == "adapter") {
    return Error(Code::kInvalidArgument, base->reference() + " is an adapter itself.",
                 "Name the model that it belongs to: " + base->base + ".")
        .at_field("/base");
  }
  model.base = base->reference();
  return {};
}

Result<Model> Models::import(PreparedModel model) {
  if (const Status fixed = fix_base(model); !fixed.ok()) {
    discard(model);
    return fixed.error();
  }
  std::string reference;
  const Status status = database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(reference, add(connection, model));
    return {};
  });
  if (!status.ok()) {
    discard(model);
    return status.error();
  }
  return resolve(reference);
}

void Models::discard(const PreparedModel& model) {
  if (!model.folder.empty()) (void)base::remove_tree(*files_, model.folder);
}

Status Models::remove_orphans() {
  std::set<std::string> known;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("SELECT id FROM models WHERE state = 'ready' OR EXISTS"
                       " (SELECT 1 FROM jobs WHERE state = 'running' AND kind <> 'pipeline')",
                       {}, [&](const Row& row) { known.insert(row.text(0)); }));
    return {};
  }));
  MORTISE_TRY(base::make_folders(*files_, root_));
  MORTISE_ASSIGN(const auto folders, files_->list(root_));
  for (const base::FileInfo& folder : folders) {
    if (known.contains(folder.name)) continue;
    MORTISE_TRY(base::remove_tree(*files_, base::join_path(root_, folder.name)));
  }
  return {};
}

Result<Page<Model>> Models::list(const std::string& query, const PageRequest& page) {
  MORTISE_ASSIGN(const TimeCursor after, parse_time_cursor(page.cursor));
  Page<Model> result;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        std::string(kModelColumns) +
            "WHERE state = 'ready' AND instr(name || ' ' || description, ?1) > 0"
            " AND (created_ns, id) < (?2, ?3) ORDER BY created_ns DESC, id DESC LIMIT ?4",
        {query, after.created_ns, after.id, page.limit + 1},
        [&](const Row& row) { result.items.push_back(model_of(row, root_)); }));
    return {};
  }));
  if (static_cast<int64_t>(result.items.size()) > page.limit) {
    result.items.pop_back();
    result.next_cursor = write_time_cursor(result.items.back().created_ns, result.items.back().id);
  }
  return result;
}

Result<Model> Models::resolve(const std::string& reference) {
  MORTISE_ASSIGN(const job::Reference wanted, parse_model_reference(reference));
  std::vector<Model> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kModelColumns) +
                                   "WHERE name = ?1 AND (number = ?2 OR ?2 = 0) AND"
                                   " state = 'ready' ORDER BY number DESC LIMIT 1",
                               {wanted.name, wanted.version},
                               [&](const Row& row) { found.push_back(model_of(row, root_)); }));
    return {};
  }));
  if (found.empty()) return not_found("model", reference, "mortise model list shows them.");
  return std::move(found[0]);
}

// Errors: FAILED_PRECONDITION naming what an adapter or an endpoint would lose.
Status Models::check_unused(Connection& connection, const job::Reference& wanted) {
  std::string users;
  const auto add = [&](const Row& row) {
    users += (users.empty() ? "" : ", ") + row.text(0) + " " + row.text(1);
  };
  MORTISE_TRY(connection.run(
      "SELECT 'the adapter', a.name || '@' || a.number FROM models a JOIN models m"
      " ON a.base = m.name || '@' || m.number WHERE a.kind = 'adapter' AND a.state = 'ready'"
      " AND m.state = 'ready' AND m.name = ?1 AND (?2 = 0 OR m.number = ?2)"
      " AND NOT (a.name = ?1 AND (?2 = 0 OR a.number = ?2)) ORDER BY a.name, a.number LIMIT 5",
      {wanted.name, wanted.version}, add));
  MORTISE_TRY(connection.run(
      "SELECT DISTINCT 'the endpoint', e.name FROM endpoints e JOIN jobs j ON j.id = e.job_id"
      " JOIN job_inputs i ON i.job_id = j.id AND i.kind = 'model' JOIN models m"
      " ON m.id = i.input_id WHERE j.state IN ('queued', 'running') AND m.name = ?1"
      " AND (?2 = 0 OR m.number = ?2) ORDER BY e.name LIMIT 5",
      {wanted.name, wanted.version}, add));
  if (users.empty()) return {};
  return Error(Code::kFailedPrecondition, "The model is used by " + users + ".",
               "Delete those adapters and stop those endpoints first.");
}

Status Models::remove(const std::string& reference) {
  MORTISE_ASSIGN(const job::Reference wanted, parse_model_reference(reference));
  // The folder stays until a start that finds no running job: one may be reading it.
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(check_unused(connection, wanted));
    MORTISE_ASSIGN(const int64_t changed,
                   connection.run("UPDATE models SET state = 'deleted' WHERE name = ?1 AND"
                                  " (?2 = 0 OR number = ?2) AND state = 'ready'",
                                  {wanted.name, wanted.version}));
    return changed > 0 ? Status() : Status(not_found("model", reference));
  });
}

}  // namespace mortise::hub
