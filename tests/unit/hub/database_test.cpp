#include "hub/database.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Status;

constexpr const char* kInsert = "INSERT INTO datasets VALUES (?1, ?1, '', '{}', 'vqa', 0)";

Status insert(Connection& connection, const std::string& name) {
  MORTISE_TRY(connection.run(kInsert, {name}));
  return {};
}

int64_t count(Database& database) {
  int64_t rows = -1;
  EXPECT_TRUE(database
                  .read([&](Connection& connection) -> Status {
                    MORTISE_TRY(connection.run("SELECT count(*) FROM datasets", {},
                                               [&](const Row& row) { rows = row.integer(0); }));
                    return {};
                  })
                  .ok());
  return rows;
}

TEST(Database, KeepsWhatATransactionAcknowledged) {
  const tests::TempFolder folder;
  {
    auto database = Database::open(folder / "d.db");
    ASSERT_TRUE(database.ok()) << database.error().text();
    ASSERT_TRUE((*database)->write([](Connection& c) { return insert(c, "a"); }).ok());
  }
  auto again = Database::open(folder / "d.db");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(count(**again), 1);
}

TEST(Database, RollsBackEverythingWhenTheWorkFails) {
  const tests::TempFolder folder;
  auto database = Database::open(folder / "d.db");
  const Status status = (*database)->write([](Connection& c) -> Status {
    MORTISE_TRY(insert(c, "a"));
    MORTISE_TRY(insert(c, "b"));
    return base::Error(Code::kAborted, "No.");
  });
  EXPECT_EQ(status.error().code, Code::kAborted);
  EXPECT_EQ(count(**database), 0);
}

TEST(Database, NamesAKeyThatIsThereAlready) {
  const tests::TempFolder folder;
  auto database = Database::open(folder / "d.db");
  const Status status = (*database)->write([](Connection& c) -> Status {
    MORTISE_TRY(insert(c, "a"));
    return insert(c, "a");
  });
  EXPECT_EQ(status.error().code, Code::kAlreadyExists);
}

TEST(Database, RefusesAReferenceToNothing) {
  const tests::TempFolder folder;
  auto database = Database::open(folder / "d.db");
  const Status status = (*database)->write([](Connection& c) -> Status {
    MORTISE_TRY(
        c.run("INSERT INTO job_events (job_id, at_ns, from_state, to_state, attempt,"
              " reason) VALUES ('none', 0, '', '', 0, '')"));
    return {};
  });
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
}

TEST(Database, TakesWorkFromManyThreads) {
  const tests::TempFolder folder;
  auto database = Database::open(folder / "d.db");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const std::string name = std::to_string(t) + "-" + std::to_string(i);
        EXPECT_TRUE((*database)->write([&](Connection& c) { return insert(c, name); }).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count(**database), 40);
}

TEST(Database, BindsTextsThatLookLikeStatements) {
  const tests::TempFolder folder;
  auto database = Database::open(folder / "d.db");
  const std::string name = "x'); DROP TABLE datasets; --";
  ASSERT_TRUE((*database)->write([&](Connection& c) { return insert(c, name); }).ok());
  EXPECT_EQ(count(**database), 1);
}

TEST(Database, RefusesADatabaseOfANewerVersion) {
  const tests::TempFolder folder;
  {
    auto database = Database::open(folder / "d.db");
    ASSERT_TRUE((*database)
                    ->write([](Connection& c) -> Status {
                      MORTISE_TRY(c.run("PRAGMA user_version=999"));
                      return {};
                    })
                    .ok());
  }
  const auto again = Database::open(folder / "d.db");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kFailedPrecondition);
  EXPECT_NE(again.error().message.find("999"), std::string::npos);
}

TEST(Database, RefusesAFileThatIsNone) {
  const tests::TempFolder folder;
  ASSERT_TRUE(
      base::write_file_durably(base::posix_file_ops(), folder / "d.db", std::string(5000, 'x'))
          .ok());
  EXPECT_EQ(Database::open(folder / "d.db").error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace mortise::hub
