// What is said of PostgreSQL alone: addresses, rights, locks, broken connections, the move from and
// to a file. The server is tests/support/with_postgres; "wins" and "loses" are told by psql, the
// other client.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "hub/database_place.h"
#include "hub/dialect.h"
#include "tests/support/faulty_file_ops.h"
#include "tests/unit/hub/hub_fixture.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Status;
using tests::run_on_test_server;

class PostgresTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(where_.empty()) << "run under tests/support/with_postgres"; }

  static base::Result<int64_t> count(Database& database) {
    int64_t rows = -1;
    MORTISE_TRY(database.read([&](Connection& connection) -> Status {
      MORTISE_TRY(connection.run("SELECT count(*) FROM domains", {},
                                 [&](const Row& row) { rows = row.integer(0); }));
      return {};
    }));
    return rows;
  }
  static Status insert(Connection& connection, const std::string& name) {
    MORTISE_TRY(connection.run("INSERT INTO domains VALUES (?1, ?1, 0)", {name}));
    return {};
  }
  static Status insert(Database& database, const std::string& name) {
    return database.write([&](Connection& connection) { return insert(connection, name); });
  }
  // Ends Mortise's sessions, and waits until the server has done so.
  static void cut_sessions() {
    run_on_test_server(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name = 'mortise'");
  }
  // The same address with another role, and options in front.
  std::string as_role(const std::string& role, const std::string& options = "") const {
    std::string address = where_;
    address.replace(address.find("postgres@"), 8, role);
    return address + options;
  }
  std::string schema() const { return where_.substr(where_.rfind("%3D") + 3); }

  const std::string where_ = tests::new_test_database();
  tests::TempFolder folder_;
};

TEST_F(PostgresTest, NamesTheHostThatDoesNotAnswerAndWhatToDo) {
  for (const char* where :
       {"postgresql://me@127.0.0.1:1/mortise", "postgresql://me@/mortise?host=/nowhere&port=1"}) {
    const auto database = Database::open(where);
    ASSERT_FALSE(database.ok());
    EXPECT_EQ(database.error().code, Code::kUnavailable);
    EXPECT_NE(database.error().hint.find("Start PostgreSQL"), std::string::npos);
    const std::string host =
        std::string(where).find("127") != std::string::npos ? "127.0.0.1:1/" : "/nowhere:1/";
    EXPECT_NE(database.error().file.find(host), std::string::npos) << database.error().text();
  }
}

TEST_F(PostgresTest, RefusesAnAddressWithAPasswordAndDoesNotRepeatIt) {
  for (const char* where :
       {"postgresql://me:hush@127.0.0.1/db", "postgresql://127/db?password=hush",
        "postgresql://me:hush@[127/db", "postgresql://h/db?sslpassword=hush"}) {
    const auto database = Database::open(where);
    ASSERT_FALSE(database.ok());
    EXPECT_EQ(database.error().code, Code::kInvalidArgument) << database.error().text();
    EXPECT_EQ(database.error().field, "/database");
    EXPECT_EQ(database.error().text().find("hush"), std::string::npos) << database.error().text();
  }
  ASSERT_EQ(::setenv("PGPASSWORD", "hush", 1), 0);
  EXPECT_EQ(Database::open(where_).error().code, Code::kInvalidArgument);
  ::unsetenv("PGPASSWORD");
}

