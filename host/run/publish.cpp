// See publish.h.
#include "run/publish.h"

#include <algorithm>
#include <set>

#include "base/crypto.h"
#include "job/task.h"

namespace mortise::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr const char* kMediaPrefix = "media/";  // below it: media that came inside rows files

Status check_artifact(base::FileOps& files, const std::string& folder,
                      const job::Artifact& artifact) {
  const std::string path = base::join_path(folder, artifact.path);
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kRead));
  MORTISE_TRY(file->sync());
  MORTISE_ASSIGN(const uint64_t size, file->size());
  MORTISE_ASSIGN(const base::Digest digest, base::sha256_file(path));
  if (size == artifact.size_bytes && base::to_hex(digest) == artifact.sha256) return {};
  return Error(Code::kDataLoss,
               "The artifact \"" + artifact.name +
                   "\" is not what the worker recorded: " + std::to_string(size) +
                   " bytes with SHA-256 " + base::to_hex(digest) + ", recorded are " +
                   std::to_string(artifact.size_bytes) + " and " + artifact.sha256 + ".",
               "Run the job again.")
      .at_file(path);
}

Status check_artifacts(hub::Hub& hub, const std::string& folder, const job::TaskResult& result) {
  std::set<std::string> folders = {folder};
  for (const job::Artifact& artifact : result.artifacts) {
    MORTISE_TRY(check_artifact(hub.files(), folder, artifact));
    for (size_t at = artifact.path.find('/'); at != std::string::npos;
         at = artifact.path.find('/', at + 1)) {
      folders.insert(base::join_path(folder, artifact.path.substr(0, at)));
    }
  }
  for (const std::string& one : folders) MORTISE_TRY(hub.files().sync_folder(one));
  return {};
}

Result<int64_t> count_lines(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kRead));
  std::vector<std::byte> piece(1u << 20);
  int64_t lines = 0;
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t got, file->read_at(offset, piece));
    if (got == 0) return lines;
    lines += std::count(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got),
                        std::byte{'\n'});
    offset += got;
  }
}

Result<hub::NewVersion> version_of(hub::Hub& hub, const hub::Job& job, const std::string& folder,
                                   const job::TaskResult& result) {
  const Json& ingest = job.manifest["ingest"];
  hub::NewVersion version;
  version.name = job.name;
  version.task_type = job.manifest["task"].as_string();
  version.description = job.manifest["description"].as_string();
  version.labels = ingest["labels"];
  version.draft = ingest["draft"].as_bool();
  version.job_id = job.id;
  const std::string rows = base::join_path(folder, "rows.jsonl");
  MORTISE_ASSIGN(version.row_count, count_lines(hub.files(), rows));
  MORTISE_ASSIGN(version.rows, hub.blobs().adopt(rows));
  MORTISE_ASSIGN(const auto files, hub.uploads().files(ingest["upload"].as_string()));
  std::set<std::string> made;
  for (const job::Artifact& artifact : result.artifacts) made.insert(artifact.path);
  for (const Json& name : result.record["used_media"].items()) {
    const std::string& text = name.as_string();
    if (const auto found = files.find(text); found != files.end()) {
      version.media.insert(*found);
    } else if (made.contains(std::string(kMediaPrefix) + text)) {
      MORTISE_ASSIGN(version.media[text],
                     hub.blobs().adopt(base::join_path(folder, kMediaPrefix + text)));
    } else {
      return Error(Code::kInternal, "The worker names the media file \"" + text +
                                        "\", which is neither in the upload nor among what it "
                                        "made.");
    }
  }
  const Json& report = result.record["report"];
  version.facts = Json::object({{"mapping", report["mapping"]},
                                {"rows_read", report["rows_count"]},
                                {"bad_rows_left_out", report["bad_rows_count"]},
                                {"modalities", ingest["modalities"]},
                                {"packs", result.record["packs"]}});
  return version;
}

Status publish_version(hub::Hub& hub, const hub::Job& job, const std::string& folder,
                       job::TaskResult result, Json record) {
  MORTISE_ASSIGN(const hub::NewVersion version, version_of(hub, job, folder, result));
  // The version has the media now: the job need not list each of a million pictures again.
  std::erase_if(result.artifacts, [](const job::Artifact& artifact) {
    return artifact.path.starts_with(kMediaPrefix);
  });
  const std::string upload = job.manifest["ingest"]["upload"].as_string();
  const Json report = result.record["report"];
  return hub.jobs().publish(job, result, record, [&](hub::Connection& connection) -> Status {
    MORTISE_ASSIGN(const std::string reference, hub.datasets().add_version(connection, version));
    MORTISE_TRY(connection.run("UPDATE jobs SET progress = ?2 WHERE id = ?1",
                               {job.id, Json::object({{"reference", reference}}).dump()}));
    return hub.uploads().set_committed(
        connection, upload, Json::object({{"reference", reference}, {"report", report}}));
  });
}

// The model an adapter belongs to, as name@n at the time it was trained.
std::string base_of(hub::Hub& hub, const hub::Job& job) {
  const auto model = hub.models().resolve(job.manifest["model"].as_string());
  if (!model.ok()) return job.manifest["model"].as_string();
  return model->kind == "adapter" ? model->base : model->reference();
}

Status publish_models(hub::Hub& hub, const hub::Job& job, const std::string& folder,
                      const job::TaskResult& result, Json record) {
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

Json run_record(hub::Hub& hub, const hub::Job& job, const job::TaskResult& result) {
  Json record = result.record;
  record["manifest"] = job.manifest;
  record["attempt"] = job.attempt;
  record["isolation_level"] = "L0";  // workers run without a sandbox in this version
  record["device"] = job.manifest["resources"]["device"];
  if (const auto version = hub.datasets().resolve(job.manifest["dataset"].as_string());
      version.ok()) {
    record["dataset"] =
        Json::object({{"reference", version->dataset + "@" + std::to_string(version->number)},
                      {"digest", version->digest}});
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
  MORTISE_TRY(check_artifacts(hub, folder, result));
  Json record = run_record(hub, job, result);
  if (job.kind == "ingest") return publish_version(hub, job, folder, result, std::move(record));
  return publish_models(hub, job, folder, result, std::move(record));
}

}  // namespace mortise::run
