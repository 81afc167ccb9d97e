// See recipe.h.
#include "store/recipe.h"

#include <algorithm>

#include "store/byte_order.h"

namespace mortise::store {

size_t Recipe::entry_at(uint64_t offset) const {
  return static_cast<size_t>(std::ranges::upper_bound(ends, offset) - ends.begin());
}

base::Bytes serialise_recipe(uint32_t level, std::span<const RecipeEntry> entries) {
  base::Bytes bytes;
  bytes.reserve(16 + entries.size() * 40);
  put_bytes(bytes, base::as_bytes("mrtrcp01"));
  put_le(bytes, level);
  put_le(bytes, static_cast<uint32_t>(entries.size()));
  for (const RecipeEntry& entry : entries) {
    put_bytes(bytes, entry.id);
    put_le(bytes, entry.size_bytes);
  }
  return bytes;
}

base::Result<Recipe> parse_recipe(base::ByteView bytes) {
  const base::Error refused(base::Code::kDataLoss, "A recipe is not well formed.",
                            "It was written by another program, or there is a bug; report it.");
  if (bytes.size() < 16 || base::as_text(bytes.first(8)) != "mrtrcp01") return refused;
  Recipe recipe{.level = get_le<uint32_t>(bytes, 8), .entries = {}, .ends = {}};
  const size_t count = get_le<uint32_t>(bytes, 12);
  if (recipe.level > kRecipeLevelMax || bytes.size() != 16 + count * 40) return refused;
  recipe.entries.resize(count);
  recipe.ends.reserve(count);
  uint64_t end = 0;
  for (size_t i = 0; i < count; ++i) {
    RecipeEntry& entry = recipe.entries[i];
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(16 + i * 40), 32, entry.id.begin());
    entry.size_bytes = get_le<uint64_t>(bytes, 16 + i * 40 + 32);
    const bool is_chunk = recipe.level == 0;
    if (entry.size_bytes == 0 || (is_chunk && entry.size_bytes > kChunkSizeMax) ||
        entry.size_bytes > UINT64_MAX / 2 - end) {
      return refused;
    }
    recipe.ends.push_back(end += entry.size_bytes);
  }
  return recipe;
}

}  // namespace mortise::store
