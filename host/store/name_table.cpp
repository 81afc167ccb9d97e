// See name_table.h. Table: "MRTNAM01", u64 count, u64 bytes of all names, u64 0; 56 bytes an entry:
// a reference whose own number is the length of the name, and u64 where the name begins among the
// names; the names end to end.
#include "store/name_table.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <queue>
#include <unordered_map>

#include "store/table_bytes.h"

namespace mortise::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::string_view kMark = "MRTNAM01";
constexpr size_t kHeaderSize = 32;
constexpr size_t kEntrySize = kRefSize + 8;
constexpr uint64_t kBlockEntries = 256;  // what is read to find one
constexpr size_t kRecentBlocks = 16;
constexpr uint64_t kVisitEntries = 4096;  // read at once when all are wanted
constexpr size_t kHeldBytes = 4u << 20;   // of entries and names, while a table is written

Error damaged(const char* what) {
  return Error(Code::kDataLoss, std::string("The table of names is damaged: ") + what + ".",
               "Run mortise store scrub; restore the store from a backup.");
}

Status read_exactly(const ObjectReader& reader, uint64_t offset, std::span<std::byte> bytes) {
  MORTISE_ASSIGN(const size_t got, reader.read_at(offset, bytes));
  return got == bytes.size() ? Status() : Status(damaged("it ends too early"));
}

}  // namespace

Status NameTableWriter::add(std::string_view name, const ObjectRef& ref) {
  if (count_ > 0 && name <= last_) {
    return Error(Code::kInvalidArgument,
                 "The name \"" + std::string(name) + "\" does not come after \"" + last_ + "\".");
  }
  append_ref(entries_, ref, static_cast<uint32_t>(name.size()));
  append_number<uint64_t>(entries_, names_size_);
  names_ += name;
  last_ = name;
  ++count_;
  names_size_ += name.size();
  content_bytes_ += ref.size_bytes;
  return entries_.size() + names_.size() < kHeldBytes ? Status() : spill();
}

// Entries and names come together and lie apart: they are objects of their own until the end.
Status NameTableWriter::spill() {
  if (!entry_writer_) {
    entry_writer_.emplace(domain_->begin(Cut::kFixed));
    name_writer_.emplace(domain_->begin(Cut::kFixed));
  }
  MORTISE_TRY(entry_writer_->write(base::as_bytes(entries_)));
  MORTISE_TRY(name_writer_->write(base::as_bytes(names_)));
  entries_.clear();
  names_.clear();
  return {};
}

Result<ObjectRef> NameTableWriter::finish() {
  std::string head(kMark);
  append_number<uint64_t>(head, count_);
  append_number<uint64_t>(head, names_size_);
  append_number<uint64_t>(head, 0);
  if (entry_writer_) {
    MORTISE_TRY(spill());
    MORTISE_ASSIGN(const ObjectRef first, domain_->put(base::as_bytes(head), Cut::kFixed));
    MORTISE_ASSIGN(const ObjectRef entries, entry_writer_->finish());
    MORTISE_ASSIGN(const ObjectRef names, name_writer_->finish());
    return domain_->concat({first, entries, names});
  }
  ObjectWriter writer = domain_->begin(Cut::kFixed);
  for (const std::string* part : {&head, &entries_, &names_}) {
    MORTISE_TRY(writer.write(base::as_bytes(*part)));
  }
  return writer.finish();
}

Result<NamesWritten> write_names(std::shared_ptr<Domain> domain, std::vector<NamedObject> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const NamedObject& a, const NamedObject& b) { return a.name < b.name; });
  NameTableWriter writer(std::move(domain));
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && entries[i + 1].name == entries[i].name) continue;
    MORTISE_TRY(writer.add(entries[i].name, entries[i].ref));
  }
  NamesWritten written{{}, writer.count(), writer.content_bytes()};
  MORTISE_ASSIGN(written.ref, writer.finish());
  return written;
}

