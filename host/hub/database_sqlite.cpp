// See database_engine.h. The one door to SQLite. One connection, since the distribution's SQLite
// corrupts with two that write and checkpoint at once; WAL and synchronous FULL: what a transaction
// answered OK survives. Network file systems are refused: their locks promise nothing.
#include <sqlite3.h>
#include <sys/stat.h>

#include <map>

#include "hub/database_engine.h"
#include "hub/tables.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr int64_t kApplicationId = 0x4d4f5254;  // "MORT"
constexpr int kBusyWaitMs = 5000;

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_CONSTRAINT:
      return sqlite_code == SQLITE_CONSTRAINT_UNIQUE || sqlite_code == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? Code::kAlreadyExists
                 : Code::kFailedPrecondition;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return Code::kResourceExhausted;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Code::kPermissionDenied;
    default:
      return Code::kInternal;
  }
}

class StatementRow final : public Row {
 public:
  explicit StatementRow(sqlite3_stmt* statement) : statement_(statement) {}
  bool is_null(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  double real(int column) const override { return sqlite3_column_double(statement_, column); }
  std::string text(int column) const override {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
    return data == nullptr ? std::string() : std::string(data, size);
  }

 private:
  sqlite3_stmt* statement_;
};

class Sqlite final : public Engine {
 public:
  ~Sqlite() override {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close(handle_);
  }

  Status open(const std::string& path) {
    path_ = path;
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
    if (code != SQLITE_OK) return failed(code, "open");
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, kBusyWaitMs);
    return {};
  }

  Result<int64_t> run(std::string_view sql, const Values& values,
                      const std::function<void(const Row&)>& each) override {
    MORTISE_ASSIGN(sqlite3_stmt * statement, prepare(std::string(sql)));
    for (size_t i = 0; i < values.size(); ++i) bind(statement, static_cast<int>(i) + 1, values[i]);
    const bool is_read_only = sqlite3_stmt_readonly(statement) != 0;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      if (each) each(StatementRow(statement));
    }
    Status status;
    if (code != SQLITE_DONE) status = failed(code, std::string(sql));
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (!status.ok()) return std::move(status).error();
    return is_read_only ? 0 : static_cast<int64_t>(sqlite3_changes64(handle_));
  }

  Status begin(bool writes) override {
    has_conflict_ = false;
    MORTISE_TRY(run(writes ? "BEGIN IMMEDIATE" : "BEGIN", {}, {}));
    return {};
  }
  Status commit() override {
    MORTISE_TRY(run("COMMIT", {}, {}));
    return {};
  }
  void rollback() override {
    if (sqlite3_get_autocommit(handle_) == 0) (void)run("ROLLBACK", {}, {});
  }
  bool has_conflict() const override { return has_conflict_; }

  // Nobody else has the file, and this thread writes nothing between the two.
  Status snapshot(const std::string& path,
                  const std::function<Status(Connection&)>& look) override {
    MORTISE_TRY(run("VACUUM INTO ?1", {path}, {}));
    ::chmod(path.c_str(), 0600);
    MORTISE_ASSIGN(auto file, base::posix_file_ops().open(path, base::OpenMode::kAppend));
    MORTISE_TRY(file->sync());
    MORTISE_TRY(begin(false));
    Status looked = look(*this);
    rollback();
    return looked;
  }

  // Several statements, kept nowhere.
  Status script(const char* sql) {
    const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Status() : failed(code, sql);
  }

 private:
  Result<sqlite3_stmt*> prepare(const std::string& sql) {
    const auto found = statements_.find(sql);
    if (found != statements_.end()) return found->second;
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return failed(code, sql);
    statements_.emplace(sql, statement);
    return statement;
  }

  static void bind(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      sqlite3_bind_int64(statement, index, *integer);
    } else if (const auto* real = std::get_if<double>(&value)) {
      sqlite3_bind_double(statement, index, *real);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8);
    } else {
      sqlite3_bind_null(statement, index);
    }
  }

  Error failed(int code, std::string_view doing) {
    has_conflict_ = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
    const char* words = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
    return Error(code_of(code), std::string("The database refused: ") + words + ".")
        .at_file(path_)
        .with("statement", std::string(doing.substr(0, 120)));
  }

  std::string path_;
  sqlite3* handle_ = nullptr;
  bool has_conflict_ = false;
  std::map<std::string, sqlite3_stmt*> statements_;
};

Status set_up(Sqlite& sqlite, const std::string& path) {
  MORTISE_TRY(
      sqlite.script("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
                    "PRAGMA mmap_size=0; PRAGMA cache_size=-4096;"));
  std::string journal;
  MORTISE_TRY(
      sqlite.run("PRAGMA journal_mode=WAL", {}, [&](const Row& row) { journal = row.text(0); }));
  if (journal == "wal") return {};
  return Error(
             Code::kInvalidArgument,
             "The database cannot keep a write-ahead log here; its journal is \"" + journal + "\".",
             "Put MORTISE_HOME on a local disk.")
      .at_file(path);
}

Status bring_up_to_date(Sqlite& sqlite, const std::string& path) {
  int64_t application = 0, version = 0;
  MORTISE_TRY(sqlite.run("PRAGMA application_id", {},
                         [&](const Row& row) { application = row.integer(0); }));
  MORTISE_TRY(
      sqlite.run("PRAGMA user_version", {}, [&](const Row& row) { version = row.integer(0); }));
  if (application != kApplicationId && (application != 0 || version != 0)) {
    return Error(Code::kFailedPrecondition, "This is a database of another program.",
                 "Set MORTISE_HOME to a folder of its own.")
        .at_file(path);
  }
  MORTISE_TRY(check_version(version, path));
  for (auto step = static_cast<size_t>(version); step < kMigrations.size(); ++step) {
    const std::string script = "BEGIN IMMEDIATE;" + std::string(kMigrations[step]) +
                               "PRAGMA application_id=" + std::to_string(kApplicationId) +
                               ";PRAGMA user_version=" + std::to_string(step + 1) + ";COMMIT;";
    MORTISE_TRY(sqlite.script(script.c_str()));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Engine>> open_sqlite(base::FileOps& files, const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  MORTISE_ASSIGN(const bool is_network, files.is_network(folder));
  if (is_network) {
    return Error(Code::kInvalidArgument, "The database would lie on a network file system.",
                 "Put MORTISE_HOME on a local disk: what is acknowledged is not safe elsewhere.")
        .at_file(path);
  }
  auto sqlite = std::make_unique<Sqlite>();
  MORTISE_TRY(sqlite->open(path));
  ::chmod(path.c_str(), 0600);
  MORTISE_TRY(set_up(*sqlite, path));
  MORTISE_TRY(bring_up_to_date(*sqlite, path));
  return std::unique_ptr<Engine>(std::move(sqlite));
}

}  // namespace mortise::hub
