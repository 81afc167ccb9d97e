// See database_engine.h. The one door to libpq. One session, which holds an advisory lock as long
// as it lives: a second server is refused. Writes are serialisable, questions see one state. A lost
// session is made again at the next transaction. Passwords come from a password file alone, TCP is
// encrypted and the server's name checked unless the address says otherwise.
#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <map>

#include "hub/database_engine.h"
#include "hub/dialect.h"
#include "hub/tables.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr Oid kInt8Oid = 20, kTextOid = 25, kFloat8Oid = 701, kUnknownOid = 0;
constexpr int64_t kLockSpace = INT64_C(0x4d4f5254) << 32;  // "MORT", then the schema's number
constexpr const char* kMakeOwner =
    "Make the role the owner of the database: ALTER DATABASE ... OWNER TO ...";

using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

// SQLSTATE by its beginning; the first that fits. Else INTERNAL.
constexpr std::pair<std::string_view, Code> kCodes[] = {
    {"23505", Code::kAlreadyExists},
    {"23", Code::kFailedPrecondition},  // another constraint
    {"22", Code::kInvalidArgument},     // a text that is no UTF-8, a number out of range
    {"42501", Code::kPermissionDenied},
    {"25006", Code::kPermissionDenied},  // read-only
    {"28", Code::kPermissionDenied},
    {"53", Code::kResourceExhausted},
    {"40", Code::kUnavailable},     // lost against another transaction
    {"55P03", Code::kUnavailable},  // a lock that others hold
    {"08", Code::kUnavailable},
    {"57", Code::kUnavailable},
    {"58", Code::kDataLoss},
    {"XX001", Code::kDataLoss},
    {"XX002", Code::kDataLoss},
};

Code code_of(std::string_view sqlstate) {
  if (sqlstate.empty()) return Code::kUnavailable;  // libpq's own: the connection
  for (const auto& [begin, code] : kCodes) {
    if (sqlstate.starts_with(begin)) return code;
  }
  return Code::kInternal;
}

// The first line of libpq's words, as part of a sentence.
std::string one_line(std::string_view words) {
  std::string line(words.substr(0, words.find('\n')));
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

class AnswerRow final : public Row {
 public:
  AnswerRow(const PGresult* answer, int row) : answer_(answer), row_(row) {}
  bool is_null(int column) const override { return PQgetisnull(answer_, row_, column) != 0; }
  int64_t integer(int column) const override {
    const std::string value = text(column);
    if (value == "t") return 1;
    int64_t number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }
  double real(int column) const override {
    const std::string value = text(column);
    double number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }
  std::string text(int column) const override {
    return {PQgetvalue(answer_, row_, column),
            static_cast<size_t>(PQgetlength(answer_, row_, column))};
  }

 private:
  const PGresult* answer_;
  int row_;
};

// Values as libpq takes them: numbers as text, texts as they are, with their length.
struct Parameters {
  explicit Parameters(const Values& values) : texts(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) {
      const Value& value = values[i];
      const bool is_null = std::holds_alternative<std::nullptr_t>(value);
      const bool is_text = std::holds_alternative<std::string>(value);
      types.push_back(is_null                                  ? kUnknownOid
                      : is_text                                ? kTextOid
                      : std::holds_alternative<int64_t>(value) ? kInt8Oid
                                                               : kFloat8Oid);
      texts[i] = text_of(value);
      pointers.push_back(is_null ? nullptr : texts[i].data());
      lengths.push_back(static_cast<int>(texts[i].size()));
      formats.push_back(is_text ? 1 : 0);
    }
  }

  static std::string text_of(const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    char digits[32] = {};
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      std::to_chars(digits, digits + sizeof digits - 1, *integer);
    } else if (const auto* real = std::get_if<double>(&value)) {
      std::to_chars(digits, digits + sizeof digits - 1, *real);
    }
    return digits;
  }

  std::vector<std::string> texts;
  std::vector<Oid> types;
  std::vector<const char*> pointers;
  std::vector<int> lengths, formats;
};

class Postgres final : public Engine {
 public:
  explicit Postgres(std::string conninfo) : conninfo_(std::move(conninfo)) {}
  ~Postgres() override { PQfinish(session_); }

  // A new session, ready for transactions; the old one is gone.
  Status connect();
  Status bring_up_to_date();

