// One record, one line, whatever stands in it.
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::base {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class Log : public ::testing::Test {
 protected:
  void TearDown() override { start_log("info", "/dev/null"); }
  std::string text() const { return read_file(posix_file_ops(), folder_ / "log").value(); }

  tests::TempFolder folder_;
};

TEST_F(Log, WritesTimeLevelMessageAndFields) {
  start_log("info", folder_ / "log");

  log(LogLevel::kInfo, "Job started.", {{"job", "chest-v1"}, {"rows", "12"}});

  EXPECT_THAT(text(), MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+Z info Job started\\. "
                                   "job=\"chest-v1\" rows=\"12\"\n"));
}

TEST_F(Log, KeepsOneRecordOnOneLine) {
  start_log("info", folder_ / "log");

  log(LogLevel::kError, "a\nb\x1b[31m", {{"name", "x\r\ny"}});

  EXPECT_THAT(text(), EndsWith("a\\x0ab\\x1b[31m name=\"x\\x0d\\x0ay\"\n"));
}

TEST_F(Log, DoesNotLetAValuePassForAnotherField) {
  start_log("info", folder_ / "log");

  log(LogLevel::kInfo, "Upload.", {{"name", "a\" user=\"root"}});

  EXPECT_THAT(text(), EndsWith("Upload. name=\"a\\\" user=\\\"root\"\n"));
}

TEST_F(Log, LeavesOutWhatIsBelowItsLevel) {
  start_log("warning", folder_ / "log");

  log(LogLevel::kInfo, "quiet");
  log(LogLevel::kWarning, "loud");

  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kError));
  EXPECT_THAT(text(), HasSubstr("loud"));
  EXPECT_THAT(text(), Not(HasSubstr("quiet")));
}

TEST_F(Log, TakesAnUnknownLevelForInfo) {
  start_log("chatty", folder_ / "log");
  EXPECT_TRUE(log_enabled(LogLevel::kInfo));
  EXPECT_FALSE(log_enabled(LogLevel::kDebug));
}

TEST_F(Log, GoesOnWhenItsFileCannotBeOpened) {
  start_log("info", folder_ / "missing/log");
  log(LogLevel::kInfo, "still here");
  EXPECT_TRUE(log_enabled(LogLevel::kInfo));
}

TEST_F(Log, DoesNotReadBracesInTextAsAFormat) {
  start_log("info", folder_ / "log");
  log(LogLevel::kInfo, "{} {0} {nope");
  EXPECT_THAT(text(), HasSubstr("{} {0} {nope"));
}

}  // namespace
}  // namespace mortise::base
