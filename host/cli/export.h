// `mortise dataset export`: a stored version as files of this machine. The files as they were
// uploaded, the canonical rows with their media, or a format that a writer pack makes of these in a
// worker right here.
#pragma once

#include "base/result.h"
#include "cli/command.h"

namespace mortise::cli {

// Options: ref, --out, --format original | jsonl | parquet | webdataset | hdf5.
base::Result<int> export_dataset(const Arguments& arguments);

}  // namespace mortise::cli
