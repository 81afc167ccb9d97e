#include <gtest/gtest.h>

#include "base/file_ops.h"
#include "hub/database.h"
#include "tests/support/faulty_file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::hub {
namespace {

using base::Code;

TEST(SqliteDatabase, RefusesAFileThatIsNone) {
  const tests::TempFolder folder;
  ASSERT_TRUE(
      base::write_file_durably(base::posix_file_ops(), folder / "d.db", std::string(5000, 'x'))
          .ok());
  EXPECT_EQ(Database::open(folder / "d.db").error().code, Code::kDataLoss);
}

TEST(SqliteDatabase, RefusesANetworkFileSystem) {
  const tests::TempFolder folder;
  tests::FaultyFileOps files(base::posix_file_ops());
  files.be_network();
  const auto database = Database::open(folder / "d.db", files);
  ASSERT_FALSE(database.ok());
  EXPECT_EQ(database.error().code, Code::kInvalidArgument);
  EXPECT_EQ(database.error().file, folder / "d.db");
  EXPECT_NE(database.error().hint.find("local disk"), std::string::npos);
}

TEST(SqliteDatabase, RefusesADatabaseOfAnotherProgram) {
  const tests::TempFolder folder;
  {
    auto database = Database::open(folder / "d.db");
    ASSERT_TRUE((*database)
                    ->write([](Connection& c) -> base::Status {
                      MORTISE_TRY(c.run("PRAGMA application_id=7"));
                      return {};
                    })
                    .ok());
  }
  EXPECT_EQ(Database::open(folder / "d.db").error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace mortise::hub
