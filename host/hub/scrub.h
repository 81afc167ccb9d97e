// Whether what lies in the segments of all domains is whole, named by something or not; verify.h
// asks the same of what is named, and of the files of models and jobs, which are no segments and
// are not read here. Called by server, a piece at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "hub/hub.h"
#include "store/upkeep.h"

namespace mortise::hub {

// Without a segment it speaks of the domain: it, the rest of it, or the segment that was written to
// cannot be read.
struct ScrubFinding {
  std::string domain;
  store::ScrubFinding found;
};

struct ScrubReport {
  std::string cursor;                       // for the next call; "" when all was read
  uint64_t domains = 0, domains_total = 0;  // finished by this call; that there are
  uint64_t chunks_ok = 0, bytes_read = 0;   // of this call; bytes of records
  uint64_t bytes_total = 0;                 // of the files of all segments
  std::vector<ScrubFinding> findings;
  base::Json to_json() const;
};

struct ScrubOptions {
  std::string cursor = {};                   // "": from the first record on
  uint64_t bytes_max = UINT64_C(256) << 20;  // of one call, about
  uint64_t bytes_per_second = 0;  // 0: as fast as it goes; else a call takes about two seconds
};

// Reads and authenticates every record of every domain from the cursor on, in the order of ids;
// segments that are written to are finished first. What comes before the cursor meanwhile is left
// to the next run. A domain that cannot be read is a finding. Errors: of the disk,
// FAILED_PRECONDITION (the keys are locked), INVALID_ARGUMENT for the cursor.
base::Result<ScrubReport> scrub(Hub& hub, const ScrubOptions& options);

}  // namespace mortise::hub
