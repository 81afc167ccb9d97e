// See change.h.
#include "ingest/change.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/json_patch.h"
#include "base/json_read.h"
#include "ingest/check_table.h"
#include "ingest/media_check.h"
#include "ingest/media_rules.h"
#include "ingest/row_check.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr size_t kEditsMax = 1'000'000;

struct Edit {
  Json what;  // the object as it was given
  size_t file = 0;
  int64_t row = 0, byte_offset = -1;  // where it stood; row from 1
  bool is_used = false;
};

// Names of the upload's own files that the parent's media have too.
Result<std::vector<std::string>> names_of_both(const ChangeRequest& request) {
  std::vector<std::string> both;
  MORTISE_TRY(request.upload->visit([&](const std::string& name) -> Status {
    MORTISE_ASSIGN(const auto found, request.parent_media->find(name));
    if (found) both.push_back(name);
    return {};
  }));
  return both;
}

// The parent's media without `dropped`, and `more`, as a table.
Result<store::ObjectRef> write_media(const ChangeRequest& request, std::set<std::string> names,
                                     const std::set<std::string>& dropped) {
  MORTISE_TRY(request.parent_media->visit([&](const store::NamedObject& entry) -> Status {
    if (!dropped.contains(entry.name)) names.insert(entry.name);
    return {};
  }));
  return request.output->finish_media({names.begin(), names.end()}, *request.upload);
}

// The state of one run over edits.
class EditRun {
 public:
  EditRun(const ChangeRequest& request, RowCheck check)
      : request_(request),
        check_(std::move(check)),
        media_(*request.upload),
        media_rules_(media_) {}

  Status read_all(RowSource& source, const IngestHooks& hooks);
  Status walk(const IngestHooks& hooks);
  Result<Changed> finish();

 private:
  Result<Edit> edit_of(const RowSource::Row& source);
  Status change(Edit& edit, std::string_view row);
  Status check(const Edit& edit, const Json& row);
  void refuse(const Edit& edit, const char* code, std::string field, std::string message);
  void add(const Edit& edit, Finding finding);
  Result<std::set<std::string>> unused(const store::ObjectRef& rows);

  const ChangeRequest& request_;
  RowCheck check_;
  MediaCheck media_;
  MediaRules media_rules_;
  base::Tape tape_;
  base::RowReader reader_;
  std::map<store::RowId, Edit> edits_;
  std::set<std::string> used_, doubtful_;  // media: of new rows; of rows that are gone
  size_t last_file_ = 0;
  int64_t last_row_ = 0, changed_ = 0, removed_ = 0, groups_kept_ = 0;
  Report report_;
};

void EditRun::add(const Edit& edit, Finding finding) {
  if (request_.rows_names.size() > 1) finding.file = request_.rows_names[edit.file];
  finding.row = edit.row;
  finding.byte_offset = edit.byte_offset;
  report_.add(std::move(finding));
}

void EditRun::refuse(const Edit& edit, const char* code, std::string field, std::string message) {
  add(edit, make_finding(code, std::move(field), std::move(message)));
  ++report_.bad_rows_count;
}

Result<Edit> EditRun::edit_of(const RowSource::Row& source) {
  last_row_ = source.file == last_file_ ? last_row_ + 1 : 1;
  last_file_ = source.file;
  auto value = reader_.parse(source.text);
  if (!value.ok()) {
    return std::move(value.error()).at_file(request_.rows_names[last_file_]).at_row(last_row_);
  }
  return Edit{std::move(*value), last_file_, last_row_, source.byte_offset};
}

