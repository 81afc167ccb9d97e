// Task "export": each format of the manifest becomes a folder of artifacts; a merged checkpoint is
// also published as a model.
#include "app/mortise-worker/context.h"
#include "export/export.h"

namespace mortise::worker {

using base::Json;
using base::Result;

Result<job::TaskResult> task_export(Context& context) {
  const Json& manifest = context.task.manifest;
  job::TaskResult result;
  int64_t done = 0;
  for (const Json& format : manifest["export"].items()) {
    context.progress("export", done, static_cast<int64_t>(manifest["export"].size()));
    exporting::ExportRequest request;
    request.format = format.as_string();
    request.quantize = manifest["quantize"].as_string();
    request.model_folder = context.task.inputs.model_folder;
    request.adapter_folder = context.task.inputs.adapter_folder;
    request.output_folder = context.output_path(request.format);
    MORTISE_TRY(exporting::export_model(context.files, request));
    result.models.push_back(
        {request.format, request.format == "peft" ? "adapter" : "model", std::string()});
    result.summary += (done == 0 ? "Exported " : ", ") + request.format;
    ++done;
  }
  result.ok = true;
  result.summary += ".";
  MORTISE_ASSIGN(result.artifacts, job::list_artifacts(context.files, context.task.output_folder));
  return result;
}

}  // namespace mortise::worker
