// What a database program does for Database: statements, the bounds of a transaction, a copy. One
// object is one connection, and only the owner's thread of Database calls it. Two programs: SQLite
// (database_sqlite.cpp) and PostgreSQL (database_postgres.cpp); nobody else includes this.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/file_ops.h"
#include "hub/database.h"

namespace mortise::hub {

class Engine : public Connection {
 public:
  // A lost connection is made again here, between transactions and nowhere else. Errors:
  // UNAVAILABLE when it cannot be.
  virtual base::Status begin(bool writes) = 0;
  // Errors: DATA_LOSS when nobody knows whether the transaction was kept; with any other code it
  // was not.
  virtual base::Status commit() = 0;
  virtual void rollback() = 0;
  // Whether the statement that failed last lost against another transaction: the same work may go
  // through when it is run again.
  virtual bool has_conflict() const = 0;
  // As Database::snapshot.
  virtual base::Status snapshot(const std::string& path,
                                const std::function<base::Status(Connection&)>& look) = 0;
};

// Both bring the tables up to date. Errors: as Database::open.
base::Result<std::unique_ptr<Engine>> open_sqlite(base::FileOps& files, const std::string& path);
base::Result<std::unique_ptr<Engine>> open_postgres(const std::string& conninfo);

// FAILED_PRECONDITION when tables of `version` (0: none yet) are newer than this program's.
base::Status check_version(int64_t version, const std::string& where);

// The rows of all tables from one database into another whose tables are empty; `sqlite` is which
// of the two is SQLite, which knows the names of tables and columns. Inside a transaction of each.
base::Status copy_rows(Connection& from, Connection& to, Connection& sqlite);
// Ids that count themselves go on after those that were copied into PostgreSQL.
base::Status continue_ids(Connection& postgres);

}  // namespace mortise::hub
