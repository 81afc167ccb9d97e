// A file of sealed chunks of one domain. docs/formats/store.md describes the same bytes at length;
// all integers are little endian.
//
//   header, 128 bytes   "mrtseg01" | segment id 16 | domain id 64, zero padded | zero 8 |
//                       HMAC of the 96 bytes before
//   records             magic "mrec" | flags u32 | plain size u32 | stored size u32 | chunk id 32 |
//                       sealed message (sealing.h) of the stored bytes, context
//                       "mortise/1|chunk|DOMAIN ID|CHUNK ID IN HEX|FLAGS|PLAIN SIZE"
//   entries, 52 each    chunk id 32 | offset u64 | flags u32 | plain size u32 | stored size u32
//   trailer, 64 bytes   "mrtend01" | offset of the entries u64 | count u32 | zero 12 |
//                       HMAC of header, entries and the 32 bytes before
//
// The file is ID.open while records are appended and ID.seg when it is finished; records
// authenticate by themselves, so a file without its trailer is read by scanning. [serial]
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "store/domain_key.h"
#include "store/object_ref.h"
#include "store/sealing.h"

namespace mortise::store {

constexpr uint32_t kFlagZstd = 1, kFlagRecipe = 2;
constexpr uint64_t kSegmentHeaderSize = 128, kRecordHeadSize = 48;
constexpr uint64_t kSegmentSizeClosed = 32u << 20;  // finished as soon as it has so much
constexpr uint64_t kSegmentSizeMax = 64u << 20;     // what a reader accepts, entries included

// The keys of a domain, derived once. [parallel]
struct DomainSecrets {
  explicit DomainSecrets(const DomainKey& key);
  std::string domain_id;
  base::HmacSha256 chunk_id, recipe_id, mac;
  base::Secret seal, gear;
};

struct SegmentEntry {
  ChunkId id{};
  uint64_t offset = 0;
  uint32_t flags = 0, plain_size = 0, stored_size = 0;
  uint64_t record_size() const { return kRecordHeadSize + sealed_size(stored_size); }
  bool operator==(const SegmentEntry&) const = default;
};

std::string seal_context(const DomainSecrets& secrets, const SegmentEntry& entry);
// The record of stored bytes (compressed when the flags say so) into `out`, which is replaced.
void make_record(const DomainSecrets& secrets, base::Random& random, const SegmentEntry& entry,
                 base::ByteView stored, base::Bytes& out);
// The stored bytes of a whole record. Errors: DATA_LOSS when anything in it is not what it was.
base::Status open_record(const DomainSecrets& secrets, const SegmentEntry& entry,
                         base::ByteView record, base::Bytes& stored);

class SegmentWriter {
 public:
  // A new ID.open with its header in `folder`; its name is on the disk when this returns.
  static base::Result<std::unique_ptr<SegmentWriter>> create(base::FileOps& files,
                                                             base::Random& random,
                                                             const DomainSecrets& secrets,
                                                             const std::string& folder);
  // Appends a record; entry.offset is set. When the disk refuses it, the bytes that came through
  // are cut off again; is_broken() when even that failed: the file takes no more.
  base::Status append(SegmentEntry& entry, base::ByteView record);
  base::Status sync();
  // Entries, trailer, sync, rename to ID.seg, sync of the folder. Once; the last call.
  base::Status close();
  // Leaves the file as it is, or removes it.
  void abandon(bool remove_file);

  uint64_t size_bytes() const { return size_bytes_; }
  bool is_broken() const { return is_broken_; }
  const std::string& name() const { return name_; }  // 32 hex digits
  std::string path() const;                          // of ID.open, after close() of ID.seg
  const std::vector<SegmentEntry>& entries() const { return entries_; }
  const std::shared_ptr<base::File>& file() const { return file_; }  // shared with readers

 private:
  SegmentWriter(base::FileOps& files, const DomainSecrets& secrets, std::string folder)
      : files_(&files), secrets_(&secrets), folder_(std::move(folder)) {}
  base::Status create_file(base::Random& random);

  base::FileOps* files_;
  const DomainSecrets* secrets_;
  std::string folder_, name_;
  base::Bytes header_;
  std::shared_ptr<base::File> file_;
  std::vector<SegmentEntry> entries_;
  uint64_t size_bytes_ = 0;
  bool is_broken_ = false, is_closed_ = false;
};

struct SegmentContent {
  std::string domain_id;  // as the header says
  std::vector<SegmentEntry> entries;
  uint64_t size_bytes = 0;
};

// The entries of a finished segment, authenticated. Errors: PERMISSION_DENIED when the header names
// another domain; DATA_LOSS when anything differs.
base::Result<SegmentContent> read_segment(const DomainSecrets& secrets, base::File& file,
                                          const std::string& path);
// Every record that authenticates, wherever it lies, of a file without (or with a damaged) trailer.
base::Result<SegmentContent> scan_segment(const DomainSecrets& secrets, base::File& file,
                                          const std::string& path);
// What a crash left: the complete records of `folder`/NAME.open go into a new finished segment,
// then the file is removed. Copied, because the pages of a file whose sync failed once may never
// have reached the disk though they can still be read.
base::Status recover_segment(base::FileOps& files, base::Random& random,
                             const DomainSecrets& secrets, const std::string& folder,
                             const std::string& name);

}  // namespace mortise::store
