// Writing segments, and records. Reading is in segment_read.cpp. See segment.h.
#include "store/segment.h"

#include <algorithm>

#include "store/byte_order.h"

namespace mortise::store {

using base::ByteView;
using base::Result;
using base::Status;

DomainSecrets::DomainSecrets(const DomainKey& key)
    : domain_id(key.domain_id()),
      chunk_id(key.derive("chunk id").bytes()),
      recipe_id(key.derive("recipe id").bytes()),
      mac(key.derive("mac").bytes()),
      seal(key.derive("seal")),
      gear(key.derive("gear")) {}

std::string seal_context(const DomainSecrets& secrets, const SegmentEntry& entry) {
  return "mortise/1|chunk|" + secrets.domain_id + "|" + base::to_hex(entry.id) + "|" +
         std::to_string(entry.flags) + "|" + std::to_string(entry.plain_size);
}

namespace {

void put_record_head(base::Bytes& out, const SegmentEntry& entry) {
  put_bytes(out, base::as_bytes("mrec"));
  put_le(out, entry.flags);
  put_le(out, entry.plain_size);
  put_le(out, entry.stored_size);
  put_bytes(out, entry.id);
}

}  // namespace

void make_record(const DomainSecrets& secrets, base::Random& random, const SegmentEntry& entry,
                 ByteView stored, base::Bytes& out) {
  base::Bytes head;
  put_record_head(head, entry);
  std::array<std::byte, kSaltSize> salt;
  random.fill(salt);
  out.resize(entry.record_size());  // a buffer that was used before is not zeroed again
  std::ranges::copy(head, out.begin());
  seal(secrets.seal, seal_context(secrets, entry), salt, stored,
       std::span(out).subspan(kRecordHeadSize));
}

Status open_record(const DomainSecrets& secrets, const SegmentEntry& entry, ByteView record,
                   base::Bytes& stored) {
  base::Bytes head;
  put_record_head(head, entry);
  if (record.size() != entry.record_size() ||
      !std::ranges::equal(head, record.first(kRecordHeadSize))) {
    return base::Error(base::Code::kDataLoss,
                       "The head of a record is not what the segment's entries say.",
                       "Restore the segment from a backup.");
  }
  const ByteView message = record.subspan(kRecordHeadSize);
  MORTISE_ASSIGN(Unsealer unsealer, Unsealer::open(secrets.seal, seal_context(secrets, entry),
                                                   message.first<kSealHeadSize>()));
  stored.resize(entry.stored_size);
  return unsealer.open_all(message.subspan(kSealHeadSize), stored);
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(base::FileOps& files,
                                                             base::Random& random,
                                                             const DomainSecrets& secrets,
                                                             const std::string& folder) {
  std::unique_ptr<SegmentWriter> writer(new SegmentWriter(files, secrets, folder));
  if (Status created = writer->create_file(random); !created.ok()) {
    writer->abandon(true);
    return std::move(created).error();
  }
  return writer;
}

Status SegmentWriter::create_file(base::Random& random) {
  std::array<std::byte, 16> id;
  random.fill(id);
  name_ = base::to_hex(id);
  put_bytes(header_, base::as_bytes("mrtseg01"));
  put_bytes(header_, id);
  put_bytes(header_, base::as_bytes(secrets_->domain_id));
  header_.resize(96);
  put_bytes(header_, secrets_->mac.of(header_));
  MORTISE_ASSIGN(file_, files_->open(path(), base::OpenMode::kCreateNew));
  MORTISE_TRY(file_->write(header_));
  size_bytes_ = header_.size();
  return files_->sync_folder(folder_);
}

std::string SegmentWriter::path() const {
  return base::join_path(folder_, name_ + (is_closed_ ? ".seg" : ".open"));
}

Status SegmentWriter::append(SegmentEntry& entry, ByteView record) {
  if (Status written = file_->write(record); !written.ok()) {
    // The next record must not come after half of this one's bytes at an unknown place.
    is_broken_ = !file_->truncate(size_bytes_).ok();
    return written;
  }
  entry.offset = size_bytes_;
  size_bytes_ += record.size();
  entries_.push_back(entry);
  return {};
}

Status SegmentWriter::sync() {
  return file_->sync();
}

Status SegmentWriter::close() {
  std::ranges::sort(entries_, {}, &SegmentEntry::id);
  base::Bytes tail;
  tail.reserve(entries_.size() * 52 + 64);
  for (const SegmentEntry& entry : entries_) {
    put_bytes(tail, entry.id);
    put_le(tail, entry.offset);
    put_le(tail, entry.flags);
    put_le(tail, entry.plain_size);
    put_le(tail, entry.stored_size);
  }
  put_bytes(tail, base::as_bytes("mrtend01"));
  put_le(tail, size_bytes_);
  put_le(tail, static_cast<uint32_t>(entries_.size()));
  tail.resize(tail.size() + 12);
  const ByteView parts[] = {header_, tail};
  put_bytes(tail, secrets_->mac.of(parts));
  MORTISE_TRY(file_->write(tail));
  size_bytes_ += tail.size();
  MORTISE_TRY(file_->sync());
  const std::string closed = base::join_path(folder_, name_ + ".seg");
  MORTISE_TRY(files_->rename(path(), closed));
  is_closed_ = true;
  return files_->sync_folder(folder_);
}

void SegmentWriter::abandon(bool remove_file) {
  if (file_ == nullptr) return;
  file_.reset();
  if (remove_file) (void)files_->remove(path());
}

}  // namespace mortise::store
