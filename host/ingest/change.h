// Changes of a stored version, which become a new one: rows added to it, or rows edited and deleted
// by their ids. Groups of rows that hold no edited row are named, not written again. Called by the
// worker (task "ingest" with a parent). Knows nothing of numbers or references.
//
// An edit is one JSON object: {"id": "row:...", and one of "row": a canonical row in its place,
// "patch": RFC 6902 operations on it, "delete": true}. An id stands for its content: where several
// rows are the same, all of them are changed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ingest/ingest.h"
#include "ingest/sealed_output.h"
#include "store/row_table.h"

namespace mortise::ingest {

struct ChangeRequest {
  std::string task_type;
  std::vector<std::string> rows_names;      // the files of edits, as the user named them
  std::shared_ptr<store::Domain> domain;    // of the upload, the parent and the output
  const store::RowTable* parent = nullptr;  // required, as are all below
  const store::NameTable* parent_media = nullptr;
  const SealedUpload* upload = nullptr;  // falls through to the parent's media
  SealedOutput* output = nullptr;
};

struct Changed {
  IngestResult ingested;         // its report says in `change` how many rows became what
  store::ObjectRef rows, media;  // tables of the new version; when it was accepted
};

// The parent's rows, then what `read` hands to the output. A file of the upload under the name of
// a medium of the parent with other bytes is a finding, for the parent's rows would change.
// Errors: those of `read` and of the store.
base::Result<Changed> append_rows(const ChangeRequest& request,
                                  const std::function<base::Result<IngestResult>()>& read);

// Reads all edits, then walks the parent once. A file of the upload takes the place of the medium
// of its name. A medium that only changed rows used is left out. Not accepted when an edit is bad,
// names no row, or no row would be left. Errors: those of the source and of the store; CANCELLED;
// RESOURCE_EXHAUSTED for more than a million edits.
base::Result<Changed> edit_rows(RowSource& source, const ChangeRequest& request,
                                const IngestHooks& hooks);

}  // namespace mortise::ingest
