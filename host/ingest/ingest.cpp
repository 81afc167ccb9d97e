// See ingest.h.
#include "ingest/ingest.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/json_read.h"
#include "ingest/media_check.h"
#include "ingest/row_check.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr size_t kSampleRows = 100;  // rows that the mapping is proposed from
constexpr size_t kWriteBytes = 1 << 20;

// Canonical rows on their way to rows.jsonl; nothing is written when there is no folder.
class RowWriter {
 public:
  RowWriter(base::FileOps& files, const std::string& folder) : files_(files), folder_(folder) {}

  Status begin() {
    if (folder_.empty()) return {};
    MORTISE_ASSIGN(file_,
                   files_.open(base::join_path(folder_, "rows.jsonl"), base::OpenMode::kTruncate));
    return {};
  }

  Status add(const Json& row) {
    if (!file_) return {};
    buffer_ += row.canonical();
    buffer_ += '\n';
    return buffer_.size() < kWriteBytes ? Status{} : flush();
  }

  Status finish() {
    if (!file_) return {};
    MORTISE_TRY(flush());
    MORTISE_TRY(file_->sync());
    MORTISE_TRY(file_->close());
    return files_.sync_folder(folder_);
  }

 private:
  Status flush() {
    Status written = file_->write(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
    return written;
  }

  base::FileOps& files_;
  std::string folder_;
  std::unique_ptr<base::File> file_;
  std::string buffer_;
};

// Replaces what a mechanical patch replaces; only "replace" of a member is ever proposed.
void apply_patch(Json& row, const Json& patch) {
  for (const Json& step : patch.items()) {
    const std::string& path = step["path"].as_string();
    if (path.size() > 1) row[path.substr(1)] = step["value"];
  }
}

// The state of one run.
class Ingest {
 public:
  Ingest(base::FileOps& files, const IngestRequest& request, RowCheck check)
      : files_(files),
        request_(request),
        check_(std::move(check)),
        media_(request.media),
        writer_(files, request.output_folder) {}

  Status read_all(RowSource& source, const IngestHooks& hooks);
  Result<IngestResult> finish();

 private:
  // Where a row lies.
  struct Place {
    size_t file = 0;
    int64_t row = 0;  // from 1, in its file
    int64_t byte_offset = -1;
  };

  Status begin_rows();
  Status take(const Json& row, const Place& place);
  Status read_row(const RowSource::Row& row);
  const std::string& file_name(size_t file) const { return request_.rows_names[file]; }

  base::FileOps& files_;
  const IngestRequest& request_;
  RowCheck check_;
  MediaCheck media_;
  RowWriter writer_;
  std::optional<FieldMap> map_;
  base::RowReader reader_;
  Place last_;                                  // of the row that was read last
  std::vector<std::pair<Json, Place>> sample_;  // rows read before the mapping is known
  std::set<std::string> used_, missing_;
  Report report_;
};

Status Ingest::begin_rows() {
  std::vector<Json> rows;
  for (const auto& [row, place] : sample_) rows.push_back(row);
  MORTISE_ASSIGN(map_, propose_field_map(request_.task_type, rows, request_.overrides));
  report_.mapping = map_->to_json();
  if (!map_->layout.empty()) {
    report_.layout = Json::object({{"name", map_->layout}, {"confidence", map_->confidence}});
  }
  MORTISE_TRY(writer_.begin());
  for (const auto& [row, place] : sample_) MORTISE_TRY(take(row, place));
  sample_.clear();
  return {};
}

Status Ingest::take(const Json& row, const Place& place) {
  ++report_.rows_count;
  auto mapped = apply_field_map(*map_, row);
  std::vector<Finding> findings;
  if (!mapped.ok()) {
    Finding made;
    made.code = "row_unreadable";
    made.field = mapped.error().field;
    made.message = mapped.error().message;
    made.hint = mapped.error().hint;
    findings.push_back(std::move(made));
  } else {
    findings = check_.check(*mapped);
    for (const auto& [field, name] : media_of(*mapped)) {
      if (auto broken = media_.check(name, field)) findings.push_back(std::move(*broken));
      if (!request_.media.contains(name)) missing_.insert(name);
    }
  }
  const bool is_bad = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == "error";
  });
  for (Finding& finding : findings) {
    if (request_.rows_names.size() > 1) finding.file = file_name(place.file);
    finding.row = place.row;
    finding.byte_offset = place.byte_offset;
    if (request_.patch && mapped.ok()) apply_patch(*mapped, finding.patch);
    report_.add(std::move(finding));
  }
  if (is_bad) {
    ++report_.bad_rows_count;
    return {};
  }
  for (const auto& [field, name] : media_of(*mapped)) used_.insert(name);
  return writer_.add(*mapped);
}

Status Ingest::read_row(const RowSource::Row& row) {
  last_ = {row.file, row.file == last_.file ? last_.row + 1 : 1, row.byte_offset};
  auto value = reader_.parse(row.text);
  if (!value.ok()) {
    return std::move(value.error()).at_file(file_name(last_.file)).at_row(last_.row);
  }
  if (map_) return take(*value, last_);
  sample_.emplace_back(std::move(*value), last_);
  return sample_.size() == kSampleRows ? begin_rows() : Status{};
}

Status Ingest::read_all(RowSource& source, const IngestHooks& hooks) {
  RowSource::Row row;
  int64_t rows_read = 0;
  while (true) {
    MORTISE_ASSIGN(const bool more, source.next(row));
    if (!more) break;
    MORTISE_TRY(read_row(row));
    ++rows_read;
    if (hooks.progress && rows_read % 256 == 0) hooks.progress(rows_read);
    if (hooks.is_cancelled && hooks.is_cancelled()) {
      return Error(Code::kCancelled, "The check was cancelled.");
    }
  }
  if (rows_read == 0) {
    return Error(Code::kInvalidArgument, "The upload holds no rows.",
                 "Upload a file with one JSON object a line.")
        .at_file(file_name(0));
  }
  if (!map_) MORTISE_TRY(begin_rows());
  if (hooks.progress) hooks.progress(rows_read);
  return {};
}

Result<IngestResult> Ingest::finish() {
  MORTISE_TRY(writer_.finish());
  IngestResult result;
  report_.task_type = request_.task_type;
  for (const std::string& name : request_.rows_names) {
    report_.rows_file += (report_.rows_file.empty() ? "" : ", ") + name;
  }
  report_.media_count = static_cast<int64_t>(used_.size());
  for (const auto& [name, path] : request_.media) {
    if (!used_.contains(name)) report_.unused_media.push_back(name);
  }
  report_.missing_media.assign(missing_.begin(), missing_.end());
  for (const std::string& name : used_) report_.media_size_bytes += media_.size_bytes(name);
  result.used_media.assign(used_.begin(), used_.end());
  const int64_t bad = report_.bad_rows_count;
  result.accepted =
      bad < report_.rows_count && (bad == 0 || (request_.patch && bad <= request_.max_bad_rows));
  if (!request_.output_folder.empty()) {
    MORTISE_TRY(base::write_file_durably(files_,
                                         base::join_path(request_.output_folder, "report.json"),
                                         report_.to_json().dump(2) + "\n"));
  }
  result.report = std::move(report_);
  return result;
}

}  // namespace

Result<IngestResult> run_ingest(base::FileOps& files, RowSource& source,
                                const IngestRequest& request, const IngestHooks& hooks) {
  MORTISE_ASSIGN(RowCheck check, RowCheck::open(request.task_type));
  Ingest run(files, request, std::move(check));
  MORTISE_TRY(run.read_all(source, hooks));
  return run.finish();
}

}  // namespace mortise::ingest