struct NameTable::Recent {
  std::mutex mutex;
  std::unordered_map<uint64_t, std::string> firsts;                     // by block
  std::list<std::pair<uint64_t, std::shared_ptr<const Block>>> blocks;  // newest first
};

NameTable::NameTable(std::shared_ptr<Domain> domain, ObjectReader reader)
    : domain_(std::move(domain)),
      reader_(std::make_shared<const ObjectReader>(std::move(reader))),
      recent_(std::make_shared<Recent>()) {}

Result<NameTable> NameTable::open(std::shared_ptr<Domain> domain, const ObjectRef& ref) {
  MORTISE_ASSIGN(ObjectReader reader, domain->open_object(ref));
  NameTable table(std::move(domain), std::move(reader));
  std::byte head[kHeaderSize];
  MORTISE_TRY(read_exactly(*table.reader_, 0, head));
  if (base::as_text(head).substr(0, kMark.size()) != kMark) return damaged("it is another object");
  table.count_ = number_at<uint64_t>(head, 8);
  table.names_size_ = number_at<uint64_t>(head, 16);
  if (table.count_ > ref.size_bytes / kEntrySize || table.names_size_ > ref.size_bytes ||
      kHeaderSize + table.count_ * kEntrySize + table.names_size_ != ref.size_bytes) {
    return damaged("its counts do not fit its size");
  }
  return table;
}

Result<NamedObject> NameTable::at(uint64_t index) const {
  if (index >= count_) {
    return Error(Code::kOutOfRange, "There is no name " + std::to_string(index) + " of " +
                                        std::to_string(count_) + ".");
  }
  MORTISE_ASSIGN(const auto block, read_block(index / kBlockEntries));
  return block->at(index % kBlockEntries);
}

Result<std::string> NameTable::first_name(uint64_t block) const {
  {
    const std::lock_guard lock(recent_->mutex);
    const auto known = recent_->firsts.find(block);
    if (known != recent_->firsts.end()) return known->second;
  }
  MORTISE_ASSIGN(const auto first, entries(block * kBlockEntries, 1));
  const std::lock_guard lock(recent_->mutex);
  return recent_->firsts.emplace(block, first.at(0).name).first->second;
}

Result<std::shared_ptr<const NameTable::Block>> NameTable::read_block(uint64_t block) const {
  {
    const std::lock_guard lock(recent_->mutex);
    auto& blocks = recent_->blocks;
    const auto known =
        std::ranges::find(blocks, block, &std::pair<uint64_t, std::shared_ptr<const Block>>::first);
    if (known != blocks.end()) {
      blocks.splice(blocks.begin(), blocks, known);
      return known->second;
    }
  }
  MORTISE_ASSIGN(Block read, entries(block * kBlockEntries, kBlockEntries));
  auto shared = std::make_shared<const Block>(std::move(read));
  const std::lock_guard lock(recent_->mutex);
  recent_->blocks.emplace_front(block, shared);
  if (recent_->blocks.size() > kRecentBlocks) recent_->blocks.pop_back();
  return shared;
}

Result<uint64_t> NameTable::lower_bound(std::string_view name) const {
  uint64_t low = 0, high = (count_ + kBlockEntries - 1) / kBlockEntries;
  while (low < high) {  // the first block that begins after the name
    const uint64_t middle = low + (high - low) / 2;
    MORTISE_ASSIGN(const std::string first, first_name(middle));
    (first <= name ? low : high) = first <= name ? middle + 1 : middle;
  }
  if (low == 0) return 0;
  MORTISE_ASSIGN(const auto block, read_block(low - 1));
  const auto at = std::ranges::lower_bound(*block, name, {}, &NamedObject::name);
  return (low - 1) * kBlockEntries + static_cast<uint64_t>(at - block->begin());
}

Result<std::optional<ObjectRef>> NameTable::find(std::string_view name) const {
  MORTISE_ASSIGN(const uint64_t index, lower_bound(name));
  if (index == count_) return std::optional<ObjectRef>();
  MORTISE_ASSIGN(const NamedObject entry, at(index));
  return entry.name == name ? std::optional(entry.ref) : std::nullopt;
}

