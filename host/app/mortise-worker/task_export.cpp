// Task "export": each format of the manifest becomes a folder of artifacts that is published as a
// model. A training that names formats ends with the same.
#include "app/mortise-worker/after_training.h"
#include "export/export.h"

namespace mortise::worker {

using base::Json;
using base::Result;
using base::Status;

Status export_formats(Context& context, const ModelFolders& folders, const std::string& name_prefix,
                      job::TaskResult& result) {
  const Json& manifest = context.task.manifest;
  int64_t done = 0;
  for (const Json& format : manifest["export"].items()) {
    // What a training made is in PEFT's layout already.
    if (context.task.kind == "train" && format.as_string() == "peft") continue;
    context.progress("export", done++, static_cast<int64_t>(manifest["export"].size()));
    exporting::ExportRequest request;
    request.format = format.as_string();
    request.quantize = manifest["quantize"].as_string();
    request.model_folder = folders.model;
    request.adapter_folder = folders.adapter;
    request.output_folder = context.output_path(request.format);
    MORTISE_TRY(exporting::export_model(context.files, request));
    result.models.push_back({request.format, request.format == "peft" ? "adapter" : "model",
                             name_prefix.empty() ? "" : name_prefix + "-" + request.format});
  }
  return {};
}

Result<job::TaskResult> task_export(Context& context) {
  const job::TaskInputs& inputs = context.task.inputs;
  job::TaskResult result;
  MORTISE_TRY(export_formats(context, {inputs.model_folder, inputs.adapter_folder}, "", result));
  result.ok = true;
  for (const job::ModelOutput& model : result.models) {
    result.summary += (result.summary.empty() ? "Exported " : ", ") + model.folder;
  }
  result.summary += ".";
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(context.files, context.task.output_folder));
  return result;
}

}  // namespace mortise::worker
