// mortise.lock: which version of a plugin a site or a job uses, by hash. Called by find, and
// written by `mortise plugin lock`.
//
//   {"lock_version":1,"plugins":{"mortise.metric_bleu":{"version":"1.0.0","sha256":"..."}}}
#pragma once

#include <map>
#include <string>

#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::pack {

struct Pin {
  std::string version;  // empty: any
  std::string sha256;   // of pack.json; empty: any
};

using Lock = std::map<std::string, Pin>;  // by plugin id

// Errors: INVALID_ARGUMENT naming file and field; NOT_FOUND.
base::Result<Lock> read_lock(base::FileOps& files, const std::string& path);
base::Result<Lock> parse_lock(std::string_view text, const std::string& label);
base::Status write_lock(base::FileOps& files, const std::string& path, const Lock& lock);

}  // namespace mortise::pack
