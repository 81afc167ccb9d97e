// See chunk_index.h.
#include "store/chunk_index.h"

#include <algorithm>
#include <cstring>

namespace mortise::store {
namespace {

std::array<std::byte, 20> short_id(const ChunkId& id) {
  std::array<std::byte, 20> out;
  std::copy_n(id.begin(), out.size(), out.begin());
  return out;
}

}  // namespace

size_t ChunkIndex::slot_of(const std::array<std::byte, 20>& id) const {
  uint64_t hash = 0;
  std::memcpy(&hash, id.data(), sizeof hash);
  // The product's high half maps the hash evenly onto a table of any size.
  __extension__ using Wide = unsigned __int128;
  auto slot = static_cast<size_t>((Wide{hash} * table_.size()) >> 64);
  while (table_[slot].segment_plus_1 != 0 && table_[slot].id != id) {
    if (++slot == table_.size()) slot = 0;
  }
  return slot;
}

std::optional<ChunkPlace> ChunkIndex::find(const ChunkId& id) const {
  if (table_.empty()) return std::nullopt;
  const Entry& entry = table_[slot_of(short_id(id))];
  if (entry.segment_plus_1 == 0) return std::nullopt;
  return ChunkPlace{.segment = entry.segment_plus_1 - 1,
                    .offset = entry.offset,
                    .plain_size = entry.plain_size_and_flags & 0xffffff,
                    .stored_size = entry.stored_size,
                    .flags = entry.plain_size_and_flags >> 24};
}

bool ChunkIndex::insert(const ChunkId& id, const ChunkPlace& place) {
  if (find(id).has_value()) return false;
  replace(id, place);
  return true;
}

void ChunkIndex::replace(const ChunkId& id, const ChunkPlace& place) {
  if ((count_ + 1) * 20 > table_.size() * 17) grow(std::max<size_t>(64, table_.size() * 3 / 2));
  Entry& entry = table_[slot_of(short_id(id))];
  if (entry.segment_plus_1 == 0) ++count_;
  entry = {.id = short_id(id),
           .segment_plus_1 = place.segment + 1,
           .offset = place.offset,
           .plain_size_and_flags = place.flags << 24 | place.plain_size,
           .stored_size = place.stored_size};
}

void ChunkIndex::grow(size_t capacity) {
  std::vector<Entry> old(capacity, Entry{});
  old.swap(table_);
  for (const Entry& entry : old) {
    if (entry.segment_plus_1 != 0) table_[slot_of(entry.id)] = entry;
  }
}

void ChunkIndex::erase_if(const std::function<bool(const ChunkPlace&)>& is_gone) {
  std::vector<Entry> old(table_.size(), Entry{});
  old.swap(table_);
  count_ = 0;
  for (const Entry& entry : old) {
    if (entry.segment_plus_1 == 0) continue;
    if (is_gone({.segment = entry.segment_plus_1 - 1,
                 .offset = entry.offset,
                 .plain_size = entry.plain_size_and_flags & 0xffffff,
                 .stored_size = entry.stored_size,
                 .flags = entry.plain_size_and_flags >> 24})) {
      continue;
    }
    table_[slot_of(entry.id)] = entry;
    ++count_;
  }
}

}  // namespace mortise::store
