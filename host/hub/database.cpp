// See database.h.
#include "hub/database.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/file_ops.h"
#include "hub/tables.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr int64_t kApplicationId = 0x4d4f5254;  // "MORT"

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

class SqliteConnection final : public Connection {
 public:
  ~SqliteConnection() override {
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
    sqlite3_busy_timeout(handle_, 5000);
    return {};
  }

  Result<int64_t> run(std::string_view sql, const Values& values,
                      const std::function<void(const Row&)>& each) override {
    MORTISE_ASSIGN(sqlite3_stmt * statement, prepare(std::string(sql)));
    for (size_t i = 0; i < values.size(); ++i) bind(statement, static_cast<int>(i) + 1, values[i]);
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      if (each) each(StatementRow(statement));
    }
    Status status;
    if (code != SQLITE_DONE) status = failed(code, std::string(sql));
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (!status.ok()) return std::move(status).error();
    return static_cast<int64_t>(sqlite3_changes64(handle_));
  }

  int64_t last_id() override { return sqlite3_last_insert_rowid(handle_); }

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

  Error failed(int code, std::string_view doing) const {
    const char* words = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
    return Error(code_of(code), std::string("The database refused: ") + words + ".")
        .at_file(path_)
        .with("statement", std::string(doing.substr(0, 120)));
  }

  std::string path_;
  sqlite3* handle_ = nullptr;
  std::map<std::string, sqlite3_stmt*> statements_;
};

Status prepare_database(SqliteConnection& connection, const std::string& path) {
  MORTISE_TRY(
      connection.script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                        "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0; PRAGMA cache_size=-4096;"));
  int64_t application = 0, version = 0;
  MORTISE_TRY(connection.run("PRAGMA application_id", {},
                             [&](const Row& row) { application = row.integer(0); }));
  MORTISE_TRY(
      connection.run("PRAGMA user_version", {}, [&](const Row& row) { version = row.integer(0); }));
  if (application != kApplicationId && (application != 0 || version != 0)) {
    return Error(Code::kFailedPrecondition, "This is a database of another program.",
                 "Set MORTISE_HOME to a folder of its own.")
        .at_file(path);
  }
  const auto newest = static_cast<int64_t>(kMigrations.size());
  if (version > newest) {
    return Error(Code::kFailedPrecondition,
                 "This database has version " + std::to_string(version) +
                     ", this program knows versions up to " + std::to_string(newest) + ".",
                 "Install the release that wrote it, or a newer one.")
        .at_file(path);
  }
  for (int64_t step = version; step < newest; ++step) {
    const std::string script = "BEGIN IMMEDIATE;" +
                               std::string(kMigrations[static_cast<size_t>(step)]) +
                               "PRAGMA application_id=" + std::to_string(kApplicationId) +
                               ";PRAGMA user_version=" + std::to_string(step + 1) + ";COMMIT;";
    MORTISE_TRY(connection.script(script.c_str()));
  }
  return {};
}

}  // namespace

struct Database::State {
  struct Work {
    const std::function<Status(Connection&)>* body;
    bool writes;
    bool is_bare;  // outside any transaction
    Status result;
    bool finished = false;
  };

  SqliteConnection connection;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work*> queue;
  bool stopping = false;
  std::atomic<bool> degraded{false};
  std::thread owner;

  Status transaction(const Work& work) {
    if (work.is_bare) return (*work.body)(connection);
    if (work.writes && degraded) {
      return Error(Code::kUnavailable, "The database takes no writes after a failed commit.",
                   "Look at the disk, then start mortised again.");
    }
    MORTISE_TRY(connection.run(work.writes ? "BEGIN IMMEDIATE" : "BEGIN", {}, {}));
    Status status = (*work.body)(connection);
    if (status.ok()) {
      auto committed = connection.run("COMMIT", {}, {});
      if (committed.ok()) return {};
      status = std::move(committed).error();
      // A failed sync may have dropped pages: nothing that follows could be trusted.
      if (work.writes && status.error().code == Code::kDataLoss) degraded = true;
    }
    (void)connection.run("ROLLBACK", {}, {});
    return status;
  }

  void work_off() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      Work* work = queue.front();
      queue.pop_front();
      lock.unlock();
      Status result = transaction(*work);
      lock.lock();
      work->result = std::move(result);
      work->finished = true;
      changed.notify_all();
    }
  }

  Status perform(const std::function<Status(Connection&)>& body, bool writes,
                 bool is_bare = false) {
    Work work{&body, writes, is_bare, {}};
    std::unique_lock lock(mutex);
    queue.push_back(&work);
    changed.notify_all();
    changed.wait(lock, [&work] { return work.finished; });
    return std::move(work.result);
  }
};

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  auto state = std::make_unique<State>();
  MORTISE_TRY(state->connection.open(path));
  ::chmod(path.c_str(), 0600);
  MORTISE_TRY(prepare_database(state->connection, path));
  State* running = state.get();
  state->owner = std::thread([running] { running->work_off(); });
  return std::unique_ptr<Database>(new Database(std::move(state)));
}

Database::~Database() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->owner.join();
}

Status Database::write(const std::function<Status(Connection&)>& work) {
  return state_->perform(work, true);
}

Status Database::read(const std::function<Status(Connection&)>& work) {
  return state_->perform(work, false);
}

Status Database::snapshot(const std::string& path) {
  const auto copy = [&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("VACUUM INTO ?1", {path}));
    return {};
  };
  MORTISE_TRY(state_->perform(copy, false, true));
  ::chmod(path.c_str(), 0600);
  MORTISE_ASSIGN(auto file, base::posix_file_ops().open(path, base::OpenMode::kAppend));
  return file->sync();
}

bool Database::is_degraded() const {
  return state_->degraded;
}

}  // namespace mortise::hub
