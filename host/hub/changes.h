// A change of a stored version: rows added, edited or deleted. It begins as an upload that names
// its parent; the same check as for a new data set makes it a version. Called by server.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "hub/hub.h"

namespace mortise::hub {

struct ChangeOptions {
  std::string dataset;  // a name
  std::string kind;     // "append" or "edit"
  std::string parent;   // a reference; empty: the newest, which it must still be in the end
  base::Json options = base::Json::object();  // more of the upload's: draft, map, rows, ...
};

// The open upload that the files of the change go into. Errors: NOT_FOUND; INVALID_ARGUMENT for an
// unknown kind or a parent of another data set; FAILED_PRECONDITION for a withdrawn parent.
base::Result<Upload> begin_change(Hub& hub, const ChangeOptions& change);

// An edit whose operations are at hand, sealed as the one file of its upload; the job that checks
// it. edits: at least one {"id", and "row", "patch" or "delete"}; see ingest/change.h.
base::Result<Job> edit_rows(Hub& hub, const ChangeOptions& change, const base::Json& edits);

}  // namespace mortise::hub
