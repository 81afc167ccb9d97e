// What of an answer reaches the terminal: tables, documents, progress. Strangers' texts (a data
// set's name, a finding) must not steer it.
#include "cli/show.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/http.h"
#include "cli/progress.h"

namespace mortise::cli {
namespace {

using base::Json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Json parsed(const std::string& text) {
  auto value = base::parse_json(text);
  EXPECT_TRUE(value.ok());
  return value.ok() ? *value : Json();
}

template <class Body>
std::string standard_output(Body body) {
  ::testing::internal::CaptureStdout();
  body();
  return ::testing::internal::GetCapturedStdout();
}

std::string table(const std::string& page, bool is_json = false) {
  Arguments arguments;
  arguments.is_json = is_json;
  return standard_output([&] { show_table(arguments, parsed(page), {"name", "rows"}); });
}

std::string document(const std::string& value, bool is_json = false) {
  Arguments arguments;
  arguments.is_json = is_json;
  return standard_output([&] { show(arguments, parsed(value)); });
}

TEST(ShowTable, AlignsColumnsByCharactersNotBytes) {
  EXPECT_EQ(table(R"({"items":[{"name":"胸片","rows":12},{"name":"chest","rows":3}]})"),
            "name   rows\n胸片     12\nchest  3\n");
}

TEST(ShowTable, ShowsWhatIsAbsentAsADash) {
  EXPECT_EQ(table(R"({"items":[{"name":"a"},{"name":"b","rows":null}]})"),
            "name  rows\na     -\nb     -\n");
}

TEST(ShowTable, HasOnlyItsHeadWhenThereIsNothing) {
  EXPECT_EQ(table(R"({"items":[]})"), "name  rows\n");
}

TEST(ShowTable, EscapesControlCharactersOfStrangers) {
  const std::string shown = table(R"({"items":[{"name":"a\u001b[2Jb\nc\u007f\u009bd","rows":1}]})");
  EXPECT_THAT(shown, HasSubstr("a\\x1b[2Jb\\x0ac\\x7f\\xc2\\x9bd"));
  EXPECT_THAT(shown, Not(HasSubstr("\033")));
  EXPECT_THAT(shown, Not(HasSubstr("\xc2\x9b")));
}

TEST(ShowTable, EscapesControlCharactersInNestedValues) {
  const std::string shown = table(R"({"items":[{"name":["\u009b2J"],"rows":1}]})");
  EXPECT_THAT(shown, Not(HasSubstr("\xc2\x9b")));
}

TEST(ShowTable, NamesTheNextPageOnStandardErrorOnly) {
  ::testing::internal::CaptureStderr();
  const std::string shown = table(R"({"items":[],"next_cursor":"c\u001b7"})");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "more: --cursor c\\x1b7\n");
  EXPECT_EQ(shown, "name  rows\n");
}

TEST(ShowTable, IsOneJsonLineWithJson) {
  const std::string shown = table(R"({"items":[{"name":"a"}],"next_cursor":null})", true);
  EXPECT_EQ(shown, "{\"items\":[{\"name\":\"a\"}],\"next_cursor\":null}\n");
}

TEST(ShowFacets, WritesOneLineALabel) {
  const Json facets = parsed(
      R"({"count":4,"task_type":{"values":[{"value":"vqa","count":4}],"has_more":false},"labels":[)"
      R"({"name":"a\u001b","kind":"text","count":3,"values":[{"value":"zh","count":2},)"
      R"({"value":"\u009b2J","count":1}],"has_more":true},)"
      R"({"name":"year","kind":"number","count":2,"min":2019,"max":2024.5}],)"
      R"("has_more_labels":true})");
  EXPECT_EQ(standard_output([&] { show_facets(facets); }),
            "\nfound: 4\ntask_type: vqa 4\na\\x1b: zh 2, \\xc2\\x9b2J 1, ...\n"
            "year: 2019 to 2024.5 in 2\nand more labels\n");
}

TEST(Show, WritesOneLineAKey) {
  EXPECT_EQ(document(R"({"name":"a","rows":3,"label":null})"), "name: a\nrows: 3\nlabel: -\n");
}

TEST(Show, IsOneJsonLineWithJson) {
  EXPECT_EQ(document(R"({"name":"a","rows":[1,2]})", true), "{\"name\":\"a\",\"rows\":[1,2]}\n");
}

TEST(Show, EscapesControlCharactersInTextAndKeys) {
  const std::string shown = document(R"({"k\u001b[0m":"v\u001b]0;x\u0007"})");
  EXPECT_THAT(shown, StartsWith("k\\x1b[0m: v\\x1b]0;x\\x07"));
  EXPECT_THAT(shown, Not(HasSubstr("\033")));
}

TEST(Show, EscapesControlCharactersInsideNestedDocuments) {
  const std::string shown = document(R"({"labels":{"a":"\u009b2J\u007f"},"list":["\u009b"]})");
  EXPECT_THAT(shown, Not(HasSubstr("\xc2\x9b")));
  EXPECT_THAT(shown, Not(HasSubstr("\x7f")));
  EXPECT_THAT(shown, HasSubstr("\n  \"a\""));  // still indented
}

TEST(Show, EscapesControlCharactersOfAnAnswerThatIsNoObject) {
  EXPECT_THAT(document(R"(["\u009b2J"])"), Not(HasSubstr("\xc2\x9b")));
}

TEST(EscapePath, LeavesReferencesReadable) {
  EXPECT_EQ(escape_path("chest-xray@3"), "chest-xray@3");
  EXPECT_EQ(escape_path("images/a_1.~x"), "images/a_1.~x");
}

TEST(EscapePath, EscapesWhatWouldEndOrSplitThePath) {
  EXPECT_EQ(escape_path("a b?c#d&e=f%20"), "a%20b%3Fc%23d%26e%3Df%2520");
  EXPECT_EQ(escape_path("x\r\nHost: evil"), "x%0D%0AHost%3A%20evil");
}

TEST(EscapePath, EscapesEachByteOfUtf8) {
  EXPECT_EQ(escape_path("胸"), "%E8%83%B8");
}

TEST(PageQuery, IsEmptyWithoutOptions) {
  EXPECT_EQ(page_query({}), "");
}

TEST(PageQuery, EscapesEachPart) {
  Arguments arguments;
  arguments.values["--limit"] = {"5"};
  arguments.values["--cursor"] = {"a&b"};
  EXPECT_EQ(page_query(arguments, "lung nodule"), "?q=lung%20nodule&limit=5&cursor=a%26b");
}

TEST(Progress, IsSilentOffATerminal) {
  ::testing::internal::CaptureStderr();  // a file, so no terminal
  {
    Progress progress;
    progress.show("upload", 1, 2);
    progress.show("upload", 2, 2);
    progress.show("check", 7, -1);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

// Standard error as a pseudo-terminal while body runs; gives what was drawn on it.
template <class Body>
std::string drawn_on_a_terminal(Body body) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_TRUE(master >= 0 && ::grantpt(master) == 0 && ::unlockpt(master) == 0);
  const int terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  EXPECT_GE(terminal, 0);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(terminal, STDERR_FILENO);
  body();
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  // A terminal hands on what was written piece by piece, and not at once.
  std::string drawn;
  pollfd ready = {master, POLLIN, 0};
  while (::poll(&ready, 1, 100) == 1) {
    char text[4096];
    const ssize_t size = ::read(master, text, sizeof text);
    if (size <= 0) break;
    drawn.append(text, static_cast<size_t>(size));
  }
  ::close(terminal);
  ::close(master);
  return drawn;
}

TEST(Progress, DrawsABarOnATerminalAndEndsItsLine) {
  const std::string drawn = drawn_on_a_terminal([] {
    Progress progress;
    progress.show("upload", 2, 2);
  });
  EXPECT_THAT(drawn, HasSubstr("upload"));
  EXPECT_THAT(drawn, HasSubstr("2/2"));
  EXPECT_THAT(drawn, ::testing::EndsWith("\n"));
}

TEST(Progress, CountsWhenTheTotalIsUnknown) {
  const std::string drawn = drawn_on_a_terminal([] {
    Progress progress;
    progress.show("check", 7, -1);
  });
  EXPECT_THAT(drawn, HasSubstr("check 7"));
  EXPECT_THAT(drawn, Not(HasSubstr("left")));
}

TEST(Progress, DrawsNothingForAnUnknownCount) {
  const std::string drawn = drawn_on_a_terminal([] {
    Progress progress;
    progress.show("load", -1, -1);
    progress.show("train", 1, 2);  // so that there is something to read
  });
  EXPECT_THAT(drawn, Not(HasSubstr("load")));
  EXPECT_THAT(drawn, HasSubstr("train"));
}

}  // namespace
}  // namespace mortise::cli
