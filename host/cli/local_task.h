// A verb that names a local path: spools standard input, starts the one worker there is in a
// temporary task folder, shows its progress, copies its output. There is no second way of doing
// anything.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "job/result.h"

namespace mortise::cli {

struct LocalTask {
  std::string kind;  // "tokenizer.encode"
  base::Json arguments = base::Json::object();
  bool reads_input = false;  // standard input is spooled for the worker
  bool shows_output = true;  // the worker's output is copied to standard output
};

// The worker's result when it ended well or found the thing asked about wanting (result.ok false).
// Errors: the worker's own; INTERNAL naming pack, slot and input when it died.
base::Result<job::TaskResult> run_local(const LocalTask& task);

// A path as the worker needs it: absolute, from the folder that the user is in.
std::string absolute_path(const std::string& path);

}  // namespace mortise::cli
