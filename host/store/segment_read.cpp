// Reading segments whole: finished ones by their trailer, others by scanning; recovery after a
// crash. See segment.h.
#include <algorithm>
#include <cstring>

#include "store/byte_order.h"
#include "store/segment.h"

namespace mortise::store {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr size_t kTrailerSize = 64, kEntrySize = 52;

Error damaged(const std::string& path, const char* what, uint64_t at) {
  return Error(Code::kDataLoss, std::string("A segment is damaged: ") + what + ".",
               "Run a scrub, and restore the segment from a backup.")
      .at_file(path)
      .at_byte(static_cast<int64_t>(at));
}

Result<Bytes> read_range(base::File& file, const std::string& path, uint64_t offset, size_t size) {
  Bytes bytes(size);
  MORTISE_ASSIGN(const size_t got, file.read_at(offset, bytes));
  if (got != size) return damaged(path, "it ends too early", offset + got);
  return bytes;
}

std::string domain_of(ByteView header) {
  const std::string_view text = base::as_text(header.subspan(24, 64));
  return std::string(text.substr(0, std::min(text.find('\0'), text.size())));
}

Status check_header(const DomainSecrets& secrets, ByteView header, const std::string& path) {
  if (base::as_text(header.first(8)) != "mrtseg01") {
    return damaged(path, "its first bytes are not those of a segment", 0);
  }
  if (domain_of(header) != secrets.domain_id) {
    return Error(Code::kPermissionDenied, "This segment belongs to the domain \"" +
                                              domain_of(header) + "\", not to \"" +
                                              secrets.domain_id + "\".")
        .at_file(path);
  }
  if (!base::equal_constant_time(secrets.mac.of(header.first(96)), header.subspan(96, 32))) {
    return damaged(path, "its header does not authenticate under the domain's key", 96);
  }
  return {};
}

SegmentEntry entry_at(ByteView bytes) {
  SegmentEntry entry;
  std::copy_n(bytes.begin(), 32, entry.id.begin());
  entry.offset = get_le<uint64_t>(bytes, 32);
  entry.flags = get_le<uint32_t>(bytes, 40);
  entry.plain_size = get_le<uint32_t>(bytes, 44);
  entry.stored_size = get_le<uint32_t>(bytes, 48);
  return entry;
}

bool is_sane(const SegmentEntry& entry) {
  return entry.flags <= (kFlagZstd | kFlagRecipe) && entry.plain_size <= kChunkSizeMax &&
         entry.stored_size <= kChunkSizeMax &&
         ((entry.flags & kFlagZstd) != 0 || entry.stored_size == entry.plain_size);
}

// The entry of the record at `offset`, when there is one that authenticates.
bool read_record(const DomainSecrets& secrets, ByteView file, size_t offset, SegmentEntry& entry,
                 Bytes& stored) {
  const ByteView rest = file.subspan(offset);
  if (rest.size() < kRecordHeadSize || base::as_text(rest.first(4)) != "mrec") return false;
  entry.offset = offset;
  entry.flags = get_le<uint32_t>(rest, 4);
  entry.plain_size = get_le<uint32_t>(rest, 8);
  entry.stored_size = get_le<uint32_t>(rest, 12);
  std::copy_n(rest.begin() + 16, 32, entry.id.begin());
  if (!is_sane(entry) || entry.record_size() > rest.size()) return false;
  return open_record(secrets, entry, rest.first(entry.record_size()), stored).ok();
}

std::vector<SegmentEntry> scan(const DomainSecrets& secrets, ByteView file) {
  std::vector<SegmentEntry> entries;
  Bytes stored;
  const std::string_view text = base::as_text(file);
  for (size_t at = kSegmentHeaderSize; at < file.size();) {
    SegmentEntry entry;
    if (read_record(secrets, file, at, entry, stored)) {
      entries.push_back(entry);
      at += entry.record_size();
    } else {  // torn or damaged: go on with what looks like the next record
      at = std::min(text.find("mrec", at + 1), file.size());
    }
  }
  base::wipe(stored);
  return entries;
}

Result<Bytes> read_whole(base::File& file, const std::string& path) {
  MORTISE_ASSIGN(const uint64_t size, file.size());
  if (size > kSegmentSizeMax) return damaged(path, "it is larger than a segment can be", size);
  return read_range(file, path, 0, size);
}

}  // namespace