  Result<int64_t> run(std::string_view sql, const Values& values,
                      const std::function<void(const Row&)>& each) override {
    const Parameters parameters(values);
    MORTISE_ASSIGN(const std::string name, prepare(sql, parameters.types));
    const Answer answer(PQexecPrepared(session_, name.c_str(), static_cast<int>(values.size()),
                                       parameters.pointers.data(), parameters.lengths.data(),
                                       parameters.formats.data(), 0),
                        PQclear);
    return take(answer.get(), sql, each);
  }

  Status begin(bool writes) override {
    has_conflict_ = false;
    writes_ = writes;
    const char* begin = writes ? "BEGIN ISOLATION LEVEL SERIALIZABLE"
                               : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    if (is_connected()) {
      Status status = command(begin);
      if (status.ok() || is_connected()) return status;
    }
    MORTISE_TRY(connect());
    return command(begin);
  }

  Status commit() override {
    const Answer answer(PQexec(session_, "COMMIT"), PQclear);
    if (!is_connected() && writes_) {
      return Error(Code::kDataLoss,
                   "The connection broke during a commit; nobody knows whether it was kept.")
          .at_file(place_);
    }
    MORTISE_TRY(take(answer.get(), "COMMIT", {}));
    if (std::string_view(PQcmdStatus(answer.get())) == "COMMIT") return {};
    return Error(Code::kInternal, "The database rolled the transaction back.").at_file(place_);
  }

  void rollback() override {
    if (is_connected() && PQtransactionStatus(session_) != PQTRANS_IDLE) (void)command("ROLLBACK");
  }

  bool has_conflict() const override { return has_conflict_; }

  Status snapshot(const std::string& path,
                  const std::function<Status(Connection&)>& look) override {
    MORTISE_TRY(begin(false));
    Status status = copy_into(path);
    if (status.ok()) status = look(*this);
    rollback();
    return status;
  }

 private:
  bool is_connected() const { return PQstatus(session_) == CONNECTION_OK; }

  // Statements without parameters, kept nowhere; several are one transaction.
  Status command(const std::string& sql) {
    const Answer answer(PQexec(session_, sql.c_str()), PQclear);
    MORTISE_TRY(take(answer.get(), sql, {}));
    return {};
  }

  Result<int64_t> take(const PGresult* answer, std::string_view sql,
                       const std::function<void(const Row&)>& each) {
    const ExecStatusType status = PQresultStatus(answer);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return failed(answer, sql);
    for (int row = 0; each && row < PQntuples(answer); ++row) each(AnswerRow(answer, row));
    auto* const counted = const_cast<PGresult*>(answer);  // libpq's own declaration lacks a const
    const std::string_view tag = PQcmdStatus(counted);
    return tag.starts_with("SELECT") ? 0 : std::atoll(PQcmdTuples(counted));
  }

  // One prepared statement for each text and kinds of values: NULL has the column's own type.
  Result<std::string> prepare(std::string_view sql, const std::vector<Oid>& types) {
    std::string key(sql);
    for (const Oid type : types) key += ' ' + std::to_string(type);
    const auto found = statements_.find(key);
    if (found != statements_.end()) return found->second;
    const std::string name = "s" + std::to_string(statements_.size());
    const Answer answer(PQprepare(session_, name.c_str(), statement_for_postgres(sql).c_str(),
                                  static_cast<int>(types.size()), types.data()),
                        PQclear);
    MORTISE_TRY(take(answer.get(), sql, {}));
    statements_.emplace(std::move(key), name);
    return name;
  }

  Status set_up_session();
  Status take_lock();
  Status copy_into(const std::string& path);
  Error not_connected() const;

  // Without the server's details, which repeat what is stored.
  Error failed(const PGresult* answer, std::string_view doing) {
    const char* sqlstate = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    const char* primary = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
    const std::string_view state = sqlstate == nullptr ? "" : sqlstate;
    has_conflict_ = state == "40001" || state == "40P01";
    const Code code = code_of(state);
    Error error(code, "The database refused: " +
                          one_line(primary == nullptr ? PQerrorMessage(session_) : primary) + ".");
    if (code == Code::kPermissionDenied) error.hint = kMakeOwner;
    return error.at_file(place_).with("statement", std::string(doing.substr(0, 120)));
  }

