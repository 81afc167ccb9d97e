// See row_table.h. Table: "MRTROW01", u64 rows, u64 groups, u64 0; a reference of 48 bytes a group,
// whose own number is its count of rows; 16 bytes a row, its id.
#include "store/row_table.h"

#include <algorithm>

#include "store/table_bytes.h"

namespace mortise::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::string_view kMark = "MRTROW01";
constexpr size_t kHeaderSize = 32;
constexpr size_t kGroupBytes = 256 * 1024;  // wish; a longer row is a group of its own
constexpr size_t kRowBytesMax = 64u << 20;
constexpr size_t kRecentGroups = 16;

Error damaged(const char* what) {
  return Error(Code::kDataLoss, std::string("The table of rows is damaged: ") + what + ".",
               "Run mortise store scrub; restore the store from a backup.");
}

Result<base::Bytes> read_exactly(const ObjectReader& reader, uint64_t offset, size_t size) {
  base::Bytes bytes(size);
  MORTISE_ASSIGN(const size_t got, reader.read_at(offset, bytes));
  if (got != size) return damaged("it ends too early");
  return bytes;
}

}  // namespace

std::string to_text(const RowId& id) {
  return "row:" + base::to_hex(id);
}

Result<RowId> parse_row_id(std::string_view text) {
  RowId id;
  const auto bytes = text.starts_with("row:") ? base::from_hex(text.substr(4))
                                              : Result<base::Bytes>(Error(Code::kInvalidArgument, ""));
  if (!bytes.ok() || bytes->size() != id.size()) {
    return Error(Code::kInvalidArgument,
                 "\"" + std::string(text.substr(0, 64)) + "\" is not the id of a row.",
                 "One is \"row:\" and 32 hex digits, as mortise dataset rows --ids shows.");
  }
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

RowHash::RowHash(const DomainKey& key) : hash_(key.derive("row id").bytes()) {}

RowId RowHash::of(std::string_view canonical_row) const {
  const base::Digest digest = hash_.of(base::as_bytes(canonical_row));
  RowId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

RowTableWriter::RowTableWriter(std::shared_ptr<Domain> domain, const DomainKey& key)
    : domain_(std::move(domain)), hash_(key) {}

Status RowTableWriter::add(std::string_view row) {
  if (row.size() > kRowBytesMax) {
    return Error(Code::kResourceExhausted,
                 "A row of " + std::to_string(row.size()) + " bytes is longer than " +
                     std::to_string(kRowBytesMax) + ".",
                 "Keep media in files of their own and name them in the row.");
  }
  if (!group_.empty() && group_.size() + row.size() + 1 > kGroupBytes) MORTISE_TRY(flush());
  group_ += row;
  group_ += '\n';
  ++group_rows_;
  ids_.push_back(hash_.of(row));
  return {};
}

Status RowTableWriter::flush() {
  if (group_rows_ == 0) return {};
  MORTISE_ASSIGN(const ObjectRef ref, domain_->put(base::as_bytes(group_), Cut::kByContent));
  groups_.push_back({ref, ids_.size() - group_rows_, group_rows_});
  group_.clear();
  group_rows_ = 0;
  return {};
}

Status RowTableWriter::add_group(const RowGroup& group, const std::vector<RowId>& ids) {
  MORTISE_TRY(flush());
  if (ids.size() != group.row_count) return damaged("a group has another number of rows");
  groups_.push_back({group.ref, ids_.size(), group.row_count});
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  return {};
}

Result<ObjectRef> RowTableWriter::finish() {
  MORTISE_TRY(flush());
  std::string table(kMark);
  append_number<uint64_t>(table, ids_.size());
  append_number<uint64_t>(table, groups_.size());
  append_number<uint64_t>(table, 0);
  for (const RowGroup& group : groups_) append_ref(table, group.ref, group.row_count);
  ObjectWriter writer = domain_->begin(Cut::kFixed);
  MORTISE_TRY(writer.write(base::as_bytes(table)));
  MORTISE_TRY(writer.write(std::as_bytes(std::span(ids_))));
  return writer.finish();
}

std::string_view RowTable::Lines::at(size_t index) const {
  return std::string_view(text).substr(begins[index], begins[index + 1] - begins[index] - 1);
}

struct RowTable::Recent {
  std::mutex mutex;
  std::list<std::pair<size_t, std::shared_ptr<const Lines>>> groups;  // newest first
};

RowTable::RowTable(std::shared_ptr<Domain> domain, ObjectReader reader)
    : domain_(std::move(domain)),
      reader_(std::make_shared<const ObjectReader>(std::move(reader))),
      recent_(std::make_shared<Recent>()) {}

Result<RowTable> RowTable::open(std::shared_ptr<Domain> domain, const ObjectRef& ref) {
  MORTISE_ASSIGN(ObjectReader reader, domain->open_object(ref));
  RowTable table(std::move(domain), std::move(reader));
  MORTISE_ASSIGN(const base::Bytes head, read_exactly(*table.reader_, 0, kHeaderSize));
  if (base::as_text(head).substr(0, kMark.size()) != kMark) return damaged("it is another object");
  table.row_count_ = number_at<uint64_t>(head, 8);
  const auto groups = number_at<uint64_t>(head, 16);
  table.ids_at_ = kHeaderSize + groups * kRefSize;
  if (groups > ref.size_bytes / kRefSize || table.row_count_ > ref.size_bytes / sizeof(RowId) ||
      table.ids_at_ + table.row_count_ * sizeof(RowId) != ref.size_bytes) {
    return damaged("its counts do not fit its size");
  }
  MORTISE_ASSIGN(const base::Bytes list,
                 read_exactly(*table.reader_, kHeaderSize, groups * kRefSize));
  uint64_t first = 0;
  for (size_t i = 0; i < groups; ++i) {
    const auto rows = number_at<uint32_t>(list, i * kRefSize + 44);
    table.groups_.push_back({ref_at(list, i * kRefSize), first, rows});
    first += rows;
  }
  if (first != table.row_count_) return damaged("its groups have another number of rows");
  return table;
}

size_t RowTable::group_of(uint64_t index) const {
  const auto after =
      std::upper_bound(groups_.begin(), groups_.end(), index,
                       [](uint64_t row, const RowGroup& group) { return row < group.first_row; });
  return static_cast<size_t>(after - groups_.begin()) - 1;
}

Result<std::shared_ptr<const RowTable::Lines>> RowTable::lines_of(size_t group) const {
  {
    const std::lock_guard lock(recent_->mutex);
    for (auto it = recent_->groups.begin(); it != recent_->groups.end(); ++it) {
      if (it->first != group) continue;
      recent_->groups.splice(recent_->groups.begin(), recent_->groups, it);
      return it->second;
    }
  }
  auto lines = std::make_shared<Lines>();
  const RowGroup& wanted = groups_[group];
  MORTISE_ASSIGN(lines->text, domain_->read_all(wanted.ref, kRowBytesMax + kGroupBytes));
  lines->begins.push_back(0);
  for (size_t at = lines->text.find('\n'); at != std::string::npos;
       at = lines->text.find('\n', at + 1)) {
    lines->begins.push_back(static_cast<uint32_t>(at + 1));
  }
  if (lines->begins.size() != wanted.row_count + size_t{1} ||
      lines->begins.back() != lines->text.size()) {
    return damaged("a group has another number of rows");
  }
  const std::lock_guard lock(recent_->mutex);
  recent_->groups.emplace_front(group, lines);
  if (recent_->groups.size() > kRecentGroups) recent_->groups.pop_back();
  return std::shared_ptr<const Lines>(lines);
}

Result<std::string> RowTable::row(uint64_t index) const {
  if (index >= row_count_) {
    return Error(Code::kOutOfRange, "There is no row " + std::to_string(index + 1) +
                                        "; the last is " + std::to_string(row_count_) + ".");
  }
  const size_t group = group_of(index);
  MORTISE_ASSIGN(const auto lines, lines_of(group));
  return std::string(lines->at(index - groups_[group].first_row));
}

Result<std::vector<RowId>> RowTable::ids(uint64_t first, uint64_t count) const {
  first = std::min(first, row_count_);
  std::vector<RowId> ids(std::min(count, row_count_ - first));
  MORTISE_ASSIGN(const size_t got, reader_->read_at(ids_at_ + first * sizeof(RowId),
                                                   std::as_writable_bytes(std::span(ids))));
  if (got != ids.size() * sizeof(RowId)) return damaged("it ends too early");
  return ids;
}

Status RowTable::visit(uint64_t first, uint64_t count,
                       const std::function<Status(uint64_t, std::string_view)>& each) const {
  const uint64_t end = first >= row_count_ ? first : first + std::min(count, row_count_ - first);
  while (first < end) {
    const size_t group = group_of(first);
    MORTISE_ASSIGN(const auto lines, lines_of(group));
    const uint64_t group_begin = groups_[group].first_row;
    const uint64_t group_end = std::min(end, group_begin + groups_[group].row_count);
    for (; first < group_end; ++first) MORTISE_TRY(each(first, lines->at(first - group_begin)));
  }
  return {};
}

}  // namespace mortise::store
