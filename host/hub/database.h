// The database: one SQLite connection, owned by one thread (the distribution's SQLite corrupts with
// two that write and checkpoint at once). The one door to SQLite. Called by everything in hub; run
// and server never see SQL. WAL, synchronous FULL: what a transaction answered OK survives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

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
  // changed. Errors: ALREADY_EXISTS for a unique key, FAILED_PRECONDITION for another constraint,
  // RESOURCE_EXHAUSTED for a full disk, DATA_LOSS, INTERNAL for a mistake in the statement.
  virtual base::Result<int64_t> run(std::string_view sql, const Values& values = {},
                                    const std::function<void(const Row&)>& each = {}) = 0;
  virtual int64_t last_id() = 0;
};

class Database {  // [any]
 public:
  // Opens or makes the file and brings its tables up to date.
  // Errors: FAILED_PRECONDITION for a database of a newer version or of another program.
  static base::Result<std::unique_ptr<Database>> open(const std::string& path);
  ~Database();

  // Runs `work` in one transaction on the owner's thread and waits. An error of `work` or of the
  // commit rolls everything back. After a failed commit whose outcome is unknown the database
  // takes no more writes (is_degraded).
  base::Status write(const std::function<base::Status(Connection&)>& work);
  base::Status read(const std::function<base::Status(Connection&)>& work);
  bool is_degraded() const;
  // A consistent copy of the whole database as a new file. Errors: as write.
  base::Status snapshot(const std::string& path);

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mortise::hub