Result<SegmentContent> read_segment(const DomainSecrets& secrets, base::File& file,
                                    const std::string& path) {
  MORTISE_ASSIGN(const uint64_t size, file.size());
  if (size < kSegmentHeaderSize + kTrailerSize) return damaged(path, "it ends too early", size);
  if (size > kSegmentSizeMax) return damaged(path, "it is larger than a segment can be", size);
  MORTISE_ASSIGN(const Bytes header, read_range(file, path, 0, kSegmentHeaderSize));
  MORTISE_TRY(check_header(secrets, header, path));
  MORTISE_ASSIGN(const Bytes trailer, read_range(file, path, size - kTrailerSize, kTrailerSize));
  const uint64_t begin = get_le<uint64_t>(trailer, 8), count = get_le<uint32_t>(trailer, 16);
  if (begin < kSegmentHeaderSize || begin > size ||
      size - begin != count * kEntrySize + kTrailerSize) {
    return damaged(path, "its trailer does not fit its size", size - kTrailerSize);
  }
  MORTISE_ASSIGN(const Bytes list, read_range(file, path, begin, count * kEntrySize));
  const ByteView parts[] = {header, list, ByteView(trailer).first(32)};
  if (base::as_text(ByteView(trailer).first(8)) != "mrtend01" ||
      !base::equal_constant_time(secrets.mac.of(parts), ByteView(trailer).last(32))) {
    return damaged(path, "its entries do not authenticate under the domain's key", begin);
  }
  SegmentContent content{.domain_id = domain_of(header), .entries = {}, .size_bytes = size};
  content.entries.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const SegmentEntry entry = entry_at(ByteView(list).subspan(i * kEntrySize, kEntrySize));
    if (!is_sane(entry) || entry.offset < kSegmentHeaderSize || entry.offset > begin ||
        entry.record_size() > begin - entry.offset) {
      return damaged(path, "an entry points outside the records", begin + i * kEntrySize);
    }
    content.entries.push_back(entry);
  }
  return content;
}

Result<SegmentContent> scan_segment(const DomainSecrets& secrets, base::File& file,
                                    const std::string& path) {
  MORTISE_ASSIGN(const Bytes bytes, read_whole(file, path));
  return SegmentContent{
      .domain_id = secrets.domain_id, .entries = scan(secrets, bytes), .size_bytes = bytes.size()};
}

Status recover_segment(base::FileOps& files, base::Random& random, const DomainSecrets& secrets,
                       const std::string& folder, const std::string& name) {
  const std::string left = base::join_path(folder, name + ".open");
  MORTISE_ASSIGN(auto file, files.open(left, base::OpenMode::kRead));
  MORTISE_ASSIGN(const Bytes bytes, read_whole(*file, left));
  file.reset();
  const std::vector<SegmentEntry> entries = scan(secrets, bytes);
  if (!entries.empty()) {
    MORTISE_ASSIGN(auto writer, SegmentWriter::create(files, random, secrets, folder));
    for (SegmentEntry entry : entries) {
      const ByteView record = ByteView(bytes).subspan(entry.offset, entry.record_size());
      if (Status copied = writer->append(entry, record); !copied.ok()) {
        writer->abandon(true);
        return copied;
      }
    }
    if (Status closed = writer->close(); !closed.ok()) {
      writer->abandon(true);
      return closed;
    }
  }
  return files.remove(left);
}

}  // namespace mortise::store
