// The CSV pack: RFC 4180, separators, headers, shards, places of errors.
#include <random>

#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

using packs_test::FormatRow;
using packs_test::FormatUnderTest;
using Texts = std::vector<std::string>;

class FormatCsv : public testing::Test {
 protected:
  FormatUnderTest::Part read(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.csv"] = text;
    return pack_.read({"a.csv"}, config);
  }
  Texts rows(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.csv"] = text;
    return pack_.rows_of({"a.csv"}, config);
  }
  FormatUnderTest pack_{MORTISE_FORMAT_CSV};
};

TEST_F(FormatCsv, CellsAreTextsWithTheirRowsByte) {
  const auto part = read(
      "\xEF\xBB\xBF"
      "a,b\r\n1,\"x, \"\"y\"\"\"\r\n,\n");

  EXPECT_EQ(part.rows, (std::vector<FormatRow>{{R"({"a":"1","b":"x, \"y\""})", 8},
                                               {R"({"a":"","b":""})", 22}}));
}

TEST_F(FormatCsv, ALineEndInQuotesIsPartOfTheCell) {
  EXPECT_EQ(rows("a,b\n1,\"x\r\ny\nz\"\n\n2,\"\"\n"),
            (Texts{R"({"a":"1","b":"x\u000d\ny\nz"})", R"({"a":"2","b":""})"}));
}

TEST_F(FormatCsv, FindsTheSeparatorThatGivesAllRowsOneWidth) {
  EXPECT_EQ(rows("a;b\n1,5;2\n3;4,5\n"),
            (Texts{R"({"a":"1,5","b":"2"})", R"({"a":"3","b":"4,5"})"}));
  EXPECT_EQ(rows("a\tb\n1, 2\t\"x\"\n"), Texts{R"({"a":"1, 2","b":"x"})"});
  EXPECT_EQ(rows("a|b|c\n1|2|3\n"), Texts{R"({"a":"1","b":"2","c":"3"})"});
  EXPECT_EQ(rows("response\n111\n"), Texts{R"({"response":"111"})"});
  EXPECT_EQ(rows("a;b\n1;2\n", R"({"separator":","})"), Texts{R"({"a;b":"1;2"})"});
}

TEST_F(FormatCsv, WithoutHeaderColumnsAreNumbered) {
  EXPECT_EQ(rows("s1|plane|axial\ns2|organ|lung\n", R"({"header":false})"),
            (Texts{R"({"col1":"s1","col2":"plane","col3":"axial"})",
                   R"({"col1":"s2","col2":"organ","col3":"lung"})"}));
}

TEST_F(FormatCsv, QuotesAreTextWhenConfiguredSo) {
  EXPECT_EQ(rows("a\tb\n\"x\t5\"\n", R"({"quotes":false})"), Texts{R"({"a":"\"x","b":"5\""})"});
}

TEST_F(FormatCsv, ARowOfAnotherWidthIsAnErrorWithRowByteAndRemedy) {
  const auto part = read("a,b\n1,2\n\n3,4,5\n");

  EXPECT_EQ(part.rows.size(), 1u);
  EXPECT_EQ(part.failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(part.failure.file, "a.csv");
  EXPECT_EQ(part.failure.row, 2);
  EXPECT_EQ(part.failure.byte, 9);
  EXPECT_NE(part.failure.hint.find("separator"), std::string::npos);
}

TEST_F(FormatCsv, RefusesBadQuotesBadUtf8TwofoldNamesAndLongRows) {
  struct Case {
    std::string text;
    int64_t row, byte;
  };
  for (const Case& bad : {Case{"a,b\n1,\"x\"y\n", 1, 9}, Case{"a,b\n1,2\n3,\"x\n", 2, 10},
                          Case{"a,b\n1,\xC3(\n", 1, 6}}) {
    const auto part = read(bad.text, R"({"separator":","})");
    EXPECT_EQ(part.failure.code, MORTISE_STATUS_INVALID_ARGUMENT) << bad.text;
    EXPECT_EQ(part.failure.row, bad.row) << bad.text;
    EXPECT_EQ(part.failure.byte, bad.byte) << bad.text;
  }
  EXPECT_EQ(read("a,a\n1,2\n").failure.field, "a");
  const auto too_long =
      read("a,b\n1,\"" + std::string(3u << 20, 'x'), R"({"row_bytes_max":1000000})");
  EXPECT_EQ(too_long.failure.code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(too_long.failure.byte, 4);
}

TEST_F(FormatCsv, AnEmptyFileHasNoRowsAndAHeaderAloneNeither) {
  EXPECT_TRUE(rows("").empty());
  EXPECT_TRUE(rows("a,b\n").empty());
  EXPECT_TRUE(rows("a,b").empty());
}

TEST_F(FormatCsv, FilesOfOneSetHaveOneHeader) {
  pack_.files() = {{"a.csv", "a,b\n1,2\n"}, {"b.csv", "a,b\n3,4\n"}, {"c.csv", "b,a\n3,4\n"}};

  EXPECT_EQ(pack_.rows_of({"a.csv", "b.csv"}).size(), 2u);
  EXPECT_EQ(pack_.open({"a.csv", "c.csv"}).file, "c.csv");
}

TEST_F(FormatCsv, ShardsOfAnySizeTogetherGiveEachRowOnceAndCursorsAreExact) {
  const unsigned seed = 3;
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    std::string text = std::string(random() % 2 ? "\xEF\xBB\xBF" : "") +
                       (random() % 2 ? "\n" : "") + "id,text\r\n";
    for (int i = 0; i < 15; ++i) {
      text += std::to_string(i) + ",\"" + std::string(random() % 20, ',') + "\"";
      text += random() % 2 ? "\n" : "\r\n";
      if (random() % 4 == 0) text += "\n";
    }
    const auto whole = read(text).rows;
    ASSERT_EQ(whole.size(), 15u);
    const std::string size = std::to_string(1 + random() % 50);
    const std::string config = R"({"quoted_newlines":false,"shard_bytes":)" + size + "}";
    EXPECT_EQ(read(text, config).rows, whole) << "seed " << seed << " round " << round << config;
    pack_.expect_exact_cursors();
  }
}

TEST_F(FormatCsv, InShardsALineEndInQuotesIsRefusedAndRowsAreCountedFromTheFirst) {
  const auto part = read("a,b\n1,2\n3,4\n5,\"x\ny\"\n",
                         R"({"quoted_newlines":false,"shard_bytes":4,"separator":","})");

  EXPECT_EQ(part.failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(part.failure.row, 3);
  EXPECT_EQ(part.failure.byte, 16);
}

}  // namespace
}  // namespace mortise
