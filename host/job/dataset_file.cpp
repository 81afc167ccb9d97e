// See dataset_file.h.
#include "job/dataset_file.h"

#include "job/fields.h"

namespace mortise::job {

base::Json DatasetFile::to_json() const {
  base::Json json = base::Json::object();
  json["name"] = name;
  json["version"] = version;
  json["task_type"] = task_type;
  if (!rows_file.empty()) json["rows_file"] = rows_file;
  if (!domain.empty()) {
    json["domain"] = domain;
    json["rows_object"] = rows_object;
    json["media_object"] = media_object;
  }
  json["digest"] = digest;
  json["row_count"] = row_count;
  base::Json::Object files;
  for (const auto& [relative, path] : media) files.emplace_back(relative, path);
  json["media"] = base::Json::object();
  json["media"].members() = std::move(files);
  return json;
}

base::Result<DatasetFile> read_dataset_file(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path));
  auto parsed = base::parse_json(text, {.size_bytes_max = UINT64_C(1) << 30, .depth_max = 16});
  if (!parsed.ok()) return std::move(parsed.error().at_file(path));
  Fields fields(*parsed, path);
  DatasetFile dataset;
  dataset.name = fields.text("name");
  dataset.version = fields.integer("version");
  dataset.task_type = fields.text("task_type", true);
  dataset.domain = fields.text("domain");
  dataset.rows_file = fields.text("rows_file", dataset.domain.empty());
  dataset.rows_object = fields.text("rows_object", !dataset.domain.empty());
  dataset.media_object = fields.text("media_object", !dataset.domain.empty());
  dataset.digest = fields.text("digest");
  dataset.row_count = fields.integer("row_count");
  for (const auto& [relative, file] : fields.object("media").members()) {
    dataset.media.emplace(relative, file.as_string());
  }
  MORTISE_TRY(fields.status());
  return dataset;
}

base::Status write_dataset_file(base::FileOps& files, const std::string& path,
                                const DatasetFile& dataset) {
  return base::write_file_durably(files, path, dataset.to_json().dump() + "\n");
}

}  // namespace mortise::job
