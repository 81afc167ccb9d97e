// Finding and reading chunks of a domain, and taking over segments. See domain_state.h.
#include <algorithm>

#include "store/domain_state.h"

namespace mortise::store {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

Result<Located> DomainState::locate(const ChunkId& id, bool is_recipe) {
  for (const bool is_second_try : {false, true}) {
    {
      const std::lock_guard lock(mutex);
      const auto place = index.find(id);
      if (place && ((place->flags & kFlagRecipe) != 0) == is_recipe) {
        const std::string path = segments[place->segment].path;
        auto file = file_of(place->segment);
        if (file.ok()) {
          return Located{.entry = {.id = id,
                                   .offset = place->offset,
                                   .flags = place->flags,
                                   .plain_size = place->plain_size,
                                   .stored_size = place->stored_size},
                         .file = std::move(*file),
                         .path = path};
        }
        if (file.error().code != Code::kNotFound || is_second_try) return file.error();
      }
    }
    // Others may have finished, compacted or adopted segments since we looked.
    if (!is_second_try) MORTISE_TRY(rescan());
  }
  return Error(
      Code::kNotFound,
      "The chunk " + base::to_hex(id) + " is not in the domain \"" + secrets.domain_id + "\".",
      "Restore the domain from a backup if it was stored once.");
}

Status DomainState::read_chunk(const Located& located, Bytes& plain) {
  const SegmentEntry& entry = located.entry;
  const auto at_place = [&](Error error) {
    return error.at_file(located.path).at_byte(static_cast<int64_t>(entry.offset));
  };
  std::unique_ptr<Workbench> bench = borrow();
  Bytes& message = bench->record;
  message.resize(sealed_size(entry.stored_size));
  const auto got = located.file->read_at(entry.offset + kRecordHeadSize, message);
  if (!got.ok()) return got.error();
  if (*got != message.size()) return at_place({Code::kDataLoss, "A segment ends in a record."});
  auto unsealer = Unsealer::open(secrets.seal, seal_context(secrets, entry),
                                 ByteView(message).first<kSealHeadSize>());
  if (!unsealer.ok()) return at_place(unsealer.error());
  const bool is_packed = (entry.flags & kFlagZstd) != 0;
  Bytes& stored = is_packed ? bench->packed : plain;
  stored.resize(entry.stored_size);
  const Status opened = unsealer->open_all(ByteView(message).subspan(kSealHeadSize), stored);
  if (!opened.ok()) return at_place(opened.error());
  if (is_packed) {
    plain.resize(entry.plain_size);
    const Status unpacked = bench->decompressor.decompress(stored, plain);
    if (!unpacked.ok()) return at_place(unpacked.error());
  }
  give_back(std::move(bench));
  return {};
}

Result<Bytes> DomainState::read_chunk(const ChunkId& id, bool is_recipe) {
  MORTISE_ASSIGN(const Located located, locate(id, is_recipe));
  Bytes plain;
  MORTISE_TRY(read_chunk(located, plain));
  return plain;
}

namespace {

// A copy for when the segment lies on another file system: synced, then renamed into place.
Status copy_into_place(base::FileOps& files, base::File& from, const std::string& to) {
  const std::string temporary = to + ".new";
  MORTISE_TRY(base::remove_tree(files, temporary));
  MORTISE_ASSIGN(auto file, files.open(temporary, base::OpenMode::kCreateNew));
  Bytes piece(1u << 20);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t got, from.read_at(offset, piece));
    MORTISE_TRY(file->write(ByteView(piece).first(got)));
    offset += got;
    if (got < piece.size()) break;
  }
  MORTISE_TRY(file->sync());
  MORTISE_TRY(file->close());
  return files.rename(temporary, to);
}

}  // namespace

Status DomainState::adopt(const std::string& path) {
  MORTISE_TRY(check_writable());
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::string place = base::join_path(folders.write, name);
  MORTISE_ASSIGN(const bool is_here, files.exists(place));
  const std::lock_guard lock(mutex);
  if (is_here) {  // an earlier try came so far, perhaps no further
    MORTISE_TRY(files.sync_folder(folders.write));
    return number_of(segment_id(name)) ? Status() : load_file(folders.write, name, true);
  }
  const bool is_name = name.size() == 36 && name.ends_with(".seg") &&
                       name.find_first_not_of("0123456789abcdef") == 32;
  if (!is_name) {
    return Error(Code::kInvalidArgument, "\"" + name + "\" is not the name of a finished segment.")
        .at_file(path);
  }
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kRead));
  MORTISE_ASSIGN(const SegmentContent content, read_segment(secrets, *file, path));
  MORTISE_TRY(file->sync());  // what it says of itself is not taken on trust
  if (!files.rename(path, place).ok()) MORTISE_TRY(copy_into_place(files, *file, place));
  MORTISE_TRY(files.sync_folder(folders.write));
  segments.push_back({.path = place,
                      .is_own = true,
                      .is_open = false,
                      .has_trailer = true,
                      .size_bytes = content.size_bytes,
                      .chunks = content.entries.size(),
                      .durable_end = UINT64_MAX,
                      .touched_ns = clock.now_ns(),
                      .file = nullptr});
  add_entries(static_cast<uint32_t>(segments.size() - 1), content.entries);
  return {};
}

}  // namespace mortise::store
