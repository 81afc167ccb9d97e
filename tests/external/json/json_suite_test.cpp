// The published cases for JSON parsers, read in place: y_ must be read, n_ must be refused, i_ may
// be either. Both readers get every case and must agree.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file_ops.h"
#include "base/json_read.h"

namespace mortise::base {
namespace {

// Cases that a reader may accept by the standard and that Mortise refuses.
struct Refused {
  const char* name;
  const char* reason;
};
constexpr Refused kRefused[] = {
    {"y_object_duplicated_key.json", "a duplicate key is an error here"},
    {"y_object_duplicated_key_and_value.json", "a duplicate key is an error here"},
};

bool is_refused_by_choice(const std::string& name) {
  for (const Refused& each : kRefused) {
    if (name == each.name) return true;
  }
  return false;
}

TEST(JsonTestSuite, IsReadAndRefusedAsItsNamesSay) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: the cases are absent";
  FileOps& files = posix_file_ops();
  const std::string folder = std::string(fixtures) + "/json/JSONTestSuite/test_parsing";
  RowReader reader;
  size_t accepted = 0, refused = 0, either = 0;

  const std::vector<FileInfo> entries = files.list(folder).value();
  for (const FileInfo& entry : entries) {
    SCOPED_TRACE(entry.name);
    const std::string text = read_file(files, join_path(folder, entry.name)).value();
    const auto slow = parse_json(text);
    const auto fast = reader.parse(text);
    ASSERT_EQ(slow.ok(), fast.ok());
    if (slow.ok()) {
      EXPECT_EQ(slow->dump(), fast->dump());
    } else {
      EXPECT_EQ(slow.error().text(), fast.error().text());
      EXPECT_FALSE(slow.error().message.empty());
    }
    if (entry.name.starts_with("i_")) {
      ++either;
    } else if (entry.name.starts_with("y_") && !is_refused_by_choice(entry.name)) {
      ++accepted;
      EXPECT_TRUE(slow.ok()) << slow.error().text();
    } else {
      ++refused;
      EXPECT_FALSE(slow.ok());
    }
  }
  EXPECT_GE(accepted, 40u);
  EXPECT_GE(refused, 90u);
  EXPECT_GE(either, 10u);
}

TEST(JsonTestSuite, GivesValuesThatAreWrittenAndReadBackTheSame) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: the cases are absent";
  FileOps& files = posix_file_ops();
  const std::string folder = std::string(fixtures) + "/json/JSONTestSuite/test_parsing";

  const std::vector<FileInfo> entries = files.list(folder).value();
  for (const FileInfo& entry : entries) {
    const auto value = parse_json(read_file(files, join_path(folder, entry.name)).value());
    if (!value.ok()) continue;
    EXPECT_EQ(parse_json(value->dump()).value(), *value) << entry.name;
    EXPECT_EQ(parse_json(value->dump(2)).value(), *value) << entry.name;
    EXPECT_EQ(parse_json(value->canonical()).value(), *value) << entry.name;
  }
}

}  // namespace
}  // namespace mortise::base
