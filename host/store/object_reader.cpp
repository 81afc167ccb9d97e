// Reading objects at any place, listing and verifying their chunks. See domain.h.
#include <algorithm>
#include <list>
#include <optional>

#include "store/domain_state.h"
#include "store/recipe.h"

namespace mortise::store {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

Error wrong_size(const ChunkId& id, uint64_t found, uint64_t expected) {
  return Error(Code::kDataLoss, "The chunk " + base::to_hex(id) + " has " + std::to_string(found) +
                                    " bytes; what names it says " + std::to_string(expected) + ".");
}

// A chunk that a recipe or an object names and that is gone is a loss; the object itself being
// unknown is not.
Error as_loss(Error error) {
  if (error.code == Code::kNotFound) error.code = Code::kDataLoss;
  return error;
}

Result<Recipe> read_recipe(DomainState& domain, const ChunkId& id, uint64_t size_bytes) {
  MORTISE_ASSIGN(const Bytes bytes, domain.read_chunk(id, true));
  MORTISE_ASSIGN(Recipe recipe, parse_recipe(bytes));
  if (recipe.size_bytes() != size_bytes) return wrong_size(id, recipe.size_bytes(), size_bytes);
  return recipe;
}

// The last few of something dear, newest first.
template <class T, size_t N>
class Recent {
 public:
  T* find(const ChunkId& id) {
    const auto at = std::ranges::find(items_, id, &std::pair<ChunkId, T>::first);
    if (at == items_.end()) return nullptr;
    items_.splice(items_.begin(), items_, at);
    return &items_.front().second;
  }
  T& add(const ChunkId& id, T item) {
    items_.emplace_front(id, std::move(item));
    if (items_.size() > N) items_.pop_back();
    return items_.front().second;
  }

 private:
  std::list<std::pair<ChunkId, T>> items_;
};

struct RawChunk {
  Located located;
  Unsealer unsealer;
};

}  // namespace

struct ObjectReader::State {
  std::shared_ptr<DomainState> domain;
  ObjectRef ref;
  std::optional<Recipe> root;  // none: the object is one chunk
  std::mutex mutex;            // all below
  Recent<Recipe, 4> recipes;
  Recent<RawChunk, 4> raw;
  Recent<Bytes, 4> plain;
  Bytes frames;

  Result<size_t> read_some(uint64_t offset, std::span<std::byte> buffer);
  Result<size_t> read_chunk_at(const ChunkId& id, uint64_t chunk_size, uint64_t offset,
                               std::span<std::byte> buffer);
  Status read_frames(RawChunk& chunk, uint64_t offset, std::span<std::byte> buffer);
};

// A run of whole frames comes in one read; a frame that is wanted in part goes through a buffer.
Status ObjectReader::State::read_frames(RawChunk& chunk, uint64_t offset,
                                        std::span<std::byte> buffer) {
  constexpr uint64_t kFramesAtOnce = 32;
  const SegmentEntry& entry = chunk.located.entry;
  const uint64_t begin = entry.offset + kRecordHeadSize + kSealHeadSize;
  const uint64_t last = (offset + buffer.size() - 1) / kFrameSize;
  for (uint64_t first = offset / kFrameSize; first <= last;) {
    const uint64_t count = std::min(kFramesAtOnce, last - first + 1);
    const uint64_t plain_size =
        std::min<uint64_t>(count * kFrameSize, entry.stored_size - first * kFrameSize);
    frames.resize(plain_size + count * base::AesGcm::kTagSize);
    MORTISE_ASSIGN(const size_t got,
                   chunk.located.file->read_at(begin + first * kSealedFrameSize, frames));
    if (got != frames.size()) {
      return Error(Code::kDataLoss, "A segment ends in a record.").at_file(chunk.located.path);
    }
    for (uint64_t i = first; i < first + count; ++i) {
      const uint64_t at = i * kFrameSize;
      const uint64_t size = std::min<uint64_t>(kFrameSize, entry.stored_size - at);
      const ByteView sealed =
          ByteView(frames).subspan((i - first) * kSealedFrameSize, size + base::AesGcm::kTagSize);
      const uint64_t from = std::max(at, offset), to = std::min(at + size, offset + buffer.size());
      std::array<std::byte, kFrameSize> whole;
      const bool is_direct = from == at && to == at + size;
      const auto target =
          is_direct ? buffer.subspan(from - offset, size) : std::span<std::byte>(whole).first(size);
      if (!chunk.unsealer.open_frame(i, sealed, target)) {
        return Error(Code::kDataLoss,
                     "Frame " + std::to_string(i) + " of a sealed chunk does not match its tag.",
                     "Restore the segment from a backup.")
            .at_file(chunk.located.path)
            .at_byte(static_cast<int64_t>(begin + i * kSealedFrameSize));
      }
      if (!is_direct)
        std::copy_n(whole.begin() + from - at, to - from, buffer.begin() + from - offset);
    }
    first += count;
  }
  return {};
}

