// See backup.h.
#include "store/backup.h"

#include <set>

namespace mortise::store {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::join_path;
using base::Result;
using base::Status;

namespace {

// Whether `to` holds the same small file already.
Result<bool> is_same(base::FileOps& files, const std::string& from, const std::string& to) {
  MORTISE_ASSIGN(const bool is_there, files.exists(to));
  if (!is_there) return false;
  MORTISE_ASSIGN(const std::string a, base::read_file(files, from, 4096));
  MORTISE_ASSIGN(const std::string b, base::read_file(files, to, 4096));
  return a == b;
}

// The files of `names` that differ.
Status copy_small(base::FileOps& files, const std::string& from, const std::string& to,
                  const std::vector<std::string>& names) {
  MORTISE_TRY(base::make_folders(files, to));
  for (const std::string& name : names) {
    MORTISE_ASSIGN(const bool is_there_already,
                   is_same(files, join_path(from, name), join_path(to, name)));
    if (!is_there_already) {
      MORTISE_TRY(copy_file(files, join_path(from, name), join_path(to, name)));
    }
  }
  return files.sync_folder(to);
}

Result<std::vector<std::string>> names_in(base::FileOps& files, const std::string& folder,
                                          std::string_view ending) {
  MORTISE_ASSIGN(const bool is_there, files.exists(folder));
  if (!is_there) return std::vector<std::string>{};
  MORTISE_ASSIGN(const auto found, files.list(folder));
  std::vector<std::string> names;
  for (const base::FileInfo& file : found) {
    if (file.name.ends_with(ending)) names.push_back(file.name);
  }
  return names;
}

// KEKs before and after the keys that they wrap: a rotation may go on meanwhile.
Status copy_keys(base::FileOps& files, const std::string& from, const std::string& to,
                 const std::vector<std::string>& domain_ids) {
  std::vector<std::string> keys;
  for (const std::string& id : domain_ids) keys.push_back(id + ".key");
  MORTISE_ASSIGN(const auto scrypt, names_in(files, from, "root.scrypt"));
  MORTISE_TRY(copy_small(files, from, to, scrypt));
  for (const bool is_after : {false, true}) {
    MORTISE_ASSIGN(const auto keks, names_in(files, join_path(from, "kek"), ".key"));
    MORTISE_TRY(copy_small(files, join_path(from, "kek"), join_path(to, "kek"), keks));
    if (is_after) break;
    MORTISE_TRY(copy_small(files, join_path(from, "domains"), join_path(to, "domains"), keys));
  }
  return {};
}

// Those that are not in `seen`. True: one was compacted away after it was listed, and what it held
// lies in a segment that is not in this list.
Result<bool> copy_listed(base::FileOps& files, const std::string& from, const std::string& to,
                         std::set<std::string>& seen, BackupFacts& facts) {
  bool has_gone = false;
  MORTISE_ASSIGN(const auto found, files.list(from));
  for (const base::FileInfo& file : found) {
    if (!file.name.ends_with(".seg") || !seen.insert(file.name).second) continue;
    const std::string target = join_path(to, file.name);
    MORTISE_ASSIGN(const bool is_there, files.exists(target));
    if (is_there) {  // renamed into place when it was whole, and segments never change
      ++facts.segments_kept;
      continue;
    }
    const Status copied = copy_file(files, join_path(from, file.name), target);
    if (!copied.ok() && copied.error().code == Code::kNotFound) {
      has_gone = true;
      continue;
    }
    MORTISE_TRY(copied);
    ++facts.segments_copied;
    facts.bytes_copied += file.size_bytes;
  }
  return has_gone;
}

Status copy_segments(base::FileOps& files, const std::string& from, const std::string& to,
                     BackupFacts& facts) {
  MORTISE_TRY(base::make_folders(files, to));
  std::set<std::string> seen;
  for (bool has_gone = true; has_gone;) {
    MORTISE_ASSIGN(has_gone, copy_listed(files, from, to, seen, facts));
  }
  return files.sync_folder(to);
}

Status check_empty(base::FileOps& files, const std::string& folder) {
  MORTISE_ASSIGN(const auto names, names_in(files, folder, ""));
  if (names.empty()) return {};
  return Error(Code::kAlreadyExists, "The place to restore to is not empty.",
               "Restore into a new folder.")
      .at_file(folder);
}

}  // namespace

Status copy_file(base::FileOps& files, const std::string& from, const std::string& to) {
  MORTISE_ASSIGN(auto source, files.open(from, base::OpenMode::kRead));
  const std::string temporary = to + ".new.copying";
  MORTISE_TRY(base::remove_tree(files, temporary));
  MORTISE_ASSIGN(auto target, files.open(temporary, base::OpenMode::kCreateNew));
  Bytes piece(1u << 20);
  for (uint64_t offset = 0;;) {
    MORTISE_ASSIGN(const size_t got, source->read_at(offset, piece));
    MORTISE_TRY(target->write(ByteView(piece).first(got)));
    offset += got;
    if (got < piece.size()) break;
  }
  MORTISE_TRY(target->sync());
  MORTISE_TRY(target->close());
  return files.rename(temporary, to);
}

Result<BackupFacts> backup(base::FileOps& files, Store& store, const std::string& target,
                           const std::vector<std::string>& domain_ids) {
  std::vector<std::string> ids = domain_ids;
  if (ids.empty()) {
    MORTISE_ASSIGN(ids, store.keyring().list());
  }
  BackupFacts facts;
  MORTISE_TRY(copy_keys(files, store.keyring().folder(), join_path(target, "keys"), ids));
  for (const std::string& id : ids) {
    MORTISE_ASSIGN(const auto domain, store.domain(id));
    MORTISE_TRY(domain->finish_segment());
    MORTISE_TRY(copy_segments(files, store.folder_of(id), target + "/segments/" + id, facts));
    ++facts.domains;
  }
  return facts;
}

Result<std::vector<std::string>> restore_keys(base::FileOps& files, const std::string& source,
                                              const std::string& keys_folder) {
  MORTISE_TRY(check_empty(files, join_path(keys_folder, "domains")));
  MORTISE_TRY(check_empty(files, join_path(keys_folder, "kek")));
  MORTISE_ASSIGN(const auto keys, names_in(files, source + "/keys/domains", ".key"));
  std::vector<std::string> ids;
  for (const std::string& name : keys) ids.push_back(name.substr(0, name.size() - 4));
  MORTISE_TRY(copy_keys(files, join_path(source, "keys"), keys_folder, ids));
  return ids;
}

Result<BackupFacts> restore_segments(base::FileOps& files, const std::string& source,
                                     const std::string& root,
                                     const std::vector<std::string>& domain_ids) {
  MORTISE_TRY(check_empty(files, join_path(root, "segments")));
  BackupFacts facts;
  for (const std::string& id : domain_ids) {
    const std::string from = source + "/segments/" + id;
    MORTISE_ASSIGN(const bool is_there, files.exists(from));
    if (is_there) MORTISE_TRY(copy_segments(files, from, root + "/segments/" + id, facts));
    ++facts.domains;
  }
  return facts;
}

Result<BackupFacts> restore(base::FileOps& files, const std::string& source,
                            const std::string& root, const std::string& keys_folder) {
  MORTISE_TRY(check_empty(files, join_path(root, "segments")));
  MORTISE_ASSIGN(const auto ids, restore_keys(files, source, keys_folder));
  return restore_segments(files, source, root, ids);
}

}  // namespace mortise::store
