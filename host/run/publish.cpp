// See publish.h.
#include "run/publish.h"

#include <algorithm>
#include <set>

#include "base/file_digest.h"
#include "hub/lineage.h"
#include "hub/made_files.h"
#include "job/task.h"

namespace mortise::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

Status check_artifact(base::FileOps& files, const std::string& folder,
                      const job::Artifact& artifact) {
  const std::string path = base::join_path(folder, artifact.path);
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kRead));
  MORTISE_TRY(file->sync());
  MORTISE_ASSIGN(const uint64_t size, file->size());
  MORTISE_ASSIGN(const base::Digest digest, base::sha256_file(files, path));
  if (size == artifact.size_bytes && base::to_hex(digest) == artifact.sha256) return {};
  return Error(Code::kDataLoss,
               "The artifact \"" + artifact.name +
                   "\" is not what the worker recorded: " + std::to_string(size) +
                   " bytes with SHA-256 " + base::to_hex(digest) + ", recorded are " +
                   std::to_string(artifact.size_bytes) + " and " + artifact.sha256 + ".",
               "Run the job again.")
      .at_file(path);
}

// Sizes and digests are those of the plain bytes.
Status check_artifacts(base::FileOps& files, const std::string& folder,
                       const job::TaskResult& result) {
  std::set<std::string> folders = {folder};
  for (const job::Artifact& artifact : result.artifacts) {
    MORTISE_TRY(check_artifact(files, folder, artifact));
    for (size_t at = artifact.path.find('/'); at != std::string::npos;
         at = artifact.path.find('/', at + 1)) {
      folders.insert(base::join_path(folder, artifact.path.substr(0, at)));
    }
  }
  for (const std::string& one : folders) MORTISE_TRY(files.sync_folder(one));
  return {};
}

// Takes over the segments that the worker finished, each of which authenticates as of its domain.
Status adopt_segments(hub::Hub& hub, const hub::Job& job, const std::string& domain_id) {
  const std::string folder =
      base::join_path(base::join_path(hub.task_folder(job.id, job.attempt), "sealed"), domain_id);
  MORTISE_ASSIGN(const auto domain, hub.domains().open(domain_id));
  MORTISE_ASSIGN(const auto entries, hub.files().list(folder));
  for (const base::FileInfo& entry : entries) {
    if (!entry.name.ends_with(".seg")) continue;
    MORTISE_TRY(domain->adopt(base::join_path(folder, entry.name)));
  }
  return {};
}

Result<store::ObjectRef> object_of(const Json& sealed, const char* name) {
  auto ref = store::parse_object_ref(sealed[name].as_string());
  if (ref.ok()) return ref;
  return Error(Code::kInternal, std::string("The worker names no object as \"") + name + "\".");
}

// The version that was changed, as it was when the task was prepared.
Status add_parent(hub::Hub& hub, const hub::Job& job, hub::NewVersion& version) {
  const Json& ingest = job.manifest["ingest"];
  if (ingest["parent"].as_string().empty()) return {};
  MORTISE_ASSIGN(const hub::Version parent, hub::dataset_of_job(hub, job.id));
  version.parent = {parent.id, parent.reference(), parent.digest, parent.number,
                    ingest["parent_newest"].as_bool()};
  return {};
}

Result<hub::NewVersion> version_of(hub::Hub& hub, const hub::Job& job,
                                   const job::TaskResult& result) {
  const Json& ingest = job.manifest["ingest"];
  MORTISE_ASSIGN(const hub::Upload upload, hub.uploads().get(ingest["upload"].as_string()));
  MORTISE_TRY(adopt_segments(hub, job, upload.domain));
  const Json& sealed = result.record["sealed"];
  hub::NewVersion version;
  version.name = job.name;
  version.task_type = job.manifest["task"].as_string();
  version.description = job.manifest["description"].as_string();
  version.labels = ingest["labels"];
  MORTISE_TRY(add_parent(hub, job, version));
  version.draft = ingest["draft"].as_bool();
  version.job_id = job.id;
  version.domain = upload.domain;
  MORTISE_ASSIGN(version.rows, object_of(sealed, "rows"));
  MORTISE_ASSIGN(version.media, object_of(sealed, "media"));
  MORTISE_ASSIGN(version.report, object_of(sealed, "report"));
  MORTISE_ASSIGN(version.originals, store::parse_object_ref(upload.files_ref));
  // What the worker says is looked up in the objects themselves.
  MORTISE_ASSIGN(const auto domain, hub.domains().open(upload.domain));
  MORTISE_ASSIGN(const auto rows, store::RowTable::open(domain, version.rows));
  MORTISE_ASSIGN(const auto media, store::NameTable::open(domain, version.media));
  version.row_count = static_cast<int64_t>(rows.row_count());
  version.media_count = static_cast<int64_t>(media.count());
  for (const store::RowGroup& group : rows.groups()) {
    version.size_bytes += static_cast<int64_t>(group.ref.size_bytes);
  }
  MORTISE_TRY(media.visit([&](const store::NamedObject& entry) -> Status {
    version.size_bytes += static_cast<int64_t>(entry.ref.size_bytes);
    return {};
  }));
  const Json& counts = result.record["counts"];
  version.facts = Json::object({{"change", result.record["change"]},
                                {"mapping", result.record["mapping"]},
                                {"rows_read", counts["rows_count"]},
                                {"bad_rows_left_out", counts["bad_rows_count"]},
                                {"modalities", ingest["modalities"]},
                                {"schema", result.record["schema"]},
                                {"packs", result.record["packs"]}});
  return version;
}

