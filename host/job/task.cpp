// See task.h.
#include "job/task.h"

#include "job/fields.h"

namespace mortise::job {
namespace {

constexpr int64_t kTaskVersion = 1;

base::Json inputs_to_json(const TaskInputs& inputs) {
  base::Json json = base::Json::object();
  json["model_folder"] = inputs.model_folder;
  json["adapter_folder"] = inputs.adapter_folder;
  json["dataset_file"] = inputs.dataset_file;
  json["upload_files"] = inputs.upload_files;
  json["checkpoint_folder"] = inputs.checkpoint_folder;
  json["adapters"] = base::Json::array();
  for (const AdapterInput& adapter : inputs.adapters) {
    json["adapters"].push_back(
        base::Json::object({{"name", adapter.name}, {"folder", adapter.folder}}));
  }
  json["domains"] = base::Json::array();
  for (const DomainInput& domain : inputs.domains) {
    json["domains"].push_back(base::Json::object({{"id", domain.id},
                                                  {"read_folder", domain.read_folder},
                                                  {"write_folder", domain.write_folder}}));
  }
  json["sealed_folders"] = base::Json::array();
  for (const SealedFolder& sealed : inputs.sealed_folders) {
    json["sealed_folders"].push_back(
        base::Json::object({{"folder", sealed.folder}, {"domain", sealed.domain}}));
  }
  json["arguments"] = inputs.arguments;
  return json;
}

base::Result<TaskInputs> inputs_from_json(const base::Json& json, const std::string& file) {
  Fields fields(json, file);
  TaskInputs inputs;
  inputs.model_folder = fields.text("model_folder");
  inputs.adapter_folder = fields.text("adapter_folder");
  inputs.dataset_file = fields.text("dataset_file");
  inputs.upload_files = fields.text("upload_files");
  inputs.checkpoint_folder = fields.text("checkpoint_folder");
  for (const base::Json& item : fields.array("adapters").items()) {
    inputs.adapters.push_back({item["name"].as_string(), item["folder"].as_string()});
  }
  for (const base::Json& item : fields.array("domains").items()) {
    inputs.domains.push_back({item["id"].as_string(), item["read_folder"].as_string(),
                              item["write_folder"].as_string()});
  }
  for (const base::Json& item : fields.array("sealed_folders").items()) {
    inputs.sealed_folders.push_back({item["folder"].as_string(), item["domain"].as_string()});
  }
  inputs.arguments = fields.object("arguments");
  MORTISE_TRY(fields.status());
  return inputs;
}

}  // namespace

std::string domain_of(const TaskInputs& inputs, std::string_view path) {
  for (const SealedFolder& sealed : inputs.sealed_folders) {
    if (!path.starts_with(sealed.folder)) continue;
    if (path.size() == sealed.folder.size() || path[sealed.folder.size()] == '/') {
      return sealed.domain;
    }
  }
  return {};
}

base::Json Task::to_json() const {
  base::Json json = base::Json::object();
  json["task_version"] = kTaskVersion;
  json["id"] = id;
  json["attempt"] = attempt;
  json["kind"] = kind;
  json["manifest"] = manifest;
  json["inputs"] = inputs_to_json(inputs);
  json["output_folder"] = output_folder;
  json["pack_folders"] = base::Json::array();
  for (const std::string& folder : pack_folders) json["pack_folders"].push_back(folder);
  json["threads"] = threads;
  json["seed"] = seed;
  json["lease_ms"] = lease_ms;
  json["log_level"] = log_level;
  return json;
}

base::Result<Task> read_task(base::FileOps& files, const std::string& task_folder) {
  const std::string path = base::join_path(task_folder, kTaskFile);
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 64u << 20));
  auto parsed = base::parse_json(text);
  if (!parsed.ok()) return std::move(parsed.error().at_file(path));
  Fields fields(*parsed, path);
  const int64_t version = fields.integer("task_version");
  if (version != kTaskVersion) {
    return base::Error(base::Code::kUnimplemented,
                       "task_version is " + std::to_string(version) + ", this worker reads " +
                           std::to_string(kTaskVersion) + ".",
                       "Install mortised and mortise-worker of the same release.")
        .at_file(path)
        .at_field("/task_version");
  }
  Task task;
  task.id = fields.text("id", true);
  task.attempt = fields.integer("attempt", 1);
  task.kind = fields.text("kind", true);
  task.manifest = fields.object("manifest");
  MORTISE_ASSIGN(task.inputs, inputs_from_json(fields.object("inputs"), path));
  task.output_folder = fields.text("output_folder", true);
  for (const base::Json& item : fields.array("pack_folders").items()) {
    task.pack_folders.push_back(item.as_string());
  }
  task.threads = static_cast<int>(fields.integer("threads", 1));
  task.seed = static_cast<uint64_t>(fields.integer("seed", 42));
  task.lease_ms = fields.integer("lease_ms");
  task.log_level = fields.text("log_level");
  MORTISE_TRY(fields.status());
  return task;
}

base::Status write_task(base::FileOps& files, const std::string& task_folder, const Task& task) {
  MORTISE_TRY(base::make_folders(files, task_folder));
  MORTISE_TRY(files.make_folder(base::join_path(task_folder, kCheckpointsFolder)));
  MORTISE_TRY(files.make_folder(base::join_path(task_folder, kArtifactsFolder)));
  return base::write_file_durably(files, base::join_path(task_folder, kTaskFile),
                                  task.to_json().dump(1) + "\n");
}

}  // namespace mortise::job
