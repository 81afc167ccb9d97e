// Segments of one domain: opening, putting, durable points. See domain_state.h.
#include "store/domain_state.h"

#include <algorithm>
#include <set>

namespace mortise::store {

using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr size_t kOpenFilesMax = 64;

// Worth storing compressed when a sixteenth is saved.
size_t compressed_size_max(size_t plain_size) {
  return plain_size - plain_size / 16 - 1;
}

std::string_view stem_of(std::string_view name, std::string_view ending) {
  if (!name.ends_with(ending)) return {};
  const std::string_view stem = name.substr(0, name.size() - ending.size());
  const bool is_id =
      stem.size() == 32 && stem.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return is_id ? stem : std::string_view{};
}

}  // namespace

std::string_view segment_id(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  return name.substr(0, name.rfind('.'));
}

DomainState::DomainState(base::FileOps& files_in, base::Random& random_in, base::Clock& clock_in,
                         const DomainKey& key, DomainFolders folders_in)
    : files(files_in),
      random(random_in),
      clock(clock_in),
      secrets(key),
      chunker(secrets.gear),
      folders(std::move(folders_in)) {}

Status DomainState::load() {
  if (!folders.write.empty()) {
    MORTISE_TRY(base::make_folders(files, folders.write));
    MORTISE_ASSIGN(const bool is_network, files.is_network(folders.write));
    if (is_network) {
      return Error(Code::kInvalidArgument,
                   "The store lies on a network file system, which does not keep the promises of "
                   "fsync and rename.",
                   "Put it on a local disk (ext4, xfs, btrfs, zfs).")
          .at_file(folders.write);
    }
    MORTISE_ASSIGN(const auto found, files.list(folders.write));
    for (const base::FileInfo& file : found) {
      const std::string_view stem = stem_of(file.name, ".open");
      if (stem.empty()) continue;
      const Status recovered =
          recover_segment(files, random, secrets, folders.write, std::string(stem));
      if (recovered.ok()) continue;
      // A full disk must not keep the domain from being read (and made smaller).
      if (recovered.error().code != Code::kResourceExhausted) return recovered;
      const std::lock_guard lock(mutex);
      MORTISE_TRY(load_file(folders.write, file.name, false));
    }
  }
  return rescan();
}

Status DomainState::rescan() {
  const std::lock_guard lock(mutex);
  const auto is_finished = [](const SegmentInfo& s) {
    return !s.is_open && s.path.ends_with(".seg");
  };
  bool has_lost = false;
  for (const SegmentInfo& segment : segments) {
    if (!is_finished(segment)) continue;
    MORTISE_ASSIGN(const bool is_there, files.exists(segment.path));
    has_lost = has_lost || !is_there;
  }
  if (has_lost) {
    // What is gone may still lie elsewhere: the index is made again from what is there.
    index.erase_if([&](const ChunkPlace& place) { return is_finished(segments[place.segment]); });
    for (SegmentInfo& segment : segments) {
      if (is_finished(segment)) segment = SegmentInfo{};
    }
    damaged_segments = 0;
  }
  if (!folders.write.empty()) MORTISE_TRY(load_folder(folders.write, true));
  for (const std::string& folder : folders.read) MORTISE_TRY(load_folder(folder, false));
  return {};
}

Status DomainState::load_folder(const std::string& folder, bool is_own) {
  const auto found = files.list(folder);
  if (!found.ok() && found.error().code == Code::kNotFound && !is_own) return {};  // nothing yet
  if (!found.ok()) return found.error();
  std::set<std::string, std::less<>>
      known;  // by id: a segment that is being finished changes its ending
  for (const SegmentInfo& segment : segments) known.emplace(segment_id(segment.path));
  for (const base::FileInfo& file : *found) {
    const std::string_view stem = stem_of(file.name, ".seg");
    if (!stem.empty() && !known.contains(stem)) {
      MORTISE_TRY(load_file(folder, file.name, is_own));
    }
  }
  return {};
}

std::optional<uint32_t> DomainState::number_of(std::string_view id) const {
  const auto at =
      std::ranges::find(segments, id, [](const SegmentInfo& s) { return segment_id(s.path); });
  if (at == segments.end()) return std::nullopt;
  return static_cast<uint32_t>(at - segments.begin());
}

