// See changes.h.
#include "hub/changes.h"

#include "job/manifest.h"

namespace mortise::hub {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Result<Upload> begin_change(Hub& hub, const ChangeOptions& change) {
  if (change.kind != "append" && change.kind != "edit") {
    return Error(Code::kInvalidArgument, "\"" + change.kind + "\" is no change of a data set.",
                 "It is append or edit.")
        .at_field("/change");
  }
  for (const char* name : {"tokenizer", "max_length"}) {
    if (change.kind != "edit" || !change.options.contains(name)) continue;
    return Error(Code::kInvalidArgument, "The tokens of edited rows are not counted.",
                 "Leave tokenizer and max_length out.")
        .at_field(std::string("/") + name);
  }
  const bool is_newest = change.parent.empty();
  MORTISE_ASSIGN(const Version parent,
                 hub.datasets().resolve(is_newest ? change.dataset : change.parent));
  if (parent.dataset != change.dataset) {
    return Error(Code::kInvalidArgument,
                 parent.reference() + " is no version of \"" + change.dataset + "\".",
                 "A change stays within its data set; upload the rows under the other name.")
        .at_field("/parent");
  }
  if (parent.state == "withdrawn") {
    return Error(Code::kFailedPrecondition, parent.reference() + " was withdrawn.",
                 "Restore it first, or name another parent.")
        .at_field("/parent");
  }
  Json options = change.options;
  options["task_type"] = parent.manifest["task_type"];
  options["change"] = change.kind;
  options["parent"] = parent.reference();
  options["parent_newest"] = is_newest;
  return hub.uploads().create(change.dataset, options);
}

Result<Job> edit_rows(Hub& hub, const ChangeOptions& change, const Json& edits) {
  if (!edits.is_array() || edits.size() == 0) {
    return Error(Code::kInvalidArgument, "There is no edit.",
                 "Give a list of {\"id\": \"row:...\", and \"row\", \"patch\" or \"delete\"}.")
        .at_field("/edits");
  }
  ChangeOptions edit = change;
  edit.kind = "edit";
  edit.options["rows"] = "edits.jsonl";
  MORTISE_ASSIGN(const Upload upload, begin_change(hub, edit));
  std::string text;
  for (const Json& one : edits.items()) text += one.dump() + "\n";
  MORTISE_ASSIGN(const auto domain, hub.domains().open_to_store(upload.domain));
  MORTISE_ASSIGN(const store::ObjectRef file, domain->put(base::as_bytes(text)));
  MORTISE_TRY(domain->sync());
  MORTISE_TRY(hub.uploads().put_file(upload.id, "edits.jsonl", file));
  return hub.uploads().begin_check(upload.id);
}

}  // namespace mortise::hub
