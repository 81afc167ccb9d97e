// A parsed mapping over one row of a file: the rows that it becomes. Called by catalog_rows. Knows
// nothing of formats and files; what surrounds the row is a Scene.
#pragma once

#include <vector>

#include "base/result.h"
#include "ingest/catalog/mapping.h"
#include "ingest/catalog/words.h"

namespace mortise::ingest::catalog {

// `[]` in a source of a single value makes one row an item; equal spellings, and different ones at
// the same depth, advance together and must be of one length. In a list target, and inside a word
// that gathers (turns, joined, majority, first), the items become a list. A target without a value
// is left out of the row; a single value that comes out as a list of texts makes one row a text.
// Times of a seg() stand in start_seconds and end_seconds. Errors: INVALID_ARGUMENT and what the
// lookup says, naming set, task, target and byte. [any]
base::Result<std::vector<base::Json>> evaluate(const Mapping& mapping, const Scene& scene,
                                               const MappingLimits& limits = {});

}  // namespace mortise::ingest::catalog
