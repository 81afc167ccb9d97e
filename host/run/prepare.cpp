// See prepare.h.
#include "run/prepare.h"

#include <charconv>
#include <set>

#include "hub/lineage.h"
#include "hub/made_files.h"
#include "job/dataset_file.h"

namespace mortise::run {
namespace {

using base::Json;
using base::Result;
using base::Status;

// The adapter that a job puts on its model: "adapter", or the one that training goes on from.
Result<std::string> adapter_of(const Json& manifest) {
  const std::string& adapter = manifest["adapter"].as_string();
  const std::string& first = manifest["method"]["init_adapter"].as_string();
  if (manifest["kind"].as_string() != "train" || first.empty()) return adapter;
  if (adapter.empty() || adapter == first) return first;
  return base::Error(base::Code::kInvalidArgument,
                     "Training cannot go on from \"" + first + "\" and from \"" + adapter + "\".",
                     "Leave adapter out; method.init_adapter is the one that training reads.")
      .at_field("/method/init_adapter");
}

void add_sealed(const std::string& folder, const std::string& domain, job::TaskInputs& inputs) {
  if (!domain.empty()) inputs.sealed_folders.push_back({folder, domain});
}

// The model that an adapter is for; any other is its own.
Result<hub::Model> base_of(hub::Hub& hub, const hub::Model& model) {
  return model.kind == "adapter" ? hub.models().resolve(model.base) : Result<hub::Model>(model);
}

// A reference to an adapter stands for its base with the adapter on it.
Status add_models(hub::Hub& hub, const std::string& job_id, const Json& manifest,
                  job::TaskInputs& inputs) {
  const std::string& reference = manifest["model"].as_string();
  if (reference.empty()) return {};
  MORTISE_ASSIGN(hub::Model model, hub.models().resolve(reference));
  MORTISE_ASSIGN(std::string adapter, adapter_of(manifest));
  if (model.kind == "adapter") {
    if (!adapter.empty()) {
      return base::Error(base::Code::kInvalidArgument,
                         "\"" + reference + "\" is an adapter, and \"" + adapter +
                             "\" is asked for on top of it.",
                         "Name the base as model, or leave adapter out.")
          .at_field("/adapter");
    }
    adapter = reference;
    MORTISE_ASSIGN(model, base_of(hub, model));
  }
  inputs.model_folder = model.folder;
  add_sealed(model.folder, model.domain, inputs);
  MORTISE_TRY(hub::note_input(hub, job_id, "model", model.id));
  if (adapter.empty()) return {};
  MORTISE_ASSIGN(const hub::Model on_top, hub.models().resolve(adapter));
  if (on_top.kind != "adapter") {
    return base::Error(base::Code::kInvalidArgument, "\"" + adapter + "\" is not an adapter.",
                       "Name it as model.")
        .at_field("/adapter");
  }
  MORTISE_TRY(hub::note_input(hub, job_id, "model", on_top.id));
  inputs.adapter_folder = on_top.folder;
  add_sealed(on_top.folder, on_top.domain, inputs);
  inputs.adapters.push_back({on_top.name, on_top.folder});
  return {};
}

// Tokens are counted with the tokenizer of a stored model; an adapter's is its base's.
Status add_tokenizer(hub::Hub& hub, const std::string& job_id, const Json& manifest,
                     job::TaskInputs& inputs) {
  const std::string& reference = manifest["ingest"]["tokenizer"].as_string();
  if (reference.empty()) return {};
  MORTISE_ASSIGN(const hub::Model named, hub.models().resolve(reference));
  MORTISE_ASSIGN(const hub::Model model, base_of(hub, named));
  inputs.model_folder = model.folder;
  add_sealed(model.folder, model.domain, inputs);
  return hub::note_input(hub, job_id, "model", model.id);
}

// The worker reads the domain's segments where they lie and leaves its own in its task folder.
void add_domain(hub::Hub& hub, const std::string& id, const std::string& folder,
                job::TaskInputs& inputs) {
  for (const job::DomainInput& known : inputs.domains) {
    if (known.id == id) return;
  }
  inputs.domains.push_back(
      {id, hub.store().folder_of(id), base::join_path(base::join_path(folder, "sealed"), id)});
}

// What the job reads, or the version that an ingest changes.
Status add_dataset(hub::Hub& hub, const hub::Job& job, const std::string& folder,
                   job::TaskInputs& inputs) {
  const std::string& read = job.manifest["dataset"].as_string();
  const std::string& reference = read.empty() ? job.manifest["ingest"]["parent"].as_string() : read;
  if (reference.empty()) return {};
  MORTISE_ASSIGN(const hub::Version version, hub.datasets().resolve(reference));
  if (version.state == "withdrawn") {
    return base::Error(base::Code::kFailedPrecondition, version.reference() + " was withdrawn.",
                       "Name another version; mortise dataset restore brings it back.")
        .at_field("/dataset");
  }
  MORTISE_TRY(hub::note_input(hub, job.id, "dataset", version.id));
  job::DatasetFile dataset;
  dataset.name = version.dataset;
  dataset.version = version.number;
  dataset.task_type = version.manifest["task_type"].as_string();
  dataset.digest = version.digest;
  dataset.row_count = version.row_count;
  dataset.domain = version.domain;
  dataset.rows_object = to_text(version.rows);
  dataset.media_object = to_text(version.media);
  add_domain(hub, version.domain, folder, inputs);
  inputs.dataset_file = base::join_path(folder, "dataset.json");
  return job::write_dataset_file(hub.files(), inputs.dataset_file, dataset);
}

Status add_upload(hub::Hub& hub, const Json& manifest, const std::string& folder,
                  job::TaskInputs& inputs) {
  const std::string& id = manifest["ingest"]["upload"].as_string();
  if (id.empty()) return {};
  MORTISE_ASSIGN(const hub::Upload upload, hub.uploads().get(id));
  MORTISE_ASSIGN(const store::ObjectRef files, hub.uploads().gather_files(upload));
  inputs.upload_files = to_text(files);
  add_domain(hub, upload.domain, folder, inputs);
  return {};
}

// What comes of the rows is sealed like them, with a key of the job's own.
Status seal_what_is_made(hub::Hub& hub, const hub::Job& job, const std::string& folder,
                         job::TaskInputs& inputs) {
  if (job.kind != "train" && job.kind != "evaluate" && job.kind != "export") return {};
  MORTISE_ASSIGN(const std::string domain, hub::domain_of_job(hub, job.id));
  for (const std::string_view name : job::kMadeFolders) {
    add_sealed(base::join_path(folder, name), domain, inputs);
  }
  return {};
}

// The checkpoint lies in the task folder of another attempt, whose task says how what it made is
// sealed, by the paths of its time: a restore may have brought it from another home.
Status add_checkpoint(hub::Hub& hub, const hub::Job& job, job::TaskInputs& inputs) {
  MORTISE_ASSIGN(inputs.checkpoint_folder, checkpoint_to_resume(hub, job));
  const std::string& found = inputs.checkpoint_folder;
  if (found.empty()) return {};
  const size_t name = found.rfind('/');
  const size_t end = found.rfind('/', name - 1);  // TASK FOLDER/checkpoints/checkpoint-N
  MORTISE_ASSIGN(const job::Task before, job::read_task(hub.files(), found.substr(0, end)));
  add_sealed(found, job::domain_of(before.inputs, before.output_folder), inputs);
  return {};
}

// Workers see closed segments only, so what was acknowledged is closed before they start.
Status prepare_domains(hub::Hub& hub, const job::TaskInputs& inputs) {
  for (const job::DomainInput& input : inputs.domains) {
    MORTISE_ASSIGN(const auto domain, hub.domains().open(input.id));
    MORTISE_TRY(domain->finish_segment());
    MORTISE_TRY(base::make_folders(hub.files(), input.write_folder));
  }
  return {};
}

std::string newest_below(base::FileOps& files, const std::string& folder) {
  const auto found = files.list(folder);
  std::string newest;
  int64_t step_of_newest = -1;
  if (!found.ok()) return newest;
  constexpr std::string_view kPrefix = "checkpoint-";
  for (const base::FileInfo& entry : *found) {
    if (!entry.is_folder || !entry.name.starts_with(kPrefix)) continue;
    int64_t step = -1;
    const char* end = entry.name.data() + entry.name.size();
    const auto parsed = std::from_chars(entry.name.data() + kPrefix.size(), end, step);
    // "checkpoint-40.partial" is one that was not finished.
    if (parsed.ec != std::errc() || parsed.ptr != end || step <= step_of_newest) continue;
    newest = base::join_path(folder, entry.name);
    step_of_newest = step;
  }
  return newest;
}

}  // namespace

std::string newest_checkpoint(hub::Hub& hub, const hub::Job& job) {
  for (int64_t attempt = job.attempt; attempt > 0; --attempt) {
    std::string found = newest_below(
        hub.files(), base::join_path(hub.task_folder(job.id, attempt), job::kCheckpointsFolder));
    if (!found.empty()) return found;
  }
  return {};
}

// A job that ended before it had taken over its predecessor's checkpoint passes the question on.
Result<std::string> checkpoint_to_resume(hub::Hub& hub, const hub::Job& job) {
  std::string found = newest_checkpoint(hub, job), from = job.resume_from;
  while (found.empty() && !from.empty()) {
    MORTISE_ASSIGN(const hub::Job before, hub.jobs().get(from));
    found = newest_checkpoint(hub, before);
    from = before.resume_from;
  }
  return found;
}

Result<job::Task> prepare_task(hub::Hub& hub, const hub::Job& job, const TaskDefaults& defaults) {
  const std::string folder = hub.task_folder(job.id, job.attempt);
  MORTISE_TRY(base::make_folders(hub.files(), folder));
  job::Task task;
  task.id = job.id;
  task.attempt = job.attempt;
  task.kind = job.kind;
  task.manifest = job.manifest;
  task.output_folder = base::join_path(folder, job::kArtifactsFolder);
  task.pack_folders = defaults.pack_folders;
  task.threads = defaults.threads;
  task.lease_ms = defaults.lease_ms;
  task.log_level = defaults.log_level;
  task.seed = job.manifest["train"]["seed"].as_uint(42);
  MORTISE_TRY(add_models(hub, job.id, job.manifest, task.inputs));
  MORTISE_TRY(add_tokenizer(hub, job.id, job.manifest, task.inputs));
  MORTISE_TRY(add_dataset(hub, job, folder, task.inputs));
  MORTISE_TRY(add_upload(hub, job.manifest, folder, task.inputs));
  MORTISE_TRY(add_checkpoint(hub, job, task.inputs));
  MORTISE_TRY(seal_what_is_made(hub, job, folder, task.inputs));
  MORTISE_TRY(prepare_domains(hub, task.inputs));
  MORTISE_TRY(job::write_task(hub.files(), folder, task));
  return task;
}

Result<std::vector<std::byte>> keys_of(hub::Hub& hub, const job::Task& task) {
  std::set<std::string> domains;
  for (const job::DomainInput& input : task.inputs.domains) domains.insert(input.id);
  for (const job::SealedFolder& sealed : task.inputs.sealed_folders) domains.insert(sealed.domain);
  std::vector<std::byte> keys;
  for (const std::string& domain : domains) {
    MORTISE_ASSIGN(const store::DomainKey key, hub.store().key_of(domain));
    base::Bytes bytes = key.serialise();
    keys.insert(keys.end(), bytes.begin(), bytes.end());
    base::wipe(bytes);
  }
  return keys;
}

}  // namespace mortise::run
