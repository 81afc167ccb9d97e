// See restore.h. The order: mark, keys, a try of the root key, segments, database, the files that
// it names, mark away.
#include "hub/restore.h"

#include "hub/database_place.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::join_path;
using base::Result;
using base::Status;

constexpr const char* kMark = "restore.unfinished";

Status check_source(base::FileOps& files, const std::string& source) {
  for (const char* part : {"mortise.db", "keys/domains", "keys/kek"}) {
    MORTISE_ASSIGN(const bool is_there, files.exists(join_path(source, part)));
    if (is_there) continue;
    return Error(Code::kNotFound, std::string("This is no backup: it has no ") + part + ".",
                 "Give the folder that `mortise store backup` wrote.")
        .at_file(source);
  }
  return {};
}

// Leaves run/ and the mark.
Status empty_home(base::FileOps& files, const std::string& home) {
  MORTISE_TRY(base::make_folders(files, home));
  MORTISE_ASSIGN(const bool was_cut, files.exists(join_path(home, kMark)));
  MORTISE_ASSIGN(const auto found, files.list(home));
  for (const base::FileInfo& file : found) {
    if (file.name == "run" || file.name.starts_with(kMark)) continue;
    if (!was_cut) {
      return Error(Code::kAlreadyExists,
                   "The home to restore into is not empty: it has " + file.name + ".",
                   "Set MORTISE_HOME to a new folder.")
          .at_file(home);
    }
    MORTISE_TRY(base::remove_tree(files, join_path(home, file.name)));
  }
  return base::write_file_durably(files, join_path(home, kMark), "");
}

Status try_root_key(base::FileOps& files, base::Clock& clock, base::Random& random,
                    const std::string& keys, const RestoreOptions& options) {
  MORTISE_ASSIGN(const auto keyring, store::Keyring::open(files, random, clock, keys));
  KeyLock lock(files, random, clock, *keyring, options.key_source);
  if (options.key_source.kind == RootKeySource::Kind::kPassphrase) {
    return lock.unlock(options.passphrase, false);
  }
  return lock.open();
}

// The process of a running job belongs to the home that was backed up, which may live on beside
// this one.
Result<HomeFiles> settle_database(base::FileOps& files, base::Random& random,
                                  const std::string& home) {
  MORTISE_ASSIGN(const auto database, open_database(files, random, home, ""));
  HomeFiles named;
  MORTISE_TRY(database->write([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "UPDATE jobs SET pid = 0, start_ticks = 0, boot_id = '' WHERE state = 'running'"));
    MORTISE_ASSIGN(named, read_home_files(connection));
    return {};
  }));
  return named;
}

}  // namespace

Result<BackupFacts> restore(base::FileOps& files, base::Clock& clock, base::Random& random,
                            const std::string& home, const RestoreOptions& options) {
  const std::string keys = join_path(home, "keys"), database = join_path(home, "database");
  MORTISE_TRY(check_source(files, options.source));
  MORTISE_TRY(empty_home(files, home));
  if (!options.root_key.empty()) {
    MORTISE_TRY(store::put_root_key(files, keys, base::as_bytes(options.root_key)));
  }
  MORTISE_ASSIGN(const auto domains, store::restore_keys(files, options.source, keys));
  MORTISE_TRY(try_root_key(files, clock, random, keys, options));
  BackupFacts facts;
  MORTISE_ASSIGN(static_cast<store::BackupFacts&>(facts),
                 store::restore_segments(files, options.source, join_path(home, "store"), domains));
  MORTISE_TRY(base::make_folders(files, database));
  MORTISE_TRY(store::copy_file(files, join_path(options.source, "mortise.db"),
                               join_path(database, "mortise.db")));
  MORTISE_TRY(files.sync_folder(database));
  MORTISE_ASSIGN(const HomeFiles named, settle_database(files, random, home));
  MORTISE_TRY(copy_home_files(files, named, options.source, home, Missing::kLeaveOut, facts));
  MORTISE_TRY(files.remove(join_path(home, kMark)));
  MORTISE_TRY(files.sync_folder(home));
  return facts;
}

Status check_restored(base::FileOps& files, const std::string& home) {
  const std::string mark = join_path(home, kMark);
  MORTISE_ASSIGN(const bool is_unfinished, files.exists(mark));
  if (!is_unfinished) return {};
  return Error(Code::kFailedPrecondition, "A restore into this home was not finished.",
               "Run `mortise store restore` again: it begins anew.")
      .at_file(mark);
}

}  // namespace mortise::hub