  std::string conninfo_;
  std::string place_;  // for messages
  PGconn* session_ = nullptr;
  bool has_conflict_ = false;
  bool writes_ = false;
  std::map<std::string, std::string> statements_;
};

// What stands before `dbname` is what the address may say otherwise.
constexpr const char* kKeywords[] = {
    "fallback_application_name", "sslmode", "connect_timeout", "keepalives_idle",
    "tcp_user_timeout",          "dbname",  "client_encoding", nullptr};

std::array<const char*, std::size(kKeywords)> session_values(const std::string& conninfo) {
  return {"mortise", "verify-full", "10", "30", "30000", conninfo.c_str(), "UTF8", nullptr};
}

Error Postgres::not_connected() const {
  const std::string words = one_line(PQerrorMessage(session_));
  Error error(Code::kUnavailable, "There is no connection to the database: " + words + ".",
              "Start PostgreSQL there, or correct `database` in site.json.");
  // The server answers others, so what it refuses is us.
  if (PQpingParams(kKeywords, session_values(conninfo_).data(), 1) == PQPING_OK) {
    error.code = Code::kPermissionDenied;
    error.hint =
        "Look at role, database and pg_hba.conf; a password stands in the file that `passfile` or"
        " PGPASSFILE names.";
  }
  return error.at_file(place_);
}

Status Postgres::connect() {
  PQfinish(session_);
  statements_.clear();
  session_ = PQconnectdbParams(kKeywords, session_values(conninfo_).data(), 1);
  const auto part = [](const char* text) { return std::string(text == nullptr ? "" : text); };
  place_ = "postgresql://" + part(PQhost(session_)) + ":" + part(PQport(session_)) + "/" +
           part(PQdb(session_));
  if (!is_connected()) return not_connected();
  PQsetNoticeProcessor(
      session_, [](void*, const char*) {}, nullptr);
  Status status = set_up_session();
  if (status.ok()) status = take_lock();
  if (status.ok()) return {};
  PQfinish(session_);  // a session without the lock is none
  session_ = nullptr;
  return status;
}

Status Postgres::set_up_session() {
  if (std::string_view(PQparameterStatus(session_, "server_encoding")) != "UTF8") {
    return Error(Code::kFailedPrecondition, "The database does not keep its texts as UTF-8.",
                 "Make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.")
        .at_file(place_);
  }
  MORTISE_TRY(command("SET standard_conforming_strings = on"));
  std::string fsync, full_pages, commits;
  const Answer answer(PQexec(session_,
                             "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
                             " current_setting('synchronous_commit')"),
                      PQclear);
  MORTISE_TRY(take(answer.get(), "current_setting", [&](const Row& row) {
    fsync = row.text(0);
    full_pages = row.text(1);
    commits = row.text(2);
  }));
  if (fsync != "on" || full_pages != "on") {
    return Error(Code::kFailedPrecondition,
                 "This PostgreSQL runs with fsync or full_page_writes off: a power cut would lose"
                 " what was acknowledged.",
                 "Turn both on in postgresql.conf.")
        .at_file(place_);
  }
  return commits == "off" ? command("SET synchronous_commit = on") : Status();
}

// Waits a moment: the server may not have noticed yet that the last holder died.
Status Postgres::take_lock() {
  MORTISE_TRY(command("SET lock_timeout = '1s'"));
  const std::string lock = "SELECT pg_advisory_lock(" + std::to_string(kLockSpace) +
                           " + oid::bigint) FROM pg_namespace WHERE nspname = current_schema()";
  const Answer answer(PQexec(session_, lock.c_str()), PQclear);
  const auto taken = take(answer.get(), "pg_advisory_lock", {});
  const char* sqlstate = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
  if (sqlstate != nullptr && std::string_view(sqlstate) == "55P03") {
    return Error(Code::kFailedPrecondition, "Another mortised uses this database.",
                 "Stop it, or give this one a database or a schema of its own.")
        .at_file(place_);
  }
  if (!taken.ok()) return taken.error();
  if (PQntuples(answer.get()) == 0) {
    return Error(Code::kFailedPrecondition, "The search_path names no schema that exists.",
                 "CREATE SCHEMA it, or correct `options` in the address.")
        .at_file(place_);
  }
  return command("SET lock_timeout = '5s'");
}

