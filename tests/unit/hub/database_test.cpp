#include "hub/database.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/temp_folder.h"
#include "tests/support/test_database.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Status;

constexpr const char* kInsert = "INSERT INTO datasets VALUES (?1, ?1, '', '{}', 'vqa', 0)";

Status insert(Connection& connection, const std::string& name) {
  MORTISE_TRY(connection.run(kInsert, {name}));
  return {};
}

// What these tests run over: a file, or a schema of the PostgreSQL server beside the program.
class Place {
 public:
  base::Result<std::unique_ptr<Database>> open() const { return Database::open(where()); }
  std::string where() const { return postgres_.empty() ? folder_ / "d.db" : postgres_; }
  // As another release would leave it.
  std::string set_version(int version) const {
    return (postgres_.empty() ? "PRAGMA user_version=" : "UPDATE mortise_tables SET version = ") +
           std::to_string(version);
  }

 private:
  tests::TempFolder folder_;
  std::string postgres_ = tests::new_test_database();
};

TEST(Database, BringsModelsFromBeforeTheirFilesWereSealedAndTheirFoldersWereKnownById) {
  const Place place;
  {
    auto database = place.open();
    ASSERT_TRUE((*database)
                    ->write([&](Connection& c) -> Status {
                      MORTISE_TRY(
                          c.run("INSERT INTO models VALUES ('1', 'm', 1, 'model', '',"
                                " 'ready', '[]', '', '', 0, '')"));
                      MORTISE_TRY(c.run("ALTER TABLE models DROP COLUMN domain"));
                      MORTISE_TRY(c.run("ALTER TABLE models ADD COLUMN folder TEXT"));
                      MORTISE_TRY(c.run(place.set_version(1)));
                      return {};
                    })
                    .ok());
  }
  auto database = place.open();
  ASSERT_TRUE(database.ok()) << database.error().text();
  std::string domain = "none";
  const Status read = (*database)->read([&](Connection& c) -> Status {
    MORTISE_TRY(c.run("SELECT domain FROM models WHERE name = 'm'", {},
                      [&](const Row& row) { domain = row.text(0); }));
    return {};
  });
  ASSERT_TRUE(read.ok()) << read.error().text();
  EXPECT_EQ(domain, "");
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
  const Place place;
  {
    auto database = place.open();
    ASSERT_TRUE(database.ok()) << database.error().text();
    ASSERT_TRUE((*database)->write([](Connection& c) { return insert(c, "a"); }).ok());
  }
  auto again = place.open();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(count(**again), 1);
}

TEST(Database, RollsBackEverythingWhenTheWorkFails) {
  const Place place;
  auto database = place.open();
  const Status status = (*database)->write([](Connection& c) -> Status {
    MORTISE_TRY(insert(c, "a"));
    MORTISE_TRY(insert(c, "b"));
    return base::Error(Code::kAborted, "No.");
  });
  EXPECT_EQ(status.error().code, Code::kAborted);
  EXPECT_EQ(count(**database), 0);
}

TEST(Database, NamesAKeyThatIsThereAlready) {
  const Place place;
  auto database = place.open();
  const Status status = (*database)->write([](Connection& c) -> Status {
    MORTISE_TRY(insert(c, "a"));
    return insert(c, "a");
  });
  EXPECT_EQ(status.error().code, Code::kAlreadyExists);
}

TEST(Database, RefusesAReferenceToNothing) {
  const Place place;
  auto database = place.open();
  const Status status = (*database)->write([](Connection& c) -> Status {
    MORTISE_TRY(
        c.run("INSERT INTO job_events (job_id, at_ns, from_state, to_state, attempt,"
              " reason) VALUES ('none', 0, '', '', 0, '')"));
    return {};
  });
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
}

TEST(Database, TakesWorkFromManyThreads) {
  const Place place;
  auto database = place.open();
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
  const Place place;
  auto database = place.open();
  const std::string name = "x'); DROP TABLE datasets; --";
  ASSERT_TRUE((*database)->write([&](Connection& c) { return insert(c, name); }).ok());
  EXPECT_EQ(count(**database), 1);
}

TEST(Database, RefusesADatabaseOfANewerVersion) {
  const Place place;
  {
    auto database = place.open();
    ASSERT_TRUE((*database)
                    ->write([&](Connection& c) -> Status {
                      MORTISE_TRY(c.run(place.set_version(999)));
                      return {};
                    })
                    .ok());
  }
  const auto again = place.open();
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kFailedPrecondition);
  EXPECT_NE(again.error().message.find("999"), std::string::npos);
}

