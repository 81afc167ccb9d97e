// The sealed bytes of one domain: objects go in and come out, whatever lies in its folder stays
// unreadable without its key. Called by hub (uploads, rows), run (adopts what workers wrote) and
// workers (DomainKey and folders, no keyring). Knows nothing of data sets or of keyrings.
//
// Promise: what was finished before a sync() that returned OK survives a power cut. A sync that
// failed is final: the objects since the last good one are refused, reading goes on, writing needs
// a new Domain (is_degraded). Nothing is rewritten in place. docs/formats/store.md has the bytes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_ops.h"
#include "store/domain_key.h"
#include "store/object_ref.h"

namespace mortise::store {

struct DomainState;  // segments, index, open segment; shared by the domain, its writers and readers

// How an object is cut: into pieces by content and compressed, or each 4 MiB and raw, so that a
// random read touches 16 KiB only. kProbe looks at the first bytes (magic numbers, a trial).
enum class Cut { kProbe, kByContent, kFixed };

// Takes one object in pieces of any size. Dropped before finish(): the chunks stay as orphans until
// a compaction. [serial]; several writers may work at once.
class ObjectWriter {
 public:
  ~ObjectWriter();
  ObjectWriter(ObjectWriter&&) noexcept;
  ObjectWriter& operator=(ObjectWriter&&) noexcept;
  // Errors: RESOURCE_EXHAUSTED (disk full), UNAVAILABLE (domain degraded), FAILED_PRECONDITION
  // (finished or failed already). After an error this object is lost, the domain is not.
  base::Status write(base::ByteView data);
  base::Result<ObjectRef> finish();  // not durable before Domain::sync
  uint64_t size_bytes() const;       // taken so far

 private:
  friend class Domain;
  struct State;
  explicit ObjectWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Reads one object at any place. [parallel]
class ObjectReader {
 public:
  ~ObjectReader();
  ObjectReader(ObjectReader&&) noexcept;
  ObjectReader& operator=(ObjectReader&&) noexcept;
  // As many bytes as `buffer` has, fewer only at the end. Nothing is given out that was not
  // authenticated. Errors: DATA_LOSS (a chunk is damaged or missing; names segment and byte).
  base::Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) const;
  uint64_t size_bytes() const;

 private:
  friend class Domain;
  struct State;
  explicit ObjectReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Where a domain lies. `read` are folders of closed segments of the same domain, which are only
// read (a worker reads the server's); `write` is its own, where segments left open by a crash are
// recovered. Empty `write`: nothing can be written.
struct DomainFolders {
  std::string write;
  std::vector<std::string> read;
};

struct DomainCounts {
  uint64_t segments = 0, chunks = 0, stored_bytes = 0;  // on the disk, duplicates included
  uint64_t damaged_segments = 0;                        // not readable, left where they are
};

class Domain {  // [parallel]
 public:
  // Errors: of the disk; INVALID_ARGUMENT for a network file system under `write`.
  static base::Result<std::shared_ptr<Domain>> open(base::FileOps& files, base::Random& random,
                                                    base::Clock& clock, const DomainKey& key,
                                                    const DomainFolders& folders);
  ~Domain();  // closes the open segment; what fails then is recovered by the next open

  const std::string& domain_id() const;
  ObjectWriter begin(Cut cut = Cut::kProbe);
  base::Result<ObjectRef> put(base::ByteView data, Cut cut = Cut::kProbe);
  // The durable point of every object finished before the call. Callers at the same time share one
  // fsync. Errors: DATA_LOSS, RESOURCE_EXHAUSTED at the failure, UNAVAILABLE ever after.
  base::Status sync();
  // sync(), and the open segment becomes a closed one: workers and backups see closed ones only.
  base::Status finish_segment();
  bool is_degraded() const;

  // Errors: NOT_FOUND when the object (or its recipe) is not here, DATA_LOSS when it is damaged.
  base::Result<ObjectReader> open_object(const ObjectRef& ref);
  base::Result<std::string> read_all(const ObjectRef& ref, uint64_t size_bytes_max = 1u << 30);
  // The objects end to end as one, from their recipes: no data are read. Not yet durable.
  base::Result<ObjectRef> concat(const std::vector<ObjectRef>& refs);
  // Calls `visit` for every chunk, recipes before what they name.
  base::Status chunks_of(const ObjectRef& ref, const std::function<void(const ChunkUse&)>& visit);
  base::Status verify(const ObjectRef& ref);  // reads and authenticates all of it
  bool contains(const ChunkId& id) const;

  // Takes over a finished segment of this domain that a worker wrote: the footer is authenticated,
  // the file is renamed into the folder (copied when it lies on another file system) and the folder
  // synced. OK when this segment is here already. Errors: PERMISSION_DENIED when it belongs to
  // another domain, DATA_LOSS when it is damaged or was made under another key.
  base::Status adopt(const std::string& path);
  base::Status rescan();  // looks for segments that others finished or removed
  DomainCounts counts() const;

  DomainState& state() { return *state_; }  // for upkeep.cpp

 private:
  explicit Domain(std::shared_ptr<DomainState> state);
  std::shared_ptr<DomainState> state_;
};

// Whether two objects hold the same bytes; read and compared unless their ids already tell.
base::Result<bool> same_content(Domain& domain_a, const ObjectRef& a, Domain& domain_b,
                                const ObjectRef& b);

}  // namespace mortise::store
