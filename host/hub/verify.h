// Whether every version is whole: its manifest has its digest and names what the database names,
// its tables are read, every row has its id and every object authenticates; and, behind them, each
// file of a model and each artifact of a job: there, and with the SHA-256 that was recorded. Scrub
// asks the same of what lies in the segments; this asks it of what is named. Called by server and
// by a restore.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "hub/hub.h"

namespace mortise::hub {

struct VerifyFinding {
  std::string version;  // "name@3", of a model too; "job ID"
  std::string part;     // key | manifest | rows | media | originals | report | model | artifact
  std::string name;     // of the object: a file's name, "rows 1-812"; "": the part as a whole
  std::string message;
};

struct VerifyReport {
  std::string cursor;                         // for the next call; "" when all was read
  uint64_t versions = 0, versions_total = 0;  // finished by this call; that there are
  uint64_t models = 0, models_total = 0;
  uint64_t jobs = 0, jobs_total = 0;  // those with artifacts
  uint64_t objects = 0, bytes_read = 0;
  std::vector<VerifyFinding> findings;
  base::Json to_json() const;
};

struct VerifyOptions {
  std::string reference;                     // one version ("name", "name@3"); "": all that is kept
  std::string cursor;                        // "": from the first on
  uint64_t bytes_max = UINT64_C(256) << 20;  // of one call, about
};

// Damage is a finding; an error is what keeps us from looking: of the database or the disk,
// FAILED_PRECONDITION (the keys are locked), NOT_FOUND for the reference, INVALID_ARGUMENT for the
// cursor. A table that the version before names too was read there, and is not read again.
base::Result<VerifyReport> verify(Hub& hub, const VerifyOptions& options);

// To the end, in one report.
base::Result<VerifyReport> verify_all(Hub& hub);

}  // namespace mortise::hub
