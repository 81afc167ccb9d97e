// See ingest.h.
#include "ingest/ingest.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/json_patch.h"
#include "base/json_read.h"
#include "base/json_tape.h"
#include "base/utf8.h"
#include "ingest/check_table.h"
#include "ingest/choose_rows.h"
#include "ingest/media_check.h"
#include "ingest/media_intake.h"
#include "ingest/media_rules.h"
#include "ingest/row_check.h"
#include "ingest/tape_shape.h"

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr size_t kSampleRows = 100;     // rows that the mapping is proposed from
constexpr size_t kUnusedListed = 1000;  // files that no row names, in the report
constexpr size_t kAheadRows = 64;       // rows whose media are looked at together
constexpr size_t kAheadBytes = 4u << 20;
constexpr size_t kColumnsShown = 12;
// A row on its way: what it says, where it stood, which media were made for it.
struct Taken {
  Json json;
  RowPlace place;
  std::vector<std::string> media;
};

// Rows whose media are being looked at.
struct Batch {
  std::vector<Taken> rows;
  std::vector<Result<Json>> mapped;  // beside rows
  std::shared_ptr<MediaCheck::Looking> looking;
};

// A field of the row itself is missing: perhaps a column has another name.
bool lacks_column(const Finding& finding) {
  return (finding.code == "schema_required" || finding.code == "schema_anyOf") &&
         finding.field.find('/', 1) == std::string::npos;
}

// A row over a format's limit is at fault, and not this machine for want of room.
Error as_fault_of_data(Error error) {
  if (error.code == Code::kResourceExhausted && error.byte_offset >= 0) {
    error.code = Code::kInvalidArgument;
  }
  return error;
}