TEST_F(PostgresTest, SaysWhenTheServerRefusesTheRole) {
  run_on_test_server("CREATE ROLE locked_out LOGIN");
  const auto refused = Database::open(as_role("locked_out"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied) << refused.error().text();
  EXPECT_NE(refused.error().hint.find("pg_hba.conf"), std::string::npos);
}

TEST_F(PostgresTest, TakesAPasswordFromAFile) {
  run_on_test_server(
      "CREATE ROLE with_password LOGIN PASSWORD 'open:sesame'; GRANT ALL ON SCHEMA " + schema() +
      " TO with_password");
  const std::string file = folder_ / "passwords";
  ASSERT_TRUE(
      base::write_file_durably(base::posix_file_ops(), file, "*:*:*:with_password:open\\:sesame\n")
          .ok());
  const std::string address = as_role("with_password");
  EXPECT_EQ(Database::open(address).error().code, Code::kPermissionDenied);
  const auto database = Database::open(address + "&passfile=" + file);
  ASSERT_TRUE(database.ok()) << database.error().text();
  EXPECT_TRUE(insert(**database, "a").ok());
}

TEST_F(PostgresTest, NamesTheRightsThatItsRoleLacks) {
  run_on_test_server("CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA " + schema() + " TO reader");
  const auto refused = Database::open(as_role("reader"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  EXPECT_NE(refused.error().hint.find("OWNER"), std::string::npos) << refused.error().text();
}

TEST_F(PostgresTest, RefusesTablesOfAnotherProgramAndASchemaThatIsNone) {
  run_on_test_server("CREATE TABLE " + schema() + ".films (id int)");
  EXPECT_EQ(Database::open(where_).error().code, Code::kFailedPrecondition);
  const auto nowhere = Database::open(where_ + "_nowhere");
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().code, Code::kFailedPrecondition) << nowhere.error().text();
  EXPECT_NE(nowhere.error().message.find("search_path"), std::string::npos);
}

TEST_F(PostgresTest, IsTakenByOneServerAtATime) {
  auto first = Database::open(where_);
  ASSERT_TRUE(first.ok()) << first.error().text();
  const auto second = Database::open(where_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
  EXPECT_NE(second.error().message.find("Another mortised"), std::string::npos);
  first->reset();
  EXPECT_TRUE(Database::open(where_).ok());
}

TEST_F(PostgresTest, GoesOnAfterALostConnection) {
  auto database = Database::open(where_);
  ASSERT_TRUE(insert(**database, "a").ok());
  cut_sessions();
  EXPECT_EQ(*count(**database), 1);
  cut_sessions();
  EXPECT_TRUE(insert(**database, "b").ok());
  EXPECT_EQ(*count(**database), 2);
  EXPECT_FALSE((*database)->is_degraded());
}

TEST_F(PostgresTest, KeepsNothingOfATransactionThatLostItsConnection) {
  auto database = Database::open(where_);
  const Status status = (*database)->write([&](Connection& connection) -> Status {
    MORTISE_TRY(insert(connection, "a"));
    cut_sessions();
    return insert(connection, "b");
  });
  EXPECT_EQ(status.error().code, Code::kUnavailable) << status.error().text();
  EXPECT_FALSE((*database)->is_degraded());
  EXPECT_EQ(*count(**database), 0);
}

TEST_F(PostgresTest, TakesNoMoreWritesWhenNobodyKnowsWhetherACommitWasKept) {
  auto database = Database::open(where_);
  const Status status = (*database)->write([&](Connection& connection) -> Status {
    MORTISE_TRY(insert(connection, "a"));
    cut_sessions();
    return {};
  });
  EXPECT_EQ(status.error().code, Code::kDataLoss) << status.error().text();
  EXPECT_TRUE((*database)->is_degraded());
  EXPECT_EQ(insert(**database, "b").error().code, Code::kUnavailable);
  EXPECT_TRUE(count(**database).ok()) << "questions are answered all the same";
}

TEST_F(PostgresTest, DoesNotGoOnWhenAnotherServerTookItsPlace) {
  auto database = Database::open(where_);
  run_on_test_server("CREATE TABLE IF NOT EXISTS held (x int)");
  ASSERT_TRUE(insert(**database, "a").ok());
  cut_sessions();
  auto other = Database::open(where_);
  ASSERT_TRUE(other.ok()) << other.error().text();
  const Status status = insert(**database, "b");
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition) << status.error().text();
  other->reset();
  EXPECT_TRUE(insert(**database, "b").ok());
}

TEST_F(PostgresTest, RunsWorkAgainThatLostAgainstAnotherTransaction) {
  auto database = Database::open(where_);
  ASSERT_TRUE(insert(**database, "a").ok());
  int tries = 0, loses = 2;
  const auto work = [&](Connection& connection) -> Status {
    // The first question fixes what this transaction sees; then the other client wins.
    MORTISE_TRY(connection.run("SELECT created_ns FROM domains WHERE name = 'a'"));
    if (++tries <= loses) {
      run_on_test_server("UPDATE " + schema() + ".domains SET created_ns = created_ns + 1");
    }
    MORTISE_TRY(connection.run("UPDATE domains SET created_ns = created_ns + 100"));
    return {};
  };
  const Status status = (*database)->write(work);
  ASSERT_TRUE(status.ok()) << status.error().text();
  EXPECT_EQ(tries, 3);
  int64_t value = 0;
  ASSERT_TRUE((*database)
                  ->read([&](Connection& connection) -> Status {
                    MORTISE_TRY(connection.run("SELECT created_ns FROM domains", {},
                                               [&](const Row& row) { value = row.integer(0); }));
                    return {};
                  })
                  .ok());
  EXPECT_EQ(value, 102);

  tries = 0, loses = 1000;
  EXPECT_EQ((*database)->write(work).error().code, Code::kUnavailable);
  EXPECT_EQ(tries, 5);
  EXPECT_FALSE((*database)->is_degraded());
}

TEST_F(PostgresTest, RefusesTextsThatItCannotKeepWhole) {
  auto database = Database::open(where_);
  for (const std::string& name : {std::string("a\0b", 3), std::string("\xff")}) {
    EXPECT_EQ(insert(**database, name).error().code, Code::kInvalidArgument);
  }
  EXPECT_EQ(*count(**database), 0);
}

TEST_F(PostgresTest, WritesNothingInARead) {
  auto database = Database::open(where_);
  const Status status =
      (*database)->read([](Connection& connection) { return insert(connection, "a"); });
  EXPECT_EQ(status.error().code, Code::kPermissionDenied);
}

// A home with its tables in a file, then in PostgreSQL, then in a file again.
class MoveTest : public HubFixture {
 protected:
  void SetUp() override {
    open_with("");
    ASSERT_TRUE(add(version_of("chest", {R"({"n":1})"})).ok());
    const auto job = hub_->jobs().submit({train("a"), "", "", ""});
    ASSERT_TRUE(hub_->jobs().start(job->id).ok());
    job_ = job->id;
  }
  void open_with(const std::string& database) {
    const Status status = try_open(database);
    ASSERT_TRUE(status.ok()) << status.error().text();
  }
  Status try_open(const std::string& database, base::FileOps& files = base::posix_file_ops()) {
    hub_.reset();
    auto opened =
        Hub::open(files, base::system_clock(), base::system_random(), folder_ / "home", database);
    if (!opened.ok()) return opened.error();
    hub_ = std::move(*opened);
    return {};
  }
  std::string file(const std::string& name) { return folder_ / ("home/database/" + name); }
  static bool is_there(const std::string& path) {
    return base::posix_file_ops().exists(path).value();
  }
  std::string job_;
};

TEST_F(MoveTest, TakesEverythingAlongAndCountsOn) {
  open_with(database_);

  const auto version = hub_->datasets().resolve("chest@1");
  ASSERT_TRUE(version.ok()) << version.error().text();
  EXPECT_EQ(hub_->datasets().rows(*version)->row(0).value(), R"({"n":1})");
  const auto before = hub_->jobs().events(job_);
  ASSERT_EQ(before->size(), 2u);
  ASSERT_TRUE(hub_->jobs().requeue(hub_->jobs().get(job_).value(), "again").ok());
  EXPECT_EQ(hub_->jobs().events(job_, (*before)[1].id)->size(), 1u);
  EXPECT_FALSE(is_there(file("mortise.db")));
  EXPECT_TRUE(is_there(file("mortise.db.moved")));
  open_with(database_);
  EXPECT_TRUE(hub_->datasets().resolve("chest@1").ok());
}

TEST_F(MoveTest, IsFinishedWhenItWasCutAtAnyCall) {
  hub_.reset();
  const std::string kept = folder_ / "kept.db";
  ASSERT_TRUE(base::posix_file_ops().link(file("mortise.db"), kept).ok());
  for (int n = 1;; ++n) {
    const std::string database = tests::new_test_database();
    for (const char* name : {"mortise.db", "mortise.db.moved", "postgresql", "postgresql.new"}) {
      (void)base::posix_file_ops().remove(file(name));
    }
    ASSERT_TRUE(base::posix_file_ops().link(kept, file("mortise.db")).ok());
    tests::FaultyFileOps files(base::posix_file_ops());
    files.lose_power_at(n);
    const Status first = try_open(database, files);
    const Status again = try_open(database);
    ASSERT_TRUE(again.ok()) << "cut at call " << n << ": " << again.error().text();
    EXPECT_TRUE(hub_->datasets().resolve("chest@1").ok()) << "cut at call " << n;
    EXPECT_TRUE(is_there(file("postgresql"))) << "cut at call " << n;
    hub_.reset();
    if (!files.was_hit()) break;
    if (n > 40) n += 6;  // past the move there is only the store's own opening
  }
}

TEST_F(MoveTest, NeverLetsAHomeMeetAnEmptyOrForeignDatabase) {
  open_with(database_);
  const std::string empty = tests::new_test_database();

  const Status from_file = try_open("");
  EXPECT_EQ(from_file.error().code, Code::kFailedPrecondition);
  EXPECT_NE(from_file.error().message.find("in PostgreSQL"), std::string::npos);
  const Status from_empty = try_open(empty);
  EXPECT_EQ(from_empty.error().code, Code::kFailedPrecondition);
  EXPECT_NE(from_empty.error().message.find("empty"), std::string::npos);
  const auto other = Hub::open(base::posix_file_ops(), base::system_clock(), base::system_random(),
                               folder_ / "other", database_);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("another home"), std::string::npos);

  open_with(database_);
  EXPECT_TRUE(hub_->datasets().resolve("chest@1").ok());
}

TEST(Dialect, ChangesWordsAndLeavesTextsAlone) {
  EXPECT_EQ(statement_for_postgres("SELECT 'LIKE ?1''instr' FROM t WHERE a LIKE ?12 ESCAPE '\\'"),
            "SELECT 'LIKE ?1''instr' FROM t WHERE a ILIKE $12 ESCAPE '\\'");
  EXPECT_EQ(statement_for_postgres("SELECT instr(a, ?1), \"LIKE\", my_instr, LIKELY"),
            "SELECT strpos(a, $1), \"LIKE\", my_instr, LIKELY");
  EXPECT_EQ(statement_for_postgres("SELECT 'not closed"), "SELECT 'not closed");
  EXPECT_EQ(tables_for_postgres("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, x REAL,"
                                " s TEXT CHECK (s IN ('TEXT'))) STRICT, WITHOUT ROWID;"),
            "CREATE TABLE t (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n BIGINT,"
            " x DOUBLE PRECISION, s TEXT COLLATE \"C\" CHECK (s IN ('TEXT'))) ;");
}

}  // namespace
}  // namespace mortise::hub
