// The database: SQLite in a file, or PostgreSQL; the statements are the same text for both
// (dialect.h says which subset that is). One connection, owned by one thread. Called by everything
// in hub; run and server never see SQL. What a transaction answered OK survives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file_ops.h"
#include "base/result.h"

namespace mortise::hub {

using Value = std::variant<std::nullptr_t, int64_t, double, std::string>;
using Values = std::vector<Value>;

// One row of an answer; valid inside the call that hands it out.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool is_null(int column) const = 0;
  virtual int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string text(int column) const = 0;
};

// Statements inside one transaction; only on the database's own thread.
class Connection {
 public:
  virtual ~Connection() = default;
  // Runs one statement with ?1, ?2, ... bound. Prepared once, then kept. Answers how many rows it
  // changed, 0 for a question. Nothing is kept of a transaction in which a statement failed.
  // Errors: ALREADY_EXISTS for a unique key, FAILED_PRECONDITION for another constraint,
  // INVALID_ARGUMENT for a text that is no UTF-8 or holds a NUL (PostgreSQL keeps none such),
  // RESOURCE_EXHAUSTED for a full disk, PERMISSION_DENIED, UNAVAILABLE for a lost connection or a
  // lock that others hold, DATA_LOSS, INTERNAL for a mistake in the statement.
  virtual base::Result<int64_t> run(std::string_view sql, const Values& values = {},
                                    const std::function<void(const Row&)>& each = {}) = 0;
};

class Database {  // [any]
 public:
  // Opens the file `where`, making it when it is absent, or connects to postgresql://..., and
  // brings the tables up to date. Errors: FAILED_PRECONDITION for tables of a newer version or of
  // another program and for a PostgreSQL database that another server uses; UNIMPLEMENTED for a
  // file on a network file system; UNAVAILABLE for a server that does not answer; INVALID_ARGUMENT
  // for an address that is none or that holds a password; PERMISSION_DENIED.
  static base::Result<std::unique_ptr<Database>> open(
      const std::string& where, base::FileOps& files = base::posix_file_ops());
  static bool is_postgres(std::string_view where);
  ~Database();

  // Runs `work` in one transaction on the owner's thread and waits. An error of `work` or of the
  // commit rolls everything back. Work that lost against another transaction is run again, a few
  // times: it sets what is outside it and never adds to it. After a failed commit whose outcome is
  // unknown the database takes no more writes (is_degraded).
  base::Status write(const std::function<base::Status(Connection&)>& work);
  // The same without a write: one state of the database, run once.
  base::Status read(const std::function<base::Status(Connection&)>& work);
  bool is_degraded() const;
  // A consistent copy of the whole database as a new SQLite file, whatever this one is. `look`
  // reads the very state that was copied. Errors: as write.
  base::Status snapshot(const std::string& path,
                        const std::function<base::Status(Connection&)>& look);

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mortise::hub
