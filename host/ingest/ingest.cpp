// See ingest.h.
#include "ingest/ingest.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/json_patch.h"
#include "base/json_read.h"
#include "ingest/media_check.h"
#include "ingest/media_intake.h"
#include "ingest/row_check.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr size_t kSampleRows = 100;     // rows that the mapping is proposed from
constexpr size_t kUnusedListed = 1000;  // files that no row names, in the report

// A row on its way: what it says, where it stood, which media were made for it.
struct Taken {
  Json json;
  size_t file = 0;
  int64_t row = 0;  // from 1, in its file
  int64_t byte_offset = -1;
  std::vector<std::string> media;
};

// The state of one run.
class Ingest {
 public:
  Ingest(const IngestRequest& request, RowCheck check)
      : request_(request),
        check_(std::move(check)),
        media_(*request.upload),
        intake_(*request.upload, media_, request.media) {}

  Status read_all(RowSource& source, const IngestHooks& hooks);
  Result<IngestResult> finish();

 private:
  Status begin_rows();
  Status take(const Taken& taken);
  Status read_row(const RowSource::Row& source);
  const std::string& file_name(size_t file) const { return request_.rows_names[file]; }

  const IngestRequest& request_;
  RowCheck check_;
  MediaCheck media_;
  MediaIntake intake_;
  base::RowReader reader_;
  std::optional<FieldMap> map_;
  std::vector<Taken> sample_;  // rows read before the mapping is known
  size_t last_file_ = 0;       // of the row that was read last
  int64_t last_row_ = 0, rows_read_ = 0;
  std::set<std::string> used_, missing_;
  Report report_;
};

Status Ingest::begin_rows() {
  std::vector<Json> rows;
  for (const Taken& taken : sample_) rows.push_back(taken.json);
  MORTISE_ASSIGN(map_, propose_field_map(request_.task_type, rows, request_.overrides));
  report_.mapping = map_->to_json();
  if (!map_->layout.empty()) {
    report_.layout = Json::object({{"name", map_->layout}, {"confidence", map_->confidence}});
  }
  for (const Taken& taken : sample_) MORTISE_TRY(take(taken));
  sample_.clear();
  return {};
}

Status Ingest::take(const Taken& taken) {
  ++report_.rows_count;
  auto mapped = apply_field_map(*map_, taken.json);
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
      if (media_.is_missing(name)) missing_.insert(name);
    }
  }
  const bool is_bad = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == "error";
  });
  for (Finding& finding : findings) {
    if (request_.rows_names.size() > 1) finding.file = file_name(taken.file);
    finding.row = taken.row;
    finding.byte_offset = taken.byte_offset;
    if (request_.patch && mapped.ok() && finding.patch.is_array()) {
      MORTISE_TRY(base::apply_json_patch(*mapped, finding.patch));
    }
    report_.add(std::move(finding));
  }
  if (is_bad) {
    ++report_.bad_rows_count;
    return intake_.drop(taken.media);
  }
  for (const auto& [field, name] : media_of(*mapped)) used_.insert(name);
  return request_.rows == nullptr ? Status() : request_.rows->add(mapped->canonical());
}

Status Ingest::read_row(const RowSource::Row& source) {
  last_row_ = source.file == last_file_ ? last_row_ + 1 : 1;
  last_file_ = source.file;
  auto value = reader_.parse(source.text);
  if (!value.ok()) {
    return std::move(value.error()).at_file(file_name(last_file_)).at_row(last_row_);
  }
  Taken taken{std::move(*value), last_file_, last_row_, source.byte_offset, {}};
  ++rows_read_;
  MORTISE_ASSIGN(taken.media, intake_.take(taken.json, source.media, rows_read_));
  if (map_) return take(taken);
  sample_.push_back(std::move(taken));
  return sample_.size() == kSampleRows ? begin_rows() : Status();
}

Status Ingest::read_all(RowSource& source, const IngestHooks& hooks) {
  RowSource::Row row;
  while (true) {
    MORTISE_ASSIGN(const bool more, source.next(row));
    if (!more) break;
    MORTISE_TRY(read_row(row));
    if (hooks.progress && rows_read_ % 256 == 0) hooks.progress(rows_read_);
    if (hooks.is_cancelled && hooks.is_cancelled()) {
      return Error(Code::kCancelled, "The check was cancelled.");
    }
  }
  if (rows_read_ == 0) {
    return Error(Code::kInvalidArgument, "The upload holds no rows.",
                 "Upload a file with one JSON object a line.")
        .at_file(file_name(0));
  }
  if (!map_) MORTISE_TRY(begin_rows());
  if (hooks.progress) hooks.progress(rows_read_);
  return {};
}

Result<IngestResult> Ingest::finish() {
  IngestResult result;
  report_.task_type = request_.task_type;
  for (const std::string& name : request_.rows_names) {
    report_.rows_file += (report_.rows_file.empty() ? "" : ", ") + name;
  }
  report_.media_count = static_cast<int64_t>(used_.size());
  MORTISE_TRY(request_.upload->visit([&](const std::string& name) -> Status {
    const bool is_listed = report_.unused_media.size() < kUnusedListed;
    const bool is_rows = std::find(request_.rows_names.begin(), request_.rows_names.end(), name) !=
                         request_.rows_names.end();
    if (is_listed && !is_rows && !used_.contains(name)) {
      report_.unused_media.push_back(name);
    }
    return {};
  }));
  report_.missing_media.assign(missing_.begin(), missing_.end());
  for (const std::string& name : used_) report_.media_size_bytes += media_.size_bytes(name);
  result.used_media.assign(used_.begin(), used_.end());
  const int64_t bad = report_.bad_rows_count;
  result.accepted =
      bad < report_.rows_count && (bad == 0 || (request_.patch && bad <= request_.max_bad_rows));
  result.report = std::move(report_);
  return result;
}

}  // namespace

Result<IngestResult> run_ingest(RowSource& source, const IngestRequest& request,
                                const IngestHooks& hooks) {
  MORTISE_ASSIGN(RowCheck check, RowCheck::open(request.task_type));
  Ingest run(request, std::move(check));
  MORTISE_TRY(run.read_all(source, hooks));
  return run.finish();
}

}  // namespace mortise::ingest