// A damaged segment still gives its undamaged records; one that cannot be read at all is counted.
Status DomainState::load_file(const std::string& folder, const std::string& name, bool is_own) {
  const std::string path = base::join_path(folder, name);
  auto file = files.open(path, base::OpenMode::kRead);
  if (!file.ok() && file.error().code == Code::kNotFound) return {};  // removed meanwhile
  if (!file.ok()) return std::move(file).error();
  auto content = read_segment(secrets, **file, path);
  const bool has_trailer = content.ok();
  if (!has_trailer && name.ends_with(".seg")) ++damaged_segments;
  if (!has_trailer) content = scan_segment(secrets, **file, path);
  if (!content.ok() && content.error().code != Code::kDataLoss) return std::move(content).error();
  if (!content.ok()) content = SegmentContent{};
  segments.push_back({.path = path,
                      .is_own = is_own && has_trailer,
                      .is_open = false,
                      .has_trailer = has_trailer,
                      .size_bytes = content->size_bytes,
                      .chunks = content->entries.size(),
                      .durable_end = UINT64_MAX,
                      .touched_ns = 0,
                      .file = nullptr});
  add_entries(static_cast<uint32_t>(segments.size() - 1), content->entries);
  return {};
}

void DomainState::add_entries(uint32_t number, const std::vector<SegmentEntry>& entries) {
  for (const SegmentEntry& entry : entries) {
    index.insert(entry.id, {.segment = number,
                            .offset = static_cast<uint32_t>(entry.offset),
                            .plain_size = entry.plain_size,
                            .stored_size = entry.stored_size,
                            .flags = entry.flags});
  }
}

Status DomainState::refuse_when_degraded() const {
  if (!degraded_by) return {};
  return Error(Code::kUnavailable,
               "The store of this domain takes nothing more, because its disk failed: " +
                   degraded_by->text(),
               "Look at the disk; then restart the server. What was acknowledged can be read.");
}

Status DomainState::check_writable() {
  if (folders.write.empty()) {
    return Error(Code::kFailedPrecondition, "This domain was opened for reading only.");
  }
  const std::lock_guard lock(mutex);
  return refuse_when_degraded();
}

// After a failed sync nobody knows which of the unsynced bytes reached the disk: they are
// forgotten, and the segment is never synced again. The next open keeps its whole records in a new
// file.
void DomainState::degrade(const Error& error) {
  if (!degraded_by) degraded_by = error;
  index.erase_if(
      [&](const ChunkPlace& place) { return place.offset >= segments[place.segment].durable_end; });
}

ChunkId DomainState::id_of(ByteView plain, bool is_recipe) const {
  return is_recipe ? secrets.recipe_id.of(plain) : secrets.chunk_id.of(plain);
}

Result<ChunkId> DomainState::put_chunk(ByteView plain, bool is_recipe, bool try_compression) {
  SegmentEntry entry{.id = id_of(plain, is_recipe),
                     .offset = 0,
                     .flags = is_recipe ? kFlagRecipe : 0,
                     .plain_size = static_cast<uint32_t>(plain.size()),
                     .stored_size = 0};
  const auto is_here = [&] {  // with the lock held
    const auto place = index.find(entry.id);
    if (!place || !segments[place->segment].is_own) return false;
    segments[place->segment].touched_ns = clock.now_ns();
    return true;
  };
  {
    const std::lock_guard lock(mutex);
    MORTISE_TRY(refuse_when_degraded());
    if (is_here()) return entry.id;
  }
  std::unique_ptr<Workbench> bench = borrow();
  ByteView stored = plain;
  if (try_compression && plain.size() >= 64 &&
      bench->compressor.compress(plain, compressed_size_max(plain.size()), bench->packed)) {
    stored = bench->packed;
    entry.flags |= kFlagZstd;
  }
  entry.stored_size = static_cast<uint32_t>(stored.size());
  make_record(secrets, random, entry, stored, bench->record);
  Status appended;
  bool is_full = false;
  {
    const std::lock_guard lock(mutex);
    appended = refuse_when_degraded();
    if (appended.ok() && !is_here()) appended = append_locked(entry, bench->record);
    is_full = open != nullptr && open->size_bytes() >= kSegmentSizeClosed;
  }
  give_back(std::move(bench));
  if (!appended.ok()) return std::move(appended).error();
  if (is_full) MORTISE_TRY(finish(kSegmentSizeClosed));
  return entry.id;
}

