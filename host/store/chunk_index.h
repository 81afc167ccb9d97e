// Which chunk lies where, for one open domain, in memory: a hash table with linear probing whose
// entries have 36 bytes (20 bytes of the id: ids are outputs of HMAC, so they are their own hash
// and two of them never share 160 bits). Rebuilt from the footers when a domain is opened. [serial]
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "store/object_ref.h"

namespace mortise::store {

struct ChunkPlace {
  uint32_t segment = 0;      // number of the segment in its domain
  uint32_t offset = 0;       // of the record in the segment
  uint32_t plain_size = 0;   // at most 4 MiB
  uint32_t stored_size = 0;  // before sealing, at most 4 MiB
  uint32_t flags = 0;        // of the record, at most 255
};

class ChunkIndex {
 public:
  std::optional<ChunkPlace> find(const ChunkId& id) const;
  // False when the id is there: the first place stays.
  bool insert(const ChunkId& id, const ChunkPlace& place);
  void replace(const ChunkId& id, const ChunkPlace& place);  // inserts when absent
  void erase_if(const std::function<bool(const ChunkPlace&)>& is_gone);
  size_t size() const { return count_; }
  size_t memory_bytes() const { return table_.size() * sizeof(Entry); }

 private:
  struct Entry {
    std::array<std::byte, 20> id;
    uint32_t segment_plus_1;  // 0: empty
    uint32_t offset;
    uint32_t plain_size_and_flags;  // flags in the top 8 bits
    uint32_t stored_size;
  };
  static_assert(sizeof(Entry) == 36);
  size_t slot_of(const std::array<std::byte, 20>& id) const;  // its own or the empty one for it
  void grow(size_t capacity);

  std::vector<Entry> table_;
  size_t count_ = 0;
};

}  // namespace mortise::store
