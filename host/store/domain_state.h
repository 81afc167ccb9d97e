// What a Domain, its writers and readers and its upkeep share: the list of segments, the index of
// chunks, the open segment and its durable point. Private to this folder; domain.h is the face.
//
// Locks: sync_mutex before mutex. The first is held through fsyncs and the finishing of segments,
// the second never while a segment is synced, so that reads and puts go on meanwhile. [parallel]
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/zstd.h"
#include "store/chunk_index.h"
#include "store/chunker.h"
#include "store/domain.h"
#include "store/segment.h"

namespace mortise::store {

struct SegmentInfo {
  std::string path;      // empty: it was removed
  bool is_own = false;   // in the folder we write to: chunks in it are not stored again
  bool is_open = false;  // written to, or being finished
  bool has_trailer = true;
  uint64_t size_bytes = 0, chunks = 0;
  uint64_t durable_end = UINT64_MAX;  // records before this offset are on the disk
  int64_t touched_ns = 0;             // when a repeated put was answered with it
  std::shared_ptr<base::File> file;   // open since the last read, or null
};

std::string_view segment_id(std::string_view path);  // 32 hex digits of a segment's file

struct Located {
  SegmentEntry entry;
  std::shared_ptr<base::File> file;
  std::string path;
};

// Buffers and contexts that are dear to make, one set for each thread at work.
struct Workbench {
  base::ZstdCompressor compressor{1};
  base::ZstdDecompressor decompressor;
  base::Bytes packed, record;
};

struct DomainState {
  DomainState(base::FileOps& files_in, base::Random& random_in, base::Clock& clock_in,
              const DomainKey& key, DomainFolders folders_in);
  DomainState(const DomainState&) = delete;

  base::Status load();
  base::Status rescan();
  // UNAVAILABLE when degraded, FAILED_PRECONDITION without a folder to write to.
  base::Status check_writable();

  ChunkId id_of(base::ByteView plain, bool is_recipe) const;
  // Stores a chunk unless it is here; not durable before sync.
  base::Result<ChunkId> put_chunk(base::ByteView plain, bool is_recipe, bool try_compression);
  base::Status sync();
  base::Status finish(uint64_t size_bytes_min);  // the open segment, when it has so much

  base::Result<Located> locate(const ChunkId& id, bool is_recipe);
  // The plain bytes of a whole chunk, authenticated.
  base::Status read_chunk(const Located& located, base::Bytes& plain);
  base::Result<base::Bytes> read_chunk(const ChunkId& id, bool is_recipe);
  base::Status adopt(const std::string& path);

  std::unique_ptr<Workbench> borrow();
  void give_back(std::unique_ptr<Workbench> bench);

  base::FileOps& files;
  base::Random& random;
  base::Clock& clock;
  const DomainSecrets secrets;
  const Chunker chunker;
  const DomainFolders folders;

  std::mutex sync_mutex;
  std::mutex mutex;  // everything below
  std::vector<SegmentInfo> segments;
  ChunkIndex index;
  std::shared_ptr<SegmentWriter> open;
  uint32_t open_number = 0;
  std::optional<base::Error> degraded_by;
  uint64_t damaged_segments = 0;
  std::vector<std::unique_ptr<Workbench>> benches;

  // With `mutex` held:
  void degrade(const base::Error& error);
  base::Status refuse_when_degraded() const;
  base::Status append_locked(SegmentEntry& entry, base::ByteView record);
  base::Result<std::shared_ptr<base::File>> file_of(uint32_t number);
  base::Status load_file(const std::string& folder, const std::string& name, bool is_own);
  void add_entries(uint32_t number, const std::vector<SegmentEntry>& entries);
  std::optional<uint32_t> number_of(std::string_view segment_id) const;
  base::Status load_folder(const std::string& folder, bool is_own);
};

}  // namespace mortise::store