Status EditRun::read_all(RowSource& source, const IngestHooks& hooks) {
  RowSource::Row row;
  while (true) {
    MORTISE_ASSIGN(const bool more, source.next(row));
    if (!more) break;
    MORTISE_ASSIGN(Edit edit, edit_of(row));
    ++report_.rows_count;
    const auto id = store::parse_row_id(edit.what["id"].as_string());
    int kinds = 0;
    for (const auto& [key, value] : edit.what.members()) {
      const bool is_good = (key == "row" && value.is_object()) ||
                           (key == "patch" && value.is_array()) ||
                           (key == "delete" && value.as_bool());
      kinds += key == "id" ? 0 : is_good ? 1 : 2;
    }
    if (!id.ok()) {
      refuse(edit, "edit_id", "/id", id.error().message);
    } else if (kinds != 1) {
      refuse(edit, "edit_unclear", "", "It is not one of a row, a patch and a deletion.");
    } else if (edits_.contains(*id)) {
      refuse(edit, "edit_twice", "/id", "Another edit names this row.");
    } else {
      edits_.emplace(*id, std::move(edit));
    }
    if (edits_.size() > kEditsMax) {
      return Error(Code::kResourceExhausted, "There are more than a million edits.",
                   "Split them, or upload the rows anew.");
    }
    if (hooks.is_cancelled && hooks.is_cancelled()) return Error(Code::kCancelled, "Cancelled.");
  }
  if (report_.rows_count > 0) return {};
  return Error(Code::kInvalidArgument, "There is no edit.", "Give one JSON object a line.")
      .at_file(request_.rows_names.at(0));
}

// The new row is held to what ingest holds rows to.
Status EditRun::check(const Edit& edit, const Json& row) {
  tape_.set(row);
  std::vector<Finding> findings = check_.check(row, tape_.root());
  const auto named = media_of(row);
  for (const auto& [field, name] : named) {
    if (auto broken = media_.check(name, field)) findings.push_back(std::move(*broken));
    for (std::string& file : media_.files_of(name)) used_.insert(std::move(file));
  }
  if (!has_error(findings)) media_rules_.check(tape_.root(), named, findings);
  const bool is_bad = has_error(findings);
  report_.bad_rows_count += is_bad ? 1 : 0;
  for (Finding& finding : findings) add(edit, std::move(finding));
  return {};
}

Status EditRun::change(Edit& edit, std::string_view text) {
  MORTISE_ASSIGN(Json row, reader_.parse(text));
  const bool is_first = !edit.is_used;  // what is wrong is said once
  edit.is_used = true;
  for (const auto& [field, name] : media_of(row)) doubtful_.insert(name);
  if (edit.what.contains("delete")) {
    ++removed_;
    return {};
  }
  ++changed_;
  if (const Json* const patch = edit.what.find("patch")) {
    const Status patched = base::apply_json_patch(row, *patch);
    if (!patched.ok()) {
      if (is_first) {
        refuse(edit, "edit_patch", patched.error().field, patched.error().message);
      }
      return {};
    }
  } else {
    row = edit.what["row"];
  }
  if (is_first) MORTISE_TRY(check(edit, row));
  return request_.output->add(row.canonical());
}

Status EditRun::walk(const IngestHooks& hooks) {
  const store::RowTable& parent = *request_.parent;
  for (const store::RowGroup& group : parent.groups()) {
    if (hooks.is_cancelled && hooks.is_cancelled()) return Error(Code::kCancelled, "Cancelled.");
    MORTISE_ASSIGN(const auto ids, parent.ids(group.first_row, group.row_count));
    const bool is_edited = std::any_of(ids.begin(), ids.end(),
                                       [&](const store::RowId& id) { return edits_.contains(id); });
    if (!is_edited) {
      MORTISE_TRY(request_.output->rows().add_group(group, ids));
      ++groups_kept_;
    } else {
      MORTISE_TRY(parent.visit(
          group.first_row, group.row_count, [&](uint64_t index, std::string_view row) -> Status {
            const auto edit = edits_.find(ids[index - group.first_row]);
            return edit == edits_.end() ? request_.output->add(row) : change(edit->second, row);
          }));
    }
    if (hooks.progress) hooks.progress(static_cast<int64_t>(group.first_row + group.row_count));
  }
  for (const auto& [id, edit] : edits_) {
    if (edit.is_used) continue;
    refuse(edit, "edit_unknown_row", "/id", "The version has no row " + store::to_text(id) + ".");
  }
  return {};
}

// What only rows used that are gone.
Result<std::set<std::string>> EditRun::unused(const store::ObjectRef& rows) {
  if (doubtful_.empty()) return std::set<std::string>();
  MORTISE_ASSIGN(const auto table, store::RowTable::open(request_.domain, rows));
  std::set<std::string> dropped = doubtful_;
  MORTISE_TRY(table.visit(0, table.row_count(), [&](uint64_t, std::string_view text) -> Status {
    if (dropped.empty()) return {};
    MORTISE_ASSIGN(const Json row, reader_.parse(text));
    for (const auto& [field, name] : media_of(row)) dropped.erase(name);
    return {};
  }));
  return dropped;
}

