// task.json: what a worker is asked to do, and the names of the files in a task folder. Written by
// run and cli, read by the worker. A worker reads its inputs where the task says and writes only
// below the task folder.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

// Layout of a task folder. artifacts/ is the task's output_folder unless it says otherwise.
inline constexpr std::string_view kTaskFile = "task.json";
inline constexpr std::string_view kStatusFile = "status.jsonl";
inline constexpr std::string_view kLogFile = "log.txt";
inline constexpr std::string_view kMetricsFile = "metrics.jsonl";
inline constexpr std::string_view kResultFile = "result.json";
inline constexpr std::string_view kSocketFile = "control.sock";
inline constexpr std::string_view kCheckpointsFolder = "checkpoints";
inline constexpr std::string_view kArtifactsFolder = "artifacts";

struct AdapterInput {
  std::string name, folder;
};

// A domain of the store as a worker opens it: sealed segments to read, a folder of its own to write
// finished ones into. Its key comes through the descriptor kKeysDescriptor.
struct DomainInput {
  std::string id, read_folder, write_folder;
};
// A folder of which every file is sealed with the key of a domain (store/sealed_files.h): what the
// job makes, and what it reads that a job made before.
struct SealedFolder {
  std::string folder, domain;
};
inline constexpr int kKeysDescriptor = 3;  // the keys of all domains of the task, each once
// Below a task folder: what a training, an evaluation or an export makes, finished or not.
inline constexpr std::array<std::string_view, 4> kMadeFolders = {
    kCheckpointsFolder, kArtifactsFolder, "adapter", "model"};

struct TaskInputs {
  std::string model_folder;            // HF layout
  std::string adapter_folder;          // PEFT layout; empty: none
  std::string dataset_file;            // dataset.json, see dataset_file.h
  std::string upload_files;            // ingest: the object with the table of the files
  std::string checkpoint_folder;       // resume from here; empty: start anew
  std::vector<AdapterInput> adapters;  // serve: more than one, by name
  std::vector<DomainInput> domains;    // of what the task reads and makes
  std::vector<SealedFolder> sealed_folders;
  base::Json arguments = base::Json::object();  // of local commands (cli)
};

struct Task {
  std::string id;       // the job's; also a local command's own
  int64_t attempt = 1;  // the fencing number: what an older attempt publishes is refused
  std::string kind;     // ingest | train | evaluate | export | serve | search, or a local command's name
  base::Json manifest = base::Json::object();  // of the job, with defaults
  TaskInputs inputs;
  std::string output_folder;              // absolute
  std::vector<std::string> pack_folders;  // where packs are looked for, in order; absolute
  int threads = 1;
  uint64_t seed = 42;
  int64_t lease_ms = 0;  // ends itself when no lease came for so long; 0: needs none
  std::string log_level = "info";

  base::Json to_json() const;
};

// The domain that a path is sealed in; empty: the path is readable.
std::string domain_of(const TaskInputs& inputs, std::string_view path);

// Errors: as FileOps; INVALID_ARGUMENT naming file and field, UNIMPLEMENTED for another
// task_version.
base::Result<Task> read_task(base::FileOps& files, const std::string& task_folder);
// Makes the folder and the folders checkpoints/ and artifacts/ in it; durable when it returns.
base::Status write_task(base::FileOps& files, const std::string& task_folder, const Task& task);

}  // namespace mortise::job
