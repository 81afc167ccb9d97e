// The list of chunks that makes an object of more than one. A recipe is a chunk itself, with
// kFlagRecipe and an id under a key of its own, so no user's bytes can pass for one:
//
//   "mrtrcp01" | level u32 | count u32 | count times: chunk id 32, size of the object part u64
//
// Level 0 names data chunks, level n recipes of level n - 1. Plain values, no storage.
#pragma once

#include <vector>

#include "store/object_ref.h"

namespace mortise::store {

constexpr size_t kRecipeEntriesMax = 65536;  // 2.6 MB
constexpr uint32_t kRecipeLevelMax = 4;

struct RecipeEntry {
  ChunkId id{};
  uint64_t size_bytes = 0;
  bool operator==(const RecipeEntry&) const = default;
};

struct Recipe {
  uint32_t level = 0;
  std::vector<RecipeEntry> entries;
  std::vector<uint64_t> ends;  // ends[i]: where entry i ends in the object; filled by parse_recipe

  uint64_t size_bytes() const { return ends.empty() ? 0 : ends.back(); }
  // The entry that holds the byte at `offset` < size_bytes().
  size_t entry_at(uint64_t offset) const;
};

base::Bytes serialise_recipe(uint32_t level, std::span<const RecipeEntry> entries);
// Errors: DATA_LOSS.
base::Result<Recipe> parse_recipe(base::ByteView bytes);

}  // namespace mortise::store