Result<uint64_t> NameTable::after(std::string_view name) const {
  MORTISE_ASSIGN(const uint64_t index, lower_bound(name));
  if (index == count_) return index;
  MORTISE_ASSIGN(const NamedObject entry, at(index));
  return entry.name == name ? index + 1 : index;
}

Result<std::vector<NamedObject>> NameTable::entries(uint64_t first, uint64_t count) const {
  first = std::min(first, count_);
  count = std::min(count, count_ - first);
  std::vector<NamedObject> found;
  if (count == 0) return found;
  base::Bytes entries(count * kEntrySize);
  MORTISE_TRY(read_exactly(*reader_, kHeaderSize + first * kEntrySize, entries));
  const auto begin = number_at<uint64_t>(entries, kRefSize);
  const size_t last = (count - 1) * kEntrySize;
  const uint64_t end =
      number_at<uint64_t>(entries, last + kRefSize) + number_at<uint32_t>(entries, last + 44);
  if (begin > end || end > names_size_) return damaged("a name lies outside it");
  std::string names(end - begin, '\0');
  MORTISE_TRY(read_exactly(*reader_, kHeaderSize + count_ * kEntrySize + begin,
                           std::as_writable_bytes(std::span(names))));
  found.reserve(count);
  for (size_t at = 0; at <= last; at += kEntrySize) {
    const auto offset = number_at<uint64_t>(entries, at + kRefSize);
    const auto length = number_at<uint32_t>(entries, at + 44);
    if (offset < begin || length > names.size() || offset - begin > names.size() - length) {
      return damaged("a name lies outside it");
    }
    found.push_back({names.substr(offset - begin, length), ref_at(entries, at)});
  }
  return found;
}

Status NameTable::visit(const std::function<Status(const NamedObject&)>& each) const {
  for (uint64_t first = 0; first < count_; first += kVisitEntries) {
    MORTISE_ASSIGN(const auto block, entries(first, kVisitEntries));
    for (const NamedObject& entry : block) MORTISE_TRY(each(entry));
  }
  return {};
}

namespace {

// One table read from its start to its end.
struct Cursor {
  const NameTable* table;
  uint64_t next = 0;  // entry after the block
  std::vector<NamedObject> block{};
  size_t at = 0;

  const NamedObject* entry() const { return at < block.size() ? &block[at] : nullptr; }
  Status advance() {
    if (++at < block.size()) return {};
    return fill();
  }
  Status fill() {
    MORTISE_ASSIGN(block, table->entries(next, kBlockEntries));
    next += block.size();
    at = 0;
    return {};
  }
};

}  // namespace

Result<ObjectRef> merge_names(std::shared_ptr<Domain> domain,
                              const std::vector<NameTable>& tables) {
  std::vector<Cursor> cursors;
  for (const NameTable& table : tables) {
    cursors.push_back({&table});
    MORTISE_TRY(cursors.back().fill());
  }
  // The table whose next name is the first one, of equal ones the last table, is on top.
  const auto comes_later = [&](size_t a, size_t b) {
    const int order = cursors[a].entry()->name.compare(cursors[b].entry()->name);
    return order != 0 ? order > 0 : a < b;
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(comes_later)> next(comes_later);
  for (size_t i = 0; i < cursors.size(); ++i) {
    if (cursors[i].entry() != nullptr) next.push(i);
  }
  NameTableWriter merged(std::move(domain));
  std::optional<std::string> last;
  while (!next.empty()) {
    const size_t at = next.top();
    next.pop();
    const NamedObject& entry = *cursors[at].entry();
    if (entry.name != last) {
      MORTISE_TRY(merged.add(entry.name, entry.ref));
      last = entry.name;
    }
    MORTISE_TRY(cursors[at].advance());
    if (cursors[at].entry() != nullptr) next.push(at);
  }
  return merged.finish();
}

}  // namespace mortise::store