// "The rows have the columns a, b."
std::string columns_text(const std::vector<Json>& rows) {
  std::vector<std::string> names;
  for (const Json& row : rows) {
    for (const auto& [name, value] : row.members()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  if (names.empty()) return "The rows have no columns.";
  std::string text = names.size() == 1 ? "The rows have the column " : "The rows have the columns ";
  for (size_t i = 0; i < std::min(names.size(), kColumnsShown); ++i) {
    text += (i == 0 ? "" : ", ") + base::json_quote(base::utf8_prefix(names[i], 64));
  }
  return text + (names.size() > kColumnsShown ? ", ..." : ".");
}

// The state of one run.
class Ingest {
 public:
  Ingest(const IngestRequest& request, RowCheck check)
      : request_(request),
        check_(std::move(check)),
        media_(*request.upload),
        intake_(*request.upload, media_, request.media),
        media_rules_(media_),
        set_(request.set,
             [this](Finding finding, const RowPlace& place) { tell(std::move(finding), place); }) {}

  Status read_all(RowSource& source, const IngestHooks& hooks);
  Result<IngestResult> finish(RowSource& source);

 private:
  Status begin_rows();
  Status read_row(const RowSource::Row& source);
  Result<bool> take_plain(base::TapeValue row, const RowPlace& place);
  std::optional<Batch> begin_batch();
  Status take_ahead();
  Status take_all();
  Status take(const Taken& taken, Result<Json> mapped);
  std::vector<Finding> judge(const Json& row);
  void mend(Json& row, std::vector<Finding>& findings);
  Status keep(const Json& row, const Taken& taken);
  void tell(Finding finding, const RowPlace& place);
  Status look_again(RowSource& source);
  void sum_up(const std::vector<std::string>& used);
  const std::string& file_name(size_t file) const { return request_.rows_names[file]; }

  const IngestRequest& request_;
  RowCheck check_;
  MediaCheck media_;
  MediaIntake intake_;
  MediaRules media_rules_;
  SetCheck set_;
  base::RowReader reader_;
  base::Tape tape_;  // of the row that is judged
  std::optional<FieldMap> map_;
  std::optional<TapeShape> shape_;  // once map_ is known
  std::string columns_;             // those of the first rows, for people
  bool is_unsure_ = false;          // the mapping is not known: the user is asked
  std::vector<Taken> ahead_;        // rows that are read, and not more
  size_t ahead_bytes_ = 0;
  std::optional<Batch> batch_;  // the rows before those
  RowPlace last_;               // of the row that was read last
  int64_t rows_read_ = 0;
  std::set<std::string> missing_;
  Report report_;
};

void Ingest::tell(Finding finding, const RowPlace& place) {
  if (place.row > 0) {
    if (request_.rows_names.size() > 1) finding.file = file_name(place.file);
    finding.row = place.row;
    finding.byte_offset = place.byte_offset;
  }
  report_.add(std::move(finding));
}

// An unclear mapping is a finding that names the candidates and the flag that decides.
Status Ingest::begin_rows() {
  std::vector<Json> rows;
  for (const Taken& taken : ahead_) rows.push_back(taken.json);
  columns_ = columns_text(rows);
  auto map = propose_field_map(request_.task_type, rows, request_.overrides);
  if (!map.ok()) {
    for (const auto& [name, code] : map.error().details) {
      if (name != "finding") continue;
      Finding unsure = make_finding(code, map.error().field, map.error().message);
      unsure.hint = map.error().hint;
      tell(std::move(unsure), {});
      is_unsure_ = true;
      return {};
    }
    Error& error = map.error();
    if (error.hint.empty()) error.hint = columns_;
    return std::move(error);
  }
  map_ = std::move(*map);
  shape_.emplace(*map_);
  report_.mapping = map_->to_json();
  if (!map_->layout.empty()) {
    report_.layout = Json::object({{"name", map_->layout}, {"confidence", map_->confidence}});
  }
  return take_ahead();
}

// Nothing when no row is ahead.
std::optional<Batch> Ingest::begin_batch() {
  if (ahead_.empty()) return std::nullopt;
  Batch batch{std::exchange(ahead_, {}), {}, nullptr};
  ahead_bytes_ = 0;
  std::vector<std::string> media;
  for (const Taken& taken : batch.rows) {
    const auto& mapped = batch.mapped.emplace_back(apply_field_map(*map_, taken.json));
    if (!mapped.ok()) continue;
    for (auto& [field, name] : media_of(*mapped)) media.push_back(std::move(name));
  }
  batch.looking = media_.begin(media);
  return batch;
}

// Judges the rows of the batch while the media of the next one are looked at.
Status Ingest::take_ahead() {
  if (batch_) media_.finish(*batch_->looking);
  std::optional<Batch> ready = std::exchange(batch_, std::nullopt);
  batch_ = begin_batch();
  if (!ready) return {};
  for (size_t i = 0; i < ready->rows.size(); ++i) {
    MORTISE_TRY(take(ready->rows[i], std::move(ready->mapped[i])));
  }
  return {};
}

Status Ingest::take_all() {
  while (batch_ || !ahead_.empty()) MORTISE_TRY(take_ahead());
  return {};
}

// Findings of a row in canonical form, its media among them; tape_ is the row afterwards.
std::vector<Finding> Ingest::judge(const Json& row) {
  tape_.set(row);
  std::vector<Finding> findings = check_.check(row, tape_.root());
  const auto named = media_of(row);
  for (const auto& [field, name] : named) {
    if (auto broken = media_.check(name, field)) findings.push_back(std::move(*broken));
    if (media_.is_missing(name)) missing_.insert(name);
  }
  if (!has_error(findings)) media_rules_.check(tape_.root(), named, findings);
  return findings;
}

// Applies what is mechanical; the row may still be wrong afterwards, and is then judged as it is.
void Ingest::mend(Json& row, std::vector<Finding>& findings) {
  bool is_changed = false;
  for (Finding& finding : findings) {
    if (finding.patch.is_null()) continue;
    finding.is_mended = base::apply_json_patch(row, finding.patch).ok();
    is_changed = is_changed || finding.is_mended;
  }
  if (!is_changed) return;
  for (Finding& left : judge(row)) {
    if (left.severity == "error") findings.push_back(std::move(left));
  }
}

Status Ingest::take(const Taken& taken, Result<Json> mapped) {
  ++report_.rows_count;
  std::vector<Finding> findings;
  if (!mapped.ok()) {
    findings.push_back(
        make_finding("row_unreadable", mapped.error().field, mapped.error().message));
    if (!mapped.error().hint.empty()) findings.back().hint = mapped.error().hint;
  } else {
    findings = judge(*mapped);
    if (request_.patch) mend(*mapped, findings);
  }
  const bool is_bad = has_error(findings);
  for (Finding& finding : findings) {
    if (lacks_column(finding)) finding.hint += " " + columns_;
    tell(std::move(finding), taken.place);
  }
  if (!is_bad) return keep(*mapped, taken);
  ++report_.bad_rows_count;
  return intake_.drop(taken.media);
}

Status Ingest::keep(const Json& row, const Taken& taken) {
  std::vector<RowPicture> pictures;
  for (const auto& [field, name] : media_of(row)) {
    media_.use(name);
    const MediumFacts& facts = media_.facts(name);
    if (facts.width == 0 || facts.seconds > 0) continue;
    const bool is_flat = facts.looks_like == NameIndex::kNone;
    const uint32_t number = is_flat ? facts.number : facts.looks_like;
    pictures.push_back({number, media_.name(number)});
  }
  std::optional<std::string> canonical;
  if (request_.rows != nullptr || !taken.media.empty()) canonical = row.canonical();
  if (request_.rows != nullptr) MORTISE_TRY(request_.rows->add(*canonical));
  return set_.add(tape_.root(), taken.place, pictures, std::move(canonical));
}

// The short way of a text row that is good and need not be written: no value is built. False when
// the row has to go the long way.
Result<bool> Ingest::take_plain(base::TapeValue row, const RowPlace& place) {
  const auto shaped = shape_->shape(row);
  if (!shaped || !check_.surely_accepts(*shaped)) return false;
  MORTISE_TRY(take_all());
  ++report_.rows_count;
  MORTISE_TRY(set_.add(*shaped, place, {}, std::nullopt));
  return true;
}

Status Ingest::read_row(const RowSource::Row& source) {
  last_.row = source.file == last_.file ? last_.row + 1 : 1;
  last_.file = source.file;
  last_.byte_offset = source.byte_offset;
  last_.number = static_cast<uint32_t>(rows_read_);
  auto value = reader_.scan(source.text);
  if (!value.ok()) {
    return std::move(value.error()).at_file(file_name(last_.file)).at_row(last_.row);
  }
  ++rows_read_;
  if (map_ && request_.rows == nullptr && source.media.empty()) {
    MORTISE_ASSIGN(const bool is_taken, take_plain(*value, last_));
    if (is_taken) return {};
  }
  Taken taken{value->to_json(), last_, {}};
  MORTISE_ASSIGN(taken.media, intake_.take(taken.json, source.media, rows_read_));
  ahead_.push_back(std::move(taken));
  ahead_bytes_ += source.text.size();
  if (!map_) return ahead_.size() == kSampleRows ? begin_rows() : Status();
  const bool is_enough = ahead_.size() >= kAheadRows || ahead_bytes_ >= kAheadBytes;
  return is_enough ? take_ahead() : Status();
}

Status Ingest::read_all(RowSource& source, const IngestHooks& hooks) {
  RowSource::Row row;
  while (!is_unsure_) {
    Result<bool> more = source.next(row);
    if (!more.ok()) return as_fault_of_data(std::move(more).error());
    if (!*more) break;
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
  if (!is_unsure_ && !map_) MORTISE_TRY(begin_rows());
  if (!is_unsure_) MORTISE_TRY(take_all());
  if (hooks.progress) hooks.progress(rows_read_);
  return {};
}

// Reads once more, only to learn on which side of the holdout the rows lie that others copy.
Status Ingest::look_again(RowSource& source) {
  const std::vector<uint32_t> wanted = set_.wanted();
  if (wanted.empty()) return {};
  MORTISE_ASSIGN(const bool is_again, source.rewind());
  if (!is_again) return {};
  RowSource::Row row;
  uint32_t number = 0;
  for (auto next = wanted.begin(); next != wanted.end(); ++number) {
    MORTISE_ASSIGN(const bool more, source.next(row));
    if (!more) break;
    if (number != *next) continue;
    ++next;
    const auto json = reader_.parse(row.text);
    if (!json.ok()) continue;  // the file changed meanwhile: the row is another one
    if (const auto mapped = apply_field_map(*map_, *json); mapped.ok()) {
      set_.learn(number, mapped->canonical());
    }
  }
  return {};
}

void Ingest::sum_up(const std::vector<std::string>& used) {
  report_.task_type = request_.task_type;
  for (const std::string& name : request_.rows_names) {
    report_.rows_file += (report_.rows_file.empty() ? "" : ", ") + name;
  }
  report_.media_count = std::ssize(used);
  report_.missing_media.assign(missing_.begin(), missing_.end());
  for (const std::string& name : used) {
    report_.media_size_bytes += media_.facts(name).size_bytes;
  }
  const auto place = [](const Finding& finding) {
    return std::pair(finding.row < 0, finding.row < 0 ? 0 : finding.byte_offset);
  };
  if (request_.rows_names.size() > 1) return;  // byte offsets are of several files
  std::stable_sort(report_.findings.begin(), report_.findings.end(),
                   [&](const Finding& a, const Finding& b) { return place(a) < place(b); });
}

Result<IngestResult> Ingest::finish(RowSource& source) {
  IngestResult result;
  if (!is_unsure_) {
    MORTISE_TRY(look_again(source));
    MORTISE_ASSIGN(report_.statistics, set_.finish(*request_.upload));
  }
  std::vector<std::string> used = media_.used();
  sum_up(used);
  // Of a folder that is read as it is, other files than media stand for rows themselves.
  const bool is_folder = !request_.rows_names.empty() && request_.rows_names[0].empty();
  MORTISE_TRY(request_.upload->visit([&](const std::string& name) -> Status {
    const bool is_listed =
        report_.unused_media.size() < kUnusedListed && (!is_folder || is_media_name(name));
    const bool is_rows = std::find(request_.rows_names.begin(), request_.rows_names.end(), name) !=
                         request_.rows_names.end();
    if (is_listed && !is_rows && !media_.facts(name).is_used) {
      report_.unused_media.push_back(name);
    }
    return {};
  }));
  result.used_media = std::move(used);
  const int64_t bad = report_.bad_rows_count;
  result.accepted =
      bad < report_.rows_count && (bad == 0 || (request_.patch && bad <= request_.max_bad_rows));
  report_.accepted = result.accepted;
  result.report = std::move(report_);
  return result;
}

}  // namespace

Result<IngestResult> run_ingest(RowSource& source, const IngestRequest& request,
                                const IngestHooks& hooks) {
  MORTISE_ASSIGN(RowCheck check, RowCheck::open(request.task_type));
  Ingest run(request, std::move(check));
  MORTISE_TRY(run.read_all(source, hooks));
  return run.finish(source);
}

}  // namespace mortise::ingest