Result<size_t> ObjectReader::State::read_chunk_at(const ChunkId& id, uint64_t chunk_size,
                                                  uint64_t offset, std::span<std::byte> buffer) {
  buffer = buffer.first(std::min<uint64_t>(buffer.size(), chunk_size - offset));
  if (const Bytes* const bytes = plain.find(id)) {
    std::copy_n(bytes->begin() + static_cast<ptrdiff_t>(offset), buffer.size(), buffer.begin());
    return buffer.size();
  }
  RawChunk* chunk = raw.find(id);
  if (chunk == nullptr) {
    MORTISE_ASSIGN(const Located located, domain->locate(id, false));
    const SegmentEntry& entry = located.entry;
    if (entry.plain_size != chunk_size) return wrong_size(id, entry.plain_size, chunk_size);
    if ((entry.flags & kFlagZstd) != 0) {
      Bytes bytes;
      MORTISE_TRY(domain->read_chunk(located, bytes));
      plain.add(id, std::move(bytes));
      return read_chunk_at(id, chunk_size, offset, buffer);
    }
    std::array<std::byte, kSealHeadSize> head{};
    MORTISE_ASSIGN(const size_t got, located.file->read_at(entry.offset + kRecordHeadSize, head));
    if (got != head.size()) {
      return Error(Code::kDataLoss, "A segment ends in a record.").at_file(located.path);
    }
    auto unsealer =
        Unsealer::open(domain->secrets.seal, seal_context(domain->secrets, entry), head);
    if (!unsealer.ok()) {
      return std::move(unsealer.error())
          .at_file(located.path)
          .at_byte(static_cast<int64_t>(entry.offset));
    }
    chunk = &raw.add(id, RawChunk{located, std::move(*unsealer)});
  }
  MORTISE_TRY(read_frames(*chunk, offset, buffer));
  return buffer.size();
}

// At least one byte, at most to the end of a chunk.
Result<size_t> ObjectReader::State::read_some(uint64_t offset, std::span<std::byte> buffer) {
  if (!root) return read_chunk_at(ref.id, ref.size_bytes, offset, buffer);
  const Recipe* recipe = &*root;
  while (true) {
    const size_t at = recipe->entry_at(offset);
    const RecipeEntry& entry = recipe->entries[at];
    offset -= recipe->ends[at] - entry.size_bytes;
    if (recipe->level == 0) return read_chunk_at(entry.id, entry.size_bytes, offset, buffer);
    const Recipe* below = recipes.find(entry.id);
    if (below == nullptr) {
      MORTISE_ASSIGN(Recipe read, read_recipe(*domain, entry.id, entry.size_bytes));
      if (read.level + 1 != recipe->level) return wrong_size(entry.id, read.level, recipe->level);
      below = &recipes.add(entry.id, std::move(read));
    }
    recipe = below;
  }
}

ObjectReader::ObjectReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectReader::~ObjectReader() = default;
ObjectReader::ObjectReader(ObjectReader&&) noexcept = default;
ObjectReader& ObjectReader::operator=(ObjectReader&&) noexcept = default;

