// result.json: what a task made. The worker writes it last, before its final status line; run
// checks sizes and digests, adopts what is listed and nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

struct Artifact {
  std::string name;    // how people ask for it: "adapter/adapter_model.safetensors"
  std::string path;    // relative to the task's output_folder
  std::string sha256;  // 64 hex digits
  uint64_t size_bytes = 0;
};

// A folder among the artifacts that is a model of its own: it is published under a name.
struct ModelOutput {
  std::string folder;  // relative to output_folder: "adapter"
  std::string kind;    // adapter | model
  std::string name;    // empty: the job's name
};

struct TaskResult {
  bool ok = false;
  std::string summary;  // one sentence for people
  std::vector<Artifact> artifacts;
  std::vector<ModelOutput> models;
  // [{"metric","name","group","value","ci_low","ci_high","n","of": "base|tuned|permuted"}]
  base::Json scores = base::Json::array();
  base::Json record = base::Json::object();  // packs, tokenizer, seeds, timings, ...

  base::Json to_json() const;
};

base::Result<TaskResult> read_result(base::FileOps& files, const std::string& task_folder);
base::Status write_result(base::FileOps& files, const std::string& task_folder,
                          const TaskResult& result);
// Hashes every file below output_folder/folder ("": all of it) into artifacts, sorted by path.
base::Result<std::vector<Artifact>> list_artifacts(base::FileOps& files,
                                                   const std::string& output_folder,
                                                   const std::string& folder = {});

}  // namespace mortise::job