TEST(Database, KeepsNothingAfterAFailedStatementThatTheWorkPassedOver) {
  const Place place;
  auto database = place.open();
  const Status status = (*database)->write([](Connection& c) -> Status {
    MORTISE_TRY(insert(c, "a"));
    (void)insert(c, "a");
    return {};
  });
  EXPECT_EQ(status.error().code, Code::kAlreadyExists);
  EXPECT_EQ(count(**database), 0);
}

TEST(Database, SaysHowManyRowsChanged) {
  const Place place;
  auto database = place.open();
  std::vector<int64_t> changed;
  ASSERT_TRUE((*database)
                  ->write([&](Connection& c) -> Status {
                    changed.clear();
                    for (const char* statement :
                         {"INSERT INTO domains VALUES ('a', 'A', 1), ('b', 'B', 2)",
                          "UPDATE domains SET created_ns = 3", "SELECT * FROM domains",
                          "UPDATE domains SET created_ns = 3 WHERE name = 'c'",
                          "DELETE FROM domains WHERE name = 'a'"}) {
                      MORTISE_ASSIGN(const int64_t rows, c.run(statement));
                      changed.push_back(rows);
                    }
                    return {};
                  })
                  .ok());
  EXPECT_EQ(changed, (std::vector<int64_t>{2, 2, 0, 0, 1}));
}

// Every kind of value there and back, at its ends; texts in the order of their bytes.
TEST(Database, GivesBackWhatWasBound) {
  const Place place;
  auto database = place.open();
  const std::vector<int64_t> numbers = {INT64_MIN, -1, 0, INT64_MAX};
  const std::vector<std::string> texts = {"", "B", "a", "\xc3\xa4", "\xe8\x83\xb8\xe7\x89\x87"};
  std::vector<int64_t> numbers_back;
  std::vector<std::string> texts_back;
  double real = 0;
  bool is_null = false;
  const Status status = (*database)->write([&](Connection& c) -> Status {
    for (size_t i = 0; i < 4; ++i) {
      MORTISE_TRY(c.run("INSERT INTO domains VALUES (?1, ?2, ?3)",
                        {texts[i], std::to_string(i), numbers[i]}));
    }
    MORTISE_TRY(c.run("INSERT INTO domains VALUES (?1, 'x', 5)", {texts[4]}));
    MORTISE_TRY(c.run("SELECT created_ns FROM domains WHERE id <> 'x' ORDER BY created_ns", {},
                      [&](const Row& row) { numbers_back.push_back(row.integer(0)); }));
    MORTISE_TRY(c.run("SELECT name FROM domains ORDER BY name", {},
                      [&](const Row& row) { texts_back.push_back(row.text(0)); }));
    MORTISE_TRY(c.run("SELECT ?1, ?2", {0.1, nullptr}, [&](const Row& row) {
      real = row.real(0);
      is_null = row.is_null(1);
    }));
    return {};
  });
  ASSERT_TRUE(status.ok()) << status.error().text();
  EXPECT_EQ(numbers_back, numbers);
  EXPECT_EQ(texts_back, texts);
  EXPECT_EQ(real, 0.1);
  EXPECT_TRUE(is_null);
}

TEST(Database, FindsTextsWhateverTheCaseOfAsciiLetters) {
  const Place place;
  auto database = place.open();
  int found = 0, within = 0;
  const Status status = (*database)->write([&](Connection& c) -> Status {
    MORTISE_TRY(insert(c, "Chest_1"));
    for (const char* pattern : {"%chest\\_1%", "%CHEST%", "chest%", "%chest\\%%", "%hest2%"}) {
      MORTISE_TRY(c.run("SELECT 1 FROM datasets WHERE name LIKE ?1 ESCAPE '\\'",
                        {std::string(pattern)}, [&](const Row&) { ++found; }));
    }
    MORTISE_TRY(c.run("SELECT 1 FROM datasets WHERE instr(name, ?1) > 0", {"hest"},
                      [&](const Row&) { ++within; }));
    MORTISE_TRY(c.run("SELECT 1 FROM datasets WHERE instr(name, ?1) > 0", {"HEST"},
                      [&](const Row&) { ++within; }));
    return {};
  });
  ASSERT_TRUE(status.ok()) << status.error().text();
  EXPECT_EQ(found, 3);
  EXPECT_EQ(within, 1);
}

TEST(Database, NamesAMistakeInAStatement) {
  const Place place;
  auto database = place.open();
  const Status status = (*database)->read([](Connection& c) -> Status {
    MORTISE_TRY(c.run("SELECT nothing FROM nowhere"));
    return {};
  });
  EXPECT_EQ(status.error().code, Code::kInternal);
  EXPECT_EQ(status.error().details.at(0).second, "SELECT nothing FROM nowhere");
}

}  // namespace
}  // namespace mortise::hub
