// Cutting an object into chunks and writing its recipe; joining objects. See domain.h.
#include <algorithm>

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

constexpr size_t kProbeSize = 64u << 10;

// The recipe of these chunks, of as many levels as it takes.
Result<ObjectRef> put_recipe(DomainState& domain, std::vector<RecipeEntry> entries) {
  uint64_t size_bytes = 0;
  for (const RecipeEntry& entry : entries) size_bytes += entry.size_bytes;
  if (entries.empty()) {
    MORTISE_ASSIGN(const ChunkId id, domain.put_chunk({}, false, false));
    return ObjectRef{.id = id, .size_bytes = 0, .kind = ObjectKind::kSingle};
  }
  if (entries.size() == 1) {
    return ObjectRef{.id = entries[0].id, .size_bytes = size_bytes, .kind = ObjectKind::kSingle};
  }
  for (uint32_t level = 0; level <= kRecipeLevelMax; ++level) {
    std::vector<RecipeEntry> above;
    for (size_t at = 0; at < entries.size(); at += kRecipeEntriesMax) {
      const auto part =
          std::span(entries).subspan(at, std::min(kRecipeEntriesMax, entries.size() - at));
      MORTISE_ASSIGN(const ChunkId id,
                     domain.put_chunk(serialise_recipe(level, part), true, false));
      uint64_t part_size = 0;
      for (const RecipeEntry& entry : part) part_size += entry.size_bytes;
      above.push_back({id, part_size});
    }
    if (above.size() == 1) {
      return ObjectRef{.id = above[0].id, .size_bytes = size_bytes, .kind = ObjectKind::kRecipe};
    }
    entries = std::move(above);
  }
  return Error(Code::kResourceExhausted, "An object has too many chunks.");
}

}  // namespace

struct ObjectWriter::State {
  std::shared_ptr<DomainState> domain;
  Cut cut;
  uint64_t size_bytes = 0;
  Bytes buffer;
  size_t begin = 0;  // of what is not stored yet, in the buffer
  std::vector<RecipeEntry> chunks;
  bool is_over = false;  // finished or failed

  ByteView waiting() const { return ByteView(buffer).subspan(begin); }
  void take(ByteView data);
  Status write(ByteView data);
  Status store(ByteView chunk);
  void decide();
  Status store_whole_chunks(bool is_end);
};

// Behind what is waiting, which moves to the front first when that makes the room.
void ObjectWriter::State::take(ByteView data) {
  if (begin > 0 && buffer.size() + data.size() > buffer.capacity()) {
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(begin));
    begin = 0;
  }
  buffer.insert(buffer.end(), data.begin(), data.end());
}

Status ObjectWriter::State::store(ByteView chunk) {
  MORTISE_ASSIGN(const ChunkId id, domain->put_chunk(chunk, false, cut == Cut::kByContent));
  chunks.push_back({id, chunk.size()});
  return {};
}

// From the first 64 KiB, or from all of a smaller object.
void ObjectWriter::State::decide() {
  const ByteView start = waiting().first(std::min(waiting().size(), kProbeSize));
  if (is_compressed_format(start)) {
    cut = Cut::kFixed;
    return;
  }
  cut = Cut::kByContent;
  if (start.size() < kProbeSize) return;  // one chunk, which is stored raw when that is smaller
  auto bench = domain->borrow();
  if (!bench->compressor.compress(start, start.size() - start.size() / 16, bench->packed)) {
    cut = Cut::kFixed;
  }
  domain->give_back(std::move(bench));
}

Status ObjectWriter::State::store_whole_chunks(bool is_end) {
  const size_t enough = cut == Cut::kFixed ? kChunkSizeMax : kCutSizeMax;
  while (waiting().size() >= enough || (is_end && !waiting().empty())) {
    const size_t size = cut == Cut::kFixed ? std::min<size_t>(waiting().size(), kChunkSizeMax)
                                           : domain->chunker.cut(waiting());
    MORTISE_TRY(store(waiting().first(size)));
    begin += size;
  }
  if (waiting().empty()) {
    buffer.clear();
    begin = 0;
  }
  return {};
}

Status ObjectWriter::State::write(ByteView data) {
  size_bytes += data.size();
  while (!data.empty()) {
    if (cut == Cut::kFixed && waiting().empty() && data.size() >= kChunkSizeMax) {
      MORTISE_TRY(store(data.first(kChunkSizeMax)));  // without a copy
      data = data.subspan(kChunkSizeMax);
      continue;
    }
    const size_t room = (cut == Cut::kProbe ? kProbeSize : kChunkSizeMax) - waiting().size();
    const size_t size = std::min(room, data.size());
    take(data.first(size));
    data = data.subspan(size);
    if (cut == Cut::kProbe && waiting().size() == kProbeSize) decide();
    if (cut != Cut::kProbe) MORTISE_TRY(store_whole_chunks(false));
  }
  return {};
}

ObjectWriter::ObjectWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectWriter::~ObjectWriter() = default;
ObjectWriter::ObjectWriter(ObjectWriter&&) noexcept = default;
ObjectWriter& ObjectWriter::operator=(ObjectWriter&&) noexcept = default;

uint64_t ObjectWriter::size_bytes() const {
  return state_->size_bytes;
}

Status ObjectWriter::write(ByteView data) {
  if (state_->is_over) {
    return Error(Code::kFailedPrecondition, "This object was finished or has failed already.");
  }
  Status written = state_->write(data);
  state_->is_over = !written.ok();
  return written;
}

Result<ObjectRef> ObjectWriter::finish() {
  if (state_->is_over) {
    return Error(Code::kFailedPrecondition, "This object was finished or has failed already.");
  }
  state_->is_over = true;
  if (state_->cut == Cut::kProbe) state_->decide();
  MORTISE_TRY(state_->store_whole_chunks(true));
  return put_recipe(*state_->domain, std::move(state_->chunks));
}

ObjectWriter Domain::begin(Cut cut) {
  auto state = std::make_unique<ObjectWriter::State>();
  state->domain = state_;
  state->cut = cut;
  return ObjectWriter(std::move(state));
}

Result<ObjectRef> Domain::concat(const std::vector<ObjectRef>& refs) {
  std::vector<RecipeEntry> chunks;
  for (const ObjectRef& ref : refs) {
    MORTISE_TRY(state_->locate(ref.id, ref.kind == ObjectKind::kRecipe));
    MORTISE_TRY(chunks_of(ref, [&](const ChunkUse& use) {
      if (!use.is_recipe && use.size_bytes > 0) chunks.push_back({use.id, use.size_bytes});
    }));
  }
  return put_recipe(*state_, std::move(chunks));
}

}  // namespace mortise::store
