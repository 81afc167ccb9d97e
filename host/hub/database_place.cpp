// See database_place.h.
#include "hub/database_place.h"

#include "hub/database_engine.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// The order of a move: `wanted` durable -> one transaction fills the database and writes the id ->
// the file steps aside -> `wanted` becomes `settled`.
struct Paths {
  explicit Paths(const std::string& home)
      : folder(base::join_path(home, "database")),
        file(base::join_path(folder, "mortise.db")),
        moved(base::join_path(folder, "mortise.db.moved")),
        wanted(base::join_path(folder, "postgresql.new")),
        settled(base::join_path(folder, "postgresql")) {}
  std::string folder, file, moved, wanted, settled;
};

// What a small file holds; empty when it is absent.
Result<std::string> text_of(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const bool is_there, files.exists(path));
  if (!is_there) return std::string();
  return base::read_file(files, path, 200);
}

Result<std::string> home_of(Database& database) {
  std::string home;
  MORTISE_TRY(database.read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("SELECT home FROM mortise_tables", {},
                               [&](const Row& row) { home = row.text(0); }));
    return {};
  }));
  return home;
}

// Fills the empty tables, from the file when there is one, and makes them this home's.
Status settle(base::FileOps& files, const Paths& paths, const std::string& id, Database& postgres) {
  MORTISE_ASSIGN(const bool has_file, files.exists(paths.file));
  std::unique_ptr<Engine> sqlite;
  if (has_file) {
    MORTISE_ASSIGN(sqlite, open_sqlite(files, paths.file));
  }
  return postgres.write([&](Connection& connection) -> Status {
    if (sqlite != nullptr) {
      MORTISE_TRY(sqlite->begin(false));
      const Status copied = copy_rows(*sqlite, connection, *sqlite);
      sqlite->rollback();
      MORTISE_TRY(copied);
      MORTISE_TRY(continue_ids(connection));
    }
    MORTISE_TRY(connection.run("UPDATE mortise_tables SET home = ?1", {id}));
    return {};
  });
}

Status finish_move(base::FileOps& files, const Paths& paths) {
  MORTISE_ASSIGN(const bool has_file, files.exists(paths.file));
  if (has_file) MORTISE_TRY(files.rename(paths.file, paths.moved));
  MORTISE_TRY(files.rename(paths.wanted, paths.settled));
  return files.sync_folder(paths.folder);
}

Error not_of_this_home(const Paths& paths, bool is_empty) {
  return Error(Code::kFailedPrecondition,
               is_empty ? "This database is empty, and the tables of this home are in another."
                        : "This database belongs to another home.",
               is_empty ? "Correct `database` in site.json. To begin anew from a backup, put its"
                          " mortise.db beside this file, remove this file, and start again."
                        : "Correct `database` or MORTISE_HOME; an empty database is filled from"
                          " HOME/database/mortise.db.")
      .at_file(paths.settled);
}

}  // namespace

Result<std::unique_ptr<Database>> open_database(base::FileOps& files, base::Random& random,
                                                const std::string& home,
                                                const std::string& address) {
  const Paths paths(home);
  MORTISE_ASSIGN(const std::string settled, text_of(files, paths.settled));
  if (address.empty()) {
    if (settled.empty()) return Database::open(paths.file, files);
    return Error(Code::kFailedPrecondition, "The tables of this home are in PostgreSQL.",
                 "Name the database in site.json: {\"database\": \"postgresql://...\"}.")
        .at_file(paths.settled);
  }
  MORTISE_ASSIGN(auto database, Database::open(address, files));
  MORTISE_ASSIGN(const std::string owner, home_of(*database));
  if (!owner.empty() && owner == settled) return database;
  MORTISE_ASSIGN(std::string wanted, text_of(files, paths.wanted));
  if (!settled.empty() || (!owner.empty() && owner != wanted)) {
    return not_of_this_home(paths, owner.empty());
  }
  if (owner.empty()) {
    if (wanted.empty()) {
      wanted = base::random_hex(random, 16);
      MORTISE_TRY(base::write_file_durably(files, paths.wanted, wanted));
    }
    MORTISE_TRY(settle(files, paths, wanted, *database));
  }
  MORTISE_TRY(finish_move(files, paths));
  return database;
}

}  // namespace mortise::hub
