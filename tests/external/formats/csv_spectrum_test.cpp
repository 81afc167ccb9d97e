// csv-spectrum's files, read in place: the pack gives what their JSON says.
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/json_write.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// A checkout may have turned the line ends of newlines_crlf.csv; its JSON has them as named.
std::string with_crlf(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  return out;
}

TEST(CsvSpectrum, EveryFileGivesItsRows) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: the files are absent";
  const fs::path root = fs::path(fixtures) / "csv" / "csv-spectrum";
  packs_test::FormatUnderTest pack(MORTISE_FORMAT_CSV);
  size_t files_count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "csvs")) {
    const std::string stem = entry.path().stem().string();
    SCOPED_TRACE(stem);
    const std::string text = read(entry.path());
    pack.files()["a.csv"] = stem == "newlines_crlf" ? with_crlf(text) : text;
    const sdk::JsonDocument wanted =
        sdk::JsonDocument::parse(read(root / "json" / (stem + ".json")));
    std::vector<std::string> expected;
    const auto expect = [&](sdk::Json row) { sdk::append_json(&expected.emplace_back(), row); };
    if (wanted.root().is_array()) {
      wanted.root().for_each_item(expect);
    } else {
      expect(wanted.root());  // location_coordinates.json is its one row
    }
    std::vector<std::string> rows = pack.rows_of({"a.csv"});
    if (stem == "location_coordinates") {  // the number in its JSON is not that of its CSV
      const size_t at = rows.at(0).find("2095257564");
      ASSERT_NE(at, std::string::npos);
      rows[0].replace(at, 10, "1234567890");
    }
    EXPECT_EQ(rows, expected);
    ++files_count;
  }
  EXPECT_EQ(files_count, 12u);
}

}  // namespace
}  // namespace mortise