uint64_t ObjectReader::size_bytes() const {
  return state_->ref.size_bytes;
}

Result<size_t> ObjectReader::read_at(uint64_t offset, std::span<std::byte> buffer) const {
  const uint64_t size = state_->ref.size_bytes;
  if (offset >= size) return size_t{0};
  buffer = buffer.first(std::min<uint64_t>(buffer.size(), size - offset));
  const std::lock_guard lock(state_->mutex);
  for (size_t done = 0; done < buffer.size();) {
    auto got = state_->read_some(offset + done, buffer.subspan(done));
    if (!got.ok()) {
      base::wipe(buffer);
      return as_loss(std::move(got).error());
    }
    done += *got;
  }
  return buffer.size();
}

Result<ObjectReader> Domain::open_object(const ObjectRef& ref) {
  auto state = std::make_unique<ObjectReader::State>();
  state->domain = state_;
  state->ref = ref;
  if (ref.kind == ObjectKind::kRecipe) {
    MORTISE_ASSIGN(state->root, read_recipe(*state_, ref.id, ref.size_bytes));
  } else {
    MORTISE_ASSIGN(const Located located, state_->locate(ref.id, false));
    if (located.entry.plain_size != ref.size_bytes) {
      return wrong_size(ref.id, located.entry.plain_size, ref.size_bytes);
    }
  }
  return ObjectReader(std::move(state));
}

Result<std::string> Domain::read_all(const ObjectRef& ref, uint64_t size_bytes_max) {
  if (ref.size_bytes > size_bytes_max) {
    return Error(Code::kResourceExhausted, "The object has " + std::to_string(ref.size_bytes) +
                                               " bytes; at most " + std::to_string(size_bytes_max) +
                                               " are read at once.");
  }
  MORTISE_ASSIGN(const ObjectReader reader, open_object(ref));
  std::string text(ref.size_bytes, '\0');
  MORTISE_TRY(reader.read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

Status Domain::chunks_of(const ObjectRef& ref, const std::function<void(const ChunkUse&)>& visit) {
  if (ref.kind == ObjectKind::kSingle) {
    visit({.id = ref.id, .size_bytes = ref.size_bytes, .is_recipe = false});
    return {};
  }
  const auto walk = [&](const auto& self, const ChunkId& id, uint64_t size) -> Status {
    MORTISE_ASSIGN(const Recipe recipe, read_recipe(*state_, id, size));
    visit({.id = id, .size_bytes = size, .is_recipe = true});
    for (const RecipeEntry& entry : recipe.entries) {
      if (recipe.level > 0) {
        MORTISE_TRY(self(self, entry.id, entry.size_bytes));
      } else {
        visit({.id = entry.id, .size_bytes = entry.size_bytes, .is_recipe = false});
      }
    }
    return {};
  };
  return walk(walk, ref.id, ref.size_bytes);
}

Status Domain::verify(const ObjectRef& ref) {
  std::vector<ChunkUse> uses;
  MORTISE_TRY(chunks_of(ref, [&](const ChunkUse& use) { uses.push_back(use); }));
  Bytes plain;
  for (const ChunkUse& use : uses) {
    auto located = state_->locate(use.id, use.is_recipe);
    if (!located.ok()) {
      if (ref.kind == ObjectKind::kSingle) return std::move(located).error();
      return as_loss(std::move(located).error());
    }
    MORTISE_TRY(state_->read_chunk(*located, plain));
    if (!use.is_recipe && plain.size() != use.size_bytes) {
      return wrong_size(use.id, plain.size(), use.size_bytes);
    }
    if (state_->id_of(plain, use.is_recipe) != use.id) {
      return Error(Code::kDataLoss,
                   "The chunk " + base::to_hex(use.id) + " holds other bytes than its id says.")
          .at_file(located->path);
    }
  }
  return {};
}

}  // namespace mortise::store
