// What differs between two versions, row by row and medium by medium, told one difference at a
// time. Called by server.
//
// Rows with equal content are unchanged, wherever they stand. Of the others, a removed and an added
// row are one changed row when they have the same value in the key field. Without a key they pair
// by place, between the same unchanged rows: as many removed as added rows pair in their order;
// else a removed row pairs with the first of the next 8 added ones that has at least half of its
// members. What is left over is removed or added. Memory: 24 bytes a row outside the groups of rows
// that both versions share, a bit for every other, and two groups.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "hub/hub.h"

namespace mortise::hub {

struct DiffRequest {
  Version from, to;  // of one data set or of two
  std::string key;   // name of a field or a JSON pointer; empty: by place
};

// Each difference, then the summary:
// {"kind": "row_removed" | "row_added", "row": n from 1, "id", "value"}
// {"kind": "row_changed", "from_row", "to_row", "from_id", "to_id",
//  "fields": [{"field": JSON pointer, "from", "to"}]}  (a side that lacks the field is left out)
// {"kind": "medium_removed" | "medium_added" | "medium_changed", "name", "size_bytes"}
// {"kind": "summary", "from", "to", "rows_unchanged", "rows_added", ..., "media_changed"}
using TakeDifference = std::function<base::Status(const base::Json&)>;

// Errors: NOT_FOUND, DATA_LOSS of the store; those of `take`.
base::Status diff_versions(Hub& hub, const DiffRequest& request, const TakeDifference& take);

}  // namespace mortise::hub
