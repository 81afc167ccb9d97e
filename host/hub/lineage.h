// What came from what: the versions that a version was made from and that were made from it, the
// jobs that read it, the models that came of them, the endpoints that serve those; and the same for
// one row, over every version that holds it. Inputs of a job are noted when its task is prepared.
// Called by run (notes) and server (questions).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "hub/hub.h"

namespace mortise::hub {

// The job reads this version (kind "dataset") or model. Once is enough; again changes nothing.
base::Status note_input(Hub& hub, const std::string& job_id, const std::string& kind,
                        const std::string& input_id);
// The version that the job reads, as it was noted. Errors: NOT_FOUND.
base::Result<Version> dataset_of_job(Hub& hub, const std::string& job_id);

// {reference, digest, state, parents: [{reference, digest, state}], children: [...],
//  jobs: [{id, name, kind, state, dataset, split}], models: [{reference, kind, job_id}],
//  endpoints: [{name, state}]}. jobs also has those that read a model made from the version.
base::Result<base::Json> lineage_of(Hub& hub, const Version& version);

// The same for rows, one answer each in their order: {row, versions: [{reference, state,
// row_number}], jobs, models, endpoints}. A job's split says on which side of its holdout the row
// stood: "train", "held_out", or null where the job has none. `within`: a data set's name. Ids are
// keyed by the data set, so the tables of ids of its versions are read, 16 bytes a row. Errors:
// NOT_FOUND for a row that no version holds.
base::Result<base::Json> lineage_of_rows(Hub& hub, const std::string& within,
                                         const std::vector<store::RowId>& rows);

}  // namespace mortise::hub
