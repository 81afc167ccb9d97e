// See result.h.
#include "job/result.h"

#include <algorithm>

#include "base/file_digest.h"
#include "job/fields.h"
#include "job/task.h"

namespace mortise::job {
namespace {

base::Status add_files(base::FileOps& files, const std::string& root, const std::string& folder,
                       std::vector<Artifact>& found) {
  MORTISE_ASSIGN(const auto entries,
                 files.list(folder.empty() ? root : base::join_path(root, folder)));
  for (const base::FileInfo& entry : entries) {
    const std::string path = folder.empty() ? entry.name : folder + "/" + entry.name;
    if (entry.is_folder) {
      MORTISE_TRY(add_files(files, root, path, found));
      continue;
    }
    MORTISE_ASSIGN(const base::Digest digest,
                   base::sha256_file(files, base::join_path(root, path)));
    found.push_back({path, path, base::to_hex(digest), entry.size_bytes});
  }
  return {};
}

}  // namespace

base::Json TaskResult::to_json() const {
  base::Json json = base::Json::object({{"ok", ok}, {"summary", summary}});
  json["artifacts"] = base::Json::array();
  for (const Artifact& artifact : artifacts) {
    json["artifacts"].push_back(base::Json::object({{"name", artifact.name},
                                                    {"path", artifact.path},
                                                    {"sha256", artifact.sha256},
                                                    {"size_bytes", artifact.size_bytes}}));
  }
  json["models"] = base::Json::array();
  for (const ModelOutput& model : models) {
    json["models"].push_back(
        base::Json::object({{"folder", model.folder}, {"kind", model.kind}, {"name", model.name}}));
  }
  json["scores"] = scores;
  json["record"] = record;
  return json;
}

base::Result<TaskResult> read_result(base::FileOps& files, const std::string& task_folder) {
  const std::string path = base::join_path(task_folder, kResultFile);
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 64u << 20));
  auto parsed = base::parse_json(text);
  if (!parsed.ok()) return std::move(parsed.error().at_file(path));
  Fields fields(*parsed, path);
  TaskResult result;
  result.ok = (*parsed)["ok"].as_bool();
  result.summary = fields.text("summary");
  for (const base::Json& item : fields.array("artifacts").items()) {
    Fields of_item(item, path);
    Artifact artifact{of_item.text("name"), of_item.text("path", true),
                      of_item.text("sha256", true),
                      static_cast<uint64_t>(of_item.integer("size_bytes"))};
    MORTISE_TRY(of_item.status());
    MORTISE_TRY(base::check_relative_path(artifact.path));
    if (artifact.name.empty()) artifact.name = artifact.path;
    result.artifacts.push_back(std::move(artifact));
  }
  for (const base::Json& item : fields.array("models").items()) {
    Fields of_item(item, path);
    ModelOutput model{of_item.text("folder", true), of_item.text("kind", true),
                      of_item.text("name")};
    MORTISE_TRY(of_item.status());
    MORTISE_TRY(base::check_relative_path(model.folder));
    result.models.push_back(std::move(model));
  }
  result.scores = fields.array("scores");
  result.record = fields.object("record");
  MORTISE_TRY(fields.status());
  return result;
}

base::Status write_result(base::FileOps& files, const std::string& task_folder,
                          const TaskResult& result) {
  return base::write_file_durably(files, base::join_path(task_folder, kResultFile),
                                  result.to_json().dump(1) + "\n");
}

base::Result<std::vector<Artifact>> list_artifacts(base::FileOps& files,
                                                   const std::string& output_folder,
                                                   const std::string& folder) {
  std::vector<Artifact> found;
  MORTISE_TRY(add_files(files, output_folder, folder, found));
  std::sort(found.begin(), found.end(),
            [](const Artifact& a, const Artifact& b) { return a.path < b.path; });
  return found;
}

}  // namespace mortise::job