Status DomainState::append_locked(SegmentEntry& entry, ByteView record) {
  if (folders.write.empty()) {
    return Error(Code::kFailedPrecondition, "This domain was opened for reading only.");
  }
  if (open == nullptr) {
    MORTISE_ASSIGN(open, SegmentWriter::create(files, random, secrets, folders.write));
    open_number = static_cast<uint32_t>(segments.size());
    segments.push_back({.path = open->path(),
                        .is_own = true,
                        .is_open = true,
                        .has_trailer = true,
                        .size_bytes = 0,
                        .chunks = 0,
                        .durable_end = 0,
                        .touched_ns = 0,
                        .file = open->file()});
  }
  if (Status appended = open->append(entry, record); !appended.ok()) {
    if (open->is_broken()) degrade(appended.error());
    return appended;
  }
  segments[open_number].size_bytes = open->size_bytes();
  ++segments[open_number].chunks;
  add_entries(open_number, {entry});
  return {};
}

Status DomainState::sync() {
  const std::lock_guard syncing(sync_mutex);
  std::shared_ptr<SegmentWriter> writer;
  uint32_t number = 0;
  uint64_t end = 0;
  {
    const std::lock_guard lock(mutex);
    MORTISE_TRY(refuse_when_degraded());
    if (open == nullptr) return {};
    writer = open;
    number = open_number;
    end = writer->size_bytes();
    if (segments[number].durable_end >= end) return {};  // another caller's sync took ours along
  }
  const Status synced = writer->sync();
  const std::lock_guard lock(mutex);
  if (synced.ok()) {
    segments[number].durable_end = end;
  } else {
    degrade(synced.error());
  }
  return synced;
}

Status DomainState::finish(uint64_t size_bytes_min) {
  const std::lock_guard syncing(sync_mutex);
  std::shared_ptr<SegmentWriter> closing;
  uint32_t number = 0;
  {
    const std::lock_guard lock(mutex);
    MORTISE_TRY(refuse_when_degraded());
    if (open == nullptr || open->size_bytes() < size_bytes_min || open->entries().empty())
      return {};
    closing = std::move(open);
    open = nullptr;
    number = open_number;
  }
  const Status closed = closing->close();
  const std::lock_guard lock(mutex);
  if (!closed.ok()) {
    degrade(closed.error());
    return closed;
  }
  SegmentInfo& segment = segments[number];
  segment.path = closing->path();
  segment.is_open = false;
  segment.size_bytes = closing->size_bytes();
  segment.durable_end = UINT64_MAX;
  return {};
}

Result<std::shared_ptr<base::File>> DomainState::file_of(uint32_t number) {
  SegmentInfo& segment = segments[number];
  if (segment.file != nullptr) return segment.file;
  size_t open_count = 0;
  for (const SegmentInfo& s : segments) open_count += s.file != nullptr ? 1 : 0;
  if (open_count >= kOpenFilesMax) {  // who reads them now keeps them open
    for (SegmentInfo& s : segments) {
      if (!s.is_open) s.file = nullptr;
    }
  }
  MORTISE_ASSIGN(segment.file, files.open(segment.path, base::OpenMode::kRead));
  return segment.file;
}

std::unique_ptr<Workbench> DomainState::borrow() {
  {
    const std::lock_guard lock(mutex);
    if (!benches.empty()) {
      auto bench = std::move(benches.back());
      benches.pop_back();
      return bench;
    }
  }
  return std::make_unique<Workbench>();
}

void DomainState::give_back(std::unique_ptr<Workbench> bench) {
  constexpr size_t kIdleMax = 4;
  const std::lock_guard lock(mutex);
  if (benches.size() < kIdleMax) benches.push_back(std::move(bench));
}

}  // namespace mortise::store
