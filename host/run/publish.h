// The end of a job that did its work: what the worker left is checked, taken over and recorded in
// one transaction, once. Called by runner when the worker has ended.
#pragma once

#include <string>

#include "hub/hub.h"
#include "job/result.h"

namespace mortise::run {

// Hashes every artifact against result.json and syncs it, takes rows into the sealed store or models
// into the model store, then moves the job to done together with all of that. Repeating it after a
// crash is safe: nothing shows before the transaction, and after it the job is done (ABORTED).
// Errors: DATA_LOSS naming the artifact that differs; ABORTED for an attempt that is not current.
base::Status publish_result(hub::Hub& hub, const hub::Job& job, const job::TaskResult& result);

// The run record: manifest, data set versions, models, packs, seeds, timings, scores, artifacts.
base::Json run_record(hub::Hub& hub, const hub::Job& job, const job::TaskResult& result);

// What the check of a refused upload found: its report, adopted into the store. Answers the object.
base::Result<std::string> adopt_report(hub::Hub& hub, const hub::Job& job,
                                       const job::TaskResult& result);

}  // namespace mortise::run
