// `mortise bench ingest`. Called by commands_bench.
#pragma once

#include "cli/command.h"

namespace mortise::cli {

// --folder DIR, --files N, --media-bytes N, --http. Prints one JSON line. Errors: of the folder and
// the worker; with --http those of the server.
base::Result<int> bench_ingest(const Arguments& arguments);

}  // namespace mortise::cli
