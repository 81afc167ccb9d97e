#include "job/status.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "job/error_json.h"
#include "job/exit_code.h"
#include "tests/support/temp_folder.h"

namespace mortise::job {
namespace {

using base::posix_file_ops;

void append(const std::string& path, std::string_view text) {
  auto file = posix_file_ops().open(path, base::OpenMode::kAppend);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->write(base::as_bytes(text)).ok());
}

TEST(Status, IsReadAsItIsWritten) {
  const tests::TempFolder folder;
  auto writer = StatusWriter::open(posix_file_ops(), base::system_clock(), folder.path());
  ASSERT_TRUE(writer.ok());
  StatusReader reader(posix_file_ops(), folder.path());
  EXPECT_TRUE(reader.read()->empty());
  StatusLine line;
  line.phase = "train";
  line.step = 3;
  line.steps_total = 10;
  ASSERT_TRUE((*writer)->write(line).ok());
  StatusLine failed;
  failed.state = State::kFailed;
  failed.error = base::Error(base::Code::kDataLoss, "Broken.").at_row(4);
  ASSERT_TRUE((*writer)->write(failed).ok());
  const auto lines = reader.read();
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ((*lines)[0].phase, "train");
  EXPECT_EQ((*lines)[0].step, 3);
  EXPECT_GT((*lines)[0].at_ns, 0);
  EXPECT_EQ((*lines)[1].state, State::kFailed);
  ASSERT_TRUE((*lines)[1].error.has_value());
  EXPECT_EQ((*lines)[1].error->row, 4);
  EXPECT_EQ((*lines)[1].error->code, base::Code::kDataLoss);
  EXPECT_TRUE(reader.read()->empty());
}

TEST(Status, LeavesATornLastLineForLater) {
  const tests::TempFolder folder;
  const std::string path = folder / "status.jsonl";
  append(path, "{\"state\":\"running\",\"step\":1}\n{\"state\":\"do");
  StatusReader reader(posix_file_ops(), folder.path());
  EXPECT_EQ(reader.read()->size(), 1u);
  EXPECT_TRUE(reader.read()->empty());
  append(path, "ne\"}\n");
  const auto lines = reader.read();
  ASSERT_EQ(lines->size(), 1u);
  EXPECT_EQ((*lines)[0].state, State::kDone);
}

TEST(Status, SkipsALineThatIsNoStatus) {
  const tests::TempFolder folder;
  append(folder / "status.jsonl", "garbage\n{\"state\":\"dancing\"}\n{\"state\":\"done\"}\n");
  StatusReader reader(posix_file_ops(), folder.path());
  const auto lines = reader.read();
  ASSERT_EQ(lines->size(), 1u);
  EXPECT_EQ((*lines)[0].state, State::kDone);
}

TEST(LineFollower, RefusesALineWithoutEnd) {
  const tests::TempFolder folder;
  append(folder / "x", std::string(2u << 20, 'a'));
  LineFollower follower(posix_file_ops(), folder / "x");
  EXPECT_EQ(follower.read().error().code, base::Code::kDataLoss);
}

TEST(ErrorJson, CarriesEverythingThereAndBack) {
  base::Error error(base::Code::kFailedPrecondition, "What.", "Do this.");
  error.at_file("f.jsonl").at_row(3).at_byte(91).at_field("/x").with("k", "v");
  const base::Json problem = problem_of(error);
  EXPECT_EQ(problem["status"].as_int(), 409);
  EXPECT_EQ(error_of_problem(problem).text(), error.text());
  EXPECT_EQ(error_of_problem(problem).details, error.details);
}

TEST(ErrorJson, ReadsAProblemOfSomebodyElse) {
  const auto problem = base::parse_json(R"({"title": "Gone", "status": 404})");
  EXPECT_EQ(error_of_problem(*problem).code, base::Code::kNotFound);
  EXPECT_EQ(error_of_problem(*problem).message, "Gone");
}

TEST(ExitCode, FollowsTheContract) {
  using base::Code;
  const auto code = [](Code c) { return static_cast<int>(exit_code_of(base::Error(c, ""))); };
  EXPECT_EQ(code(Code::kNotFound), 3);
  EXPECT_EQ(code(Code::kUnauthenticated), 4);
  EXPECT_EQ(code(Code::kPermissionDenied), 4);
  EXPECT_EQ(code(Code::kUnavailable), 5);
  EXPECT_EQ(code(Code::kAlreadyExists), 6);
  EXPECT_EQ(code(Code::kUnimplemented), 7);
  EXPECT_EQ(code(Code::kInternal), 1);
}

}  // namespace
}  // namespace mortise::job
