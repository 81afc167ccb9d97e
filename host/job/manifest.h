// A job manifest: what a model engineer submits (contract section 4). Parsed, checked against
// schemas/job.json and filled with its defaults. Called by cli, hub, run and the worker. Knows
// nothing of where data sets and models lie.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::job {

struct Manifest {
  base::Json json;  // whole, with every default written out
  // A light view of what the queue needs; empty where the manifest has none.
  std::string kind;  // train | evaluate | export | serve | ingest | search | pipeline
  std::string name, model, adapter, dataset, task;
  std::string device;  // "cpu"
  int64_t priority = 50;
  std::vector<std::string> exports;
};

// `what` names the document in messages ("job.json"). Sections that the kind reads (train, method,
// holdout, ...) are there afterwards even when the text leaves them out.
// Errors: INVALID_ARGUMENT with byte offset for bad JSON, with the field for a broken rule;
// UNIMPLEMENTED as check_export, also of a pipeline's step. [any]
base::Result<Manifest> parse_manifest(std::string_view text, std::string_view what = "job.json");
base::Result<Manifest> check_manifest(base::Json value, std::string_view what = "job.json");

// Layouts and quantisations that the contract names but this build does not write.
// Errors: UNIMPLEMENTED with the field /export or /quantize. [any]
base::Status check_export(std::string_view format, std::string_view quantize);

// Errors: INVALID_ARGUMENT that lists the task types, those of schemas/job.json. [any]
base::Status check_task_type(std::string_view name);

// "name", "name@3" or, of data sets, "name@stable".
struct Reference {
  std::string name;
  int64_t version = 0;  // 0: the newest, or what the tag points to
  std::string tag;
};
// Errors: INVALID_ARGUMENT naming the reference.
base::Result<Reference> parse_reference(std::string_view text);
bool is_valid_name(std::string_view name);  // [A-Za-z0-9][A-Za-z0-9._-]{0,127}
bool is_valid_tag(std::string_view tag);    // [A-Za-z][A-Za-z0-9._-]{0,63}: never a number

}  // namespace mortise::job