Status publish_version(hub::Hub& hub, const hub::Job& job, const job::TaskResult& result,
                       Json record) {
  MORTISE_ASSIGN(const hub::NewVersion version, version_of(hub, job, result));
  const std::string upload = job.manifest["ingest"]["upload"].as_string();
  return hub.jobs().publish(job, result, record, [&](hub::Connection& connection) -> Status {
    MORTISE_ASSIGN(const std::string reference, hub.datasets().add_version(connection, version));
    MORTISE_TRY(connection.run("UPDATE jobs SET progress = ?2 WHERE id = ?1",
                               {job.id, Json::object({{"reference", reference}}).dump()}));
    return hub.uploads().set_committed(connection, upload, Json::object({{"reference", reference}}),
                                       to_text(version.report));
  });
}

// The model an adapter belongs to, as name@n at the time it was trained.
std::string base_of(hub::Hub& hub, const hub::Job& job) {
  const auto model = hub.models().resolve(job.manifest["model"].as_string());
  if (!model.ok()) return job.manifest["model"].as_string();
  return model->kind == "adapter" ? model->base : model->reference();
}

// What an evaluation sealed, in the domains of the objects that it names.
Status adopt_objects(hub::Hub& hub, const hub::Job& job, const Json& record) {
  std::set<std::string> domains;
  for (const Json& object : record["objects"].items()) {
    domains.insert(object["domain"].as_string());
  }
  for (const std::string& domain : domains) MORTISE_TRY(adopt_segments(hub, job, domain));
  return {};
}

Status publish_models(hub::Hub& hub, const hub::Job& job, const std::string& folder,
                      const std::string& sealed_in, const job::TaskResult& result, Json record) {
  MORTISE_TRY(adopt_objects(hub, job, record));
  std::vector<hub::PreparedModel> prepared;
  Status status;
  for (const job::ModelOutput& output : result.models) {
    auto model = hub.models().prepare_output(folder, output, result.artifacts);
    if (!model.ok()) {
      status = std::move(model).error();
      break;
    }
    if (model->name.empty()) model->name = job.name;
    if (model->kind == "adapter") model->base = base_of(hub, job);
    model->description = job.manifest["description"].as_string();
    model->job_id = job.id;
    model->domain = sealed_in;
    prepared.push_back(std::move(model).value());
  }
  if (status.ok()) {
    status = hub.jobs().publish(job, result, record, [&](hub::Connection& connection) -> Status {
      Json references = Json::array();
      for (const hub::PreparedModel& model : prepared) {
        MORTISE_ASSIGN(std::string reference, hub.models().add(connection, model));
        references.push_back(std::move(reference));
      }
      record["models"] = references;
      MORTISE_TRY(
          connection.run("UPDATE jobs SET record = ?2 WHERE id = ?1", {job.id, record.dump()}));
      return {};
    });
  }
  if (!status.ok()) {
    for (const hub::PreparedModel& model : prepared) hub.models().discard(model);
  }
  return status;
}

}  // namespace

Result<std::string> adopt_report(hub::Hub& hub, const hub::Job& job,
                                 const job::TaskResult& result) {
  MORTISE_ASSIGN(const store::ObjectRef report, object_of(result.record["sealed"], "report"));
  MORTISE_ASSIGN(const hub::Upload upload,
                 hub.uploads().get(job.manifest["ingest"]["upload"].as_string()));
  MORTISE_TRY(adopt_segments(hub, job, upload.domain));
  MORTISE_ASSIGN(const auto domain, hub.domains().open(upload.domain));
  MORTISE_TRY(domain->open_object(report));
  return to_text(report);
}

Json run_record(hub::Hub& hub, const hub::Job& job, const job::TaskResult& result) {
  Json record = result.record;
  record["manifest"] = job.manifest;
  record["attempt"] = job.attempt;
  record["isolation_level"] = "L0";  // workers run without a sandbox in this version
  record["device"] = job.manifest["resources"]["device"];
  if (const auto version = hub::dataset_of_job(hub, job.id); version.ok()) {
    record["dataset"] =
        Json::object({{"reference", version->reference()}, {"digest", version->digest}});
  }
  const int64_t now = hub.clock().now_ns();
  record["timings"] =
      Json::object({{"queued_seconds", static_cast<double>(job.started_ns - job.created_ns) / 1e9},
                    {"running_seconds", static_cast<double>(now - job.started_ns) / 1e9}});
  record["scores"] = result.scores;
  record["summary"] = result.summary;
  return record;
}

Status publish_result(hub::Hub& hub, const hub::Job& job, const job::TaskResult& result) {
  const std::string folder =
      base::join_path(hub.task_folder(job.id, job.attempt), job::kArtifactsFolder);
  MORTISE_ASSIGN(hub::MadeFiles made, hub::files_of_attempt(hub, job.id, job.attempt));
  MORTISE_TRY(check_artifacts(made.files, folder, result));
  Json record = run_record(hub, job, result);
  if (job.kind == "ingest") return publish_version(hub, job, result, std::move(record));
  return publish_models(hub, job, folder, made.domain, result, std::move(record));
}

}  // namespace mortise::run
