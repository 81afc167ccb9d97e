// Names of stored bytes. A chunk is at most 4 MiB; an object is one chunk, or a list of chunks that
// is a chunk itself (a recipe), so that a reference has a fixed size. Plain values, no storage.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/crypto.h"

namespace mortise::store {

// HMAC-SHA-256 of the plain bytes under the domain's key: says nothing outside the domain.
using ChunkId = base::Digest;

constexpr uint32_t kChunkSizeMax = 4u << 20;

enum class ObjectKind : uint8_t { kSingle, kRecipe };

struct ObjectRef {
  ChunkId id{};
  uint64_t size_bytes = 0;
  ObjectKind kind = ObjectKind::kSingle;
  bool operator==(const ObjectRef&) const = default;
};

// "obj:" 64 hex digits ":" size ":s" (single) or ":r" (recipe).
std::string to_text(const ObjectRef& ref);
// Errors: INVALID_ARGUMENT.
base::Result<ObjectRef> parse_object_ref(std::string_view text);

struct ChunkUse {  // one chunk of an object, in order
  ChunkId id{};
  uint64_t size_bytes = 0;
  bool is_recipe = false;
};

}  // namespace mortise::store