Result<Changed> EditRun::finish() {
  MORTISE_ASSIGN(const auto replaced, names_of_both(request_));
  bool is_media_broken = false;
  for (const std::string& name : replaced) {
    if (auto broken = media_.check(name, "")) {
      broken->file = name;
      report_.add(std::move(*broken));
      is_media_broken = true;
    }
  }
  const int64_t rows_left = static_cast<int64_t>(request_.parent->row_count()) - removed_;
  if (rows_left == 0) {
    return Error(Code::kFailedPrecondition, "No row would be left.",
                 "Delete the version instead: mortise dataset delete NAME@N.");
  }
  report_.task_type = request_.task_type;
  for (const std::string& name : request_.rows_names) {
    report_.rows_file += (report_.rows_file.empty() ? "" : ", ") + name;
  }
  Changed result;
  const bool is_good = report_.bad_rows_count == 0 && !is_media_broken;
  if (is_good) {
    MORTISE_ASSIGN(result.rows, request_.output->finish_rows());
    MORTISE_ASSIGN(const auto dropped, unused(result.rows));
    MORTISE_ASSIGN(result.media, write_media(request_, used_, dropped));
    report_.change = Json::object({{"kind", "edit"},
                                   {"rows_added", 0},
                                   {"rows_changed", changed_},
                                   {"rows_removed", removed_},
                                   {"media_replaced", static_cast<int64_t>(replaced.size())},
                                   {"media_removed", static_cast<int64_t>(dropped.size())},
                                   {"groups_kept", groups_kept_}});
  }
  report_.media_count = static_cast<int64_t>(used_.size());
  result.ingested.accepted = is_good;
  result.ingested.report = std::move(report_);
  return result;
}

// The finding for each file that would change what the parent's rows mean.
Status refuse_other_bytes(const ChangeRequest& request, IngestResult& ingested) {
  MORTISE_ASSIGN(const auto both, names_of_both(request));
  for (const std::string& name : both) {
    MORTISE_ASSIGN(const store::ObjectRef fresh, request.upload->object(name));
    MORTISE_ASSIGN(const auto old, request.parent_media->find(name));
    MORTISE_ASSIGN(const bool is_same,
                   store::same_content(*request.domain, fresh, *request.domain, *old));
    if (is_same) continue;
    Finding finding =
        make_finding("media_taken", "", "Rows of the version use another file of this name.");
    finding.file = name;
    ingested.report.add(std::move(finding));
    ingested.accepted = false;
  }
  return {};
}

}  // namespace

Result<Changed> append_rows(const ChangeRequest& request,
                            const std::function<Result<IngestResult>()>& read) {
  MORTISE_TRY(request.output->begin_with(*request.parent));
  Changed result;
  MORTISE_ASSIGN(result.ingested, read());
  MORTISE_TRY(refuse_other_bytes(request, result.ingested));
  if (!result.ingested.accepted) return result;
  const auto rows_before = static_cast<int64_t>(request.parent->row_count());
  MORTISE_ASSIGN(result.rows, request.output->finish_rows());
  const auto rows_after = static_cast<int64_t>(request.output->rows().row_count());
  const std::vector<std::string>& used = result.ingested.used_media;
  MORTISE_ASSIGN(result.media, write_media(request, {used.begin(), used.end()}, {}));
  result.ingested.report.change = Json::object({{"kind", "append"},
                                                {"rows_added", rows_after - rows_before},
                                                {"rows_changed", 0},
                                                {"rows_removed", 0}});
  return result;
}

Result<Changed> edit_rows(RowSource& source, const ChangeRequest& request,
                          const IngestHooks& hooks) {
  MORTISE_ASSIGN(RowCheck check, RowCheck::open(request.task_type));
  EditRun run(request, std::move(check));
  MORTISE_TRY(run.read_all(source, hooks));
  MORTISE_TRY(run.walk(hooks));
  return run.finish();
}

}  // namespace mortise::ingest
