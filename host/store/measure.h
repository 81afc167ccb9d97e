// How fast the sealed store takes and gives bytes in a folder, beside what it is made of, probed in
// the same run: a number without its neighbours says more of the machine than of the store. Called
// by `mortise bench ingest` (worker) and tests/bench/store. Knows nothing of networks.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/json.h"

namespace mortise::store {

struct MeasureOptions {
  std::string folder;                          // made, filled and removed
  uint64_t media_bytes = UINT64_C(256) << 20;  // incompressible, as pictures are
  uint64_t files_count = 30'000, file_bytes = 3000;
  uint64_t reads_count = 4000, read_bytes = 16'384;  // at random places of the media
  int rounds = 3;  // of the media; the best counts: other programs may want the machine
};

// MB are 10^6 bytes; rates per second of CPU are this process's user and system time.
struct Measured {
  double hmac_mb_per_cpu_s = 0, sha256_mb_per_cpu_s = 0, gcm_mb_per_cpu_s = 0;  // probes
  double write_mb_s = 0;    // plain writes and one fsync, wall time
  double fsyncs_per_s = 0;  // 4 KiB and an fsync, again and again
  double ingest_mb_s = 0;   // sealed and durable, wall time
  double ingest_mb_per_cpu_s = 0;
  double read_p50_us = 0, read_p99_us = 0;
  double files_per_s = 0, files_s = 0;  // durable every 1,000
  base::Json to_json() const;
};

// Errors: ALREADY_EXISTS for a folder that is there; of the disk. What was made is removed.
base::Result<Measured> measure_store(base::FileOps& files, base::Random& random, base::Clock& clock,
                                     const MeasureOptions& options);

}  // namespace mortise::store