Status Postgres::bring_up_to_date() {
  int64_t tables = 0, version = 0;
  bool is_ours = false;
  MORTISE_TRY(
      run("SELECT count(*), count(*) FILTER (WHERE c.relname = 'mortise_tables')"
          " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
          " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT EXISTS"
          " (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')",
          {}, [&](const Row& row) {
            tables = row.integer(0);
            is_ours = row.integer(1) == 1;
          }));
  if (tables > 0 && !is_ours) {
    return Error(Code::kFailedPrecondition, "This is a database of another program.",
                 "Give Mortise a database of its own, or a schema: ?options=-csearch_path%3DNAME.")
        .at_file(place_);
  }
  if (is_ours) {
    MORTISE_TRY(run("SELECT version FROM mortise_tables", {},
                    [&](const Row& row) { version = row.integer(0); }));
  }
  MORTISE_TRY(check_version(version, place_));
  for (auto step = static_cast<size_t>(version); step < kMigrations.size(); ++step) {
    std::string script;
    if (step == 0) {
      script =
          "CREATE TABLE mortise_tables (version BIGINT NOT NULL, home TEXT NOT NULL);"
          "INSERT INTO mortise_tables VALUES (0, '');";
    }
    script += tables_for_postgres(kMigrations[step]);
    script += "UPDATE mortise_tables SET version = " + std::to_string(step + 1) + ";";
    MORTISE_TRY(command(script));
  }
  return {};
}

Status Postgres::copy_into(const std::string& path) {
  base::FileOps& files = base::posix_file_ops();
  MORTISE_ASSIGN(const bool is_there, files.exists(path));
  if (is_there) return Error(Code::kAlreadyExists, "The copy would replace a file.").at_file(path);
  {
    MORTISE_ASSIGN(auto sqlite, open_sqlite(files, path));
    MORTISE_TRY(sqlite->begin(true));
    MORTISE_TRY(copy_rows(*this, *sqlite, *sqlite));
    MORTISE_TRY(sqlite->commit());
  }
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kAppend));
  return file->sync();
}

// Refuses a password in the address, which process lists, logs and backups would show.
Status check_address(const std::string& conninfo) {
  char* words = nullptr;  // they repeat the address
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(conninfo.c_str(), &words), PQconninfoFree);
  PQfreemem(words);
  if (options == nullptr) {
    return Error(Code::kInvalidArgument, "The address of the database is none.",
                 "Write postgresql://ROLE@HOST:PORT/DATABASE?KEY=VALUE with %-escapes.")
        .at_field("/database");
  }
  bool has_password = std::getenv("PGPASSWORD") != nullptr;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    has_password |= (keyword == "password" || keyword == "sslpassword") && option->val != nullptr;
  }
  if (!has_password) return {};
  return Error(Code::kInvalidArgument,
               "A password for the database stands in its address or in PGPASSWORD.",
               "Put it into a file with mode 0600 that `passfile` or PGPASSFILE names, a line"
               " HOST:PORT:DATABASE:ROLE:PASSWORD.")
      .at_field("/database");
}

}  // namespace

Status continue_ids(Connection& postgres) {
  std::vector<std::pair<std::string, std::string>> columns;
  MORTISE_TRY(
      postgres.run("SELECT table_name, column_name FROM information_schema.columns"
                   " WHERE table_schema = current_schema() AND is_identity = 'YES'",
                   {}, [&](const Row& row) { columns.emplace_back(row.text(0), row.text(1)); }));
  for (const auto& [table, column] : columns) {
    MORTISE_TRY(
        postgres.run("SELECT setval(pg_get_serial_sequence(?1, ?2), (SELECT"
                     " coalesce(max(" +
                         column + "), 0) + 1 FROM " + table + "), false)",
                     {table, column}));
  }
  return {};
}

Result<std::unique_ptr<Engine>> open_postgres(const std::string& conninfo) {
  MORTISE_TRY(check_address(conninfo));
  auto postgres = std::make_unique<Postgres>(conninfo);
  MORTISE_TRY(postgres->connect());
  MORTISE_TRY(postgres->bring_up_to_date());
  return std::unique_ptr<Engine>(std::move(postgres));
}

}  // namespace mortise::hub
