// A search of all rows of a version as a job: a worker reads them, the matches become an object of
// the data set's domain that the job's record names ("matches.jsonl"). What is searched for is as
// private as the rows: it is sealed beside them, and the job's manifest only names the object.
// Called by server.
#pragma once

#include <string>

#include "base/result.h"
#include "hub/hub.h"
#include "job/row_filter.h"

namespace mortise::hub {

inline constexpr int64_t kMatchesMax = 1'000'000;
inline constexpr int64_t kMatchesDefault = 10'000;
// From the end of a search; a compaction after that drops what it found.
inline constexpr int64_t kMatchesKeptNs = INT64_C(86'400'000'000'000);

// matches_max: 1 .. kMatchesMax. Errors: INVALID_ARGUMENT naming the part of the filter that is
// wrong, or for one that takes every row; NOT_FOUND; FAILED_PRECONDITION for a withdrawn version.
base::Result<Job> begin_row_search(Hub& hub, const std::string& reference,
                                   const job::RowFilter& filter, int64_t matches_max);

}  // namespace mortise::hub
