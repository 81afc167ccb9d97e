// See name_table.h. Table: "MRTNAM01", u64 count, u64 bytes of all names, u64 0; 56 bytes an entry:
// a reference whose own number is the length of the name, and u64 where the name begins among the
// names; the names end to end.
#include "store/name_table.h"

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
constexpr uint64_t kVisitEntries = 4096;

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
  append_number<uint64_t>(entries_, names_.size());
  names_ += name;
  last_ = name;
  ++count_;
  content_bytes_ += ref.size_bytes;
  return {};
}

Result<ObjectRef> NameTableWriter::finish() {
  std::string head(kMark);
  append_number<uint64_t>(head, count_);
  append_number<uint64_t>(head, names_.size());
  append_number<uint64_t>(head, 0);
  ObjectWriter writer = domain_->begin(Cut::kFixed);
  for (const std::string* part : {&head, &entries_, &names_}) {
    MORTISE_TRY(writer.write(base::as_bytes(*part)));
  }
  return writer.finish();
}

Result<NameTable> NameTable::open(std::shared_ptr<Domain> domain, const ObjectRef& ref) {
  MORTISE_ASSIGN(ObjectReader reader, domain->open_object(ref));
  NameTable table(std::move(domain), std::move(reader));
  std::byte head[kHeaderSize];
  MORTISE_TRY(read_exactly(table.reader_, 0, head));
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
  std::byte entry[kEntrySize];
  MORTISE_TRY(read_exactly(reader_, kHeaderSize + index * kEntrySize, entry));
  const auto length = number_at<uint32_t>(entry, 44);
  const auto begin = number_at<uint64_t>(entry, kRefSize);
  if (begin > names_size_ || length > names_size_ - begin) return damaged("a name lies outside it");
  NamedObject found{std::string(length, '\0'), ref_at(entry, 0)};
  MORTISE_TRY(read_exactly(reader_, kHeaderSize + count_ * kEntrySize + begin,
                           std::as_writable_bytes(std::span(found.name))));
  return found;
}

Result<uint64_t> NameTable::lower_bound(std::string_view name) const {
  uint64_t low = 0, high = count_;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    MORTISE_ASSIGN(const NamedObject entry, at(middle));
    (entry.name < name ? low : high) = entry.name < name ? middle + 1 : middle;
  }
  return low;
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

Status NameTable::visit(const std::function<Status(const NamedObject&)>& each) const {
  for (uint64_t first = 0; first < count_; first += kVisitEntries) {
    const uint64_t here = std::min(kVisitEntries, count_ - first);
    base::Bytes entries(here * kEntrySize);
    MORTISE_TRY(read_exactly(reader_, kHeaderSize + first * kEntrySize, entries));
    const auto begin = number_at<uint64_t>(entries, kRefSize);
    const size_t last = (here - 1) * kEntrySize;
    const uint64_t end =
        number_at<uint64_t>(entries, last + kRefSize) + number_at<uint32_t>(entries, last + 44);
    if (begin > end || end > names_size_) return damaged("a name lies outside it");
    std::string names(end - begin, '\0');
    MORTISE_TRY(read_exactly(reader_, kHeaderSize + count_ * kEntrySize + begin,
                             std::as_writable_bytes(std::span(names))));
    for (size_t at = 0; at <= last; at += kEntrySize) {
      const auto offset = number_at<uint64_t>(entries, at + kRefSize);
      const auto length = number_at<uint32_t>(entries, at + 44);
      if (offset < begin || length > end - begin || offset - begin > end - begin - length) {
        return damaged("a name lies outside it");
      }
      MORTISE_TRY(each({names.substr(offset - begin, length), ref_at(entries, at)}));
    }
  }
  return {};
}

Result<ObjectRef> merge_names(std::shared_ptr<Domain> domain, const NameTable& under,
                              const NameTable& over) {
  NameTableWriter merged(std::move(domain));
  uint64_t next = 0;
  const auto add_over_until = [&](const std::string* name) -> Status {
    while (next < over.count()) {
      MORTISE_ASSIGN(const NamedObject entry, over.at(next));
      if (name != nullptr && entry.name >= *name) break;
      MORTISE_TRY(merged.add(entry.name, entry.ref));
      ++next;
    }
    return {};
  };
  MORTISE_TRY(under.visit([&](const NamedObject& entry) -> Status {
    MORTISE_TRY(add_over_until(&entry.name));
    if (next < over.count()) {
      MORTISE_ASSIGN(const NamedObject same, over.at(next));
      if (same.name == entry.name) return {};
    }
    return merged.add(entry.name, entry.ref);
  }));
  MORTISE_TRY(add_over_until(nullptr));
  return merged.finish();
}

}  // namespace mortise::store
