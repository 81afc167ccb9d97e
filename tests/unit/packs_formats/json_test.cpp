// The JSON pack: where records lie, streaming, places of errors, cursors.
#include <random>

#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

using packs_test::FormatRow;
using packs_test::FormatUnderTest;

class FormatJson : public testing::Test {
 protected:
  FormatUnderTest::Part read(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.json"] = text;
    return pack_.read({"a.json"}, config);
  }
  std::vector<std::string> rows(const std::string& text, const std::string& config = "{}") {
    pack_.files()["a.json"] = text;
    return pack_.rows_of({"a.json"}, config);
  }
  sdk::Failure failure(const std::string& text, const std::string& config = "{}") {
    return read(text, config).failure;
  }
  FormatUnderTest pack_{MORTISE_FORMAT_JSON};
};

using Texts = std::vector<std::string>;

TEST_F(FormatJson, GivesTheObjectsOfAnArrayAsTheyStandWithTheirBytes) {
  const auto part = read("\xEF\xBB\xBF[{\"a\": \"]}\\\"\"},\n {\"b\":[{}]} ] \n");

  EXPECT_EQ(part.rows, (std::vector<FormatRow>{{"{\"a\": \"]}\\\"\"}", 4}, {"{\"b\":[{}]}", 20}}));
  EXPECT_EQ(part.failure.code, MORTISE_STATUS_OK);
}

TEST_F(FormatJson, FindsTheOneMemberThatIsAListOfObjects) {
  EXPECT_EQ(rows(R"({"info":{"y":1},"n":[1],"data":[{"a":1},{"a":2}],"tail":[]})"),
            (Texts{R"({"a":1})", R"({"a":2})"}));
}

TEST_F(FormatJson, AsksWhenTwoMembersAreListsOfObjectsAndTakesTheAnswer) {
  const std::string text = R"({"videos":[{"v":1}],"x":{"sentences":[{"s":1}]},"more":[{"m":1}]})";
  const sdk::Failure asked = failure(text);

  EXPECT_EQ(asked.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(asked.message.find("\"videos\", \"more\""), std::string::npos);
  EXPECT_NE(asked.hint.find("records"), std::string::npos);
  EXPECT_EQ(rows(text, R"({"records":"more"})"), Texts{R"({"m":1})"});
  EXPECT_EQ(rows(text, R"({"records":"x.sentences"})"), Texts{R"({"s":1})"});
  EXPECT_NE(failure(text, R"({"records":"y"})").message.find("\"y\""), std::string::npos);
}

TEST_F(FormatJson, AnObjectOfObjectsGivesItsKeysAsAMember) {
  EXPECT_EQ(rows(R"({"12":{"q":"x"},"\u0031\"3":{}})"),
            (Texts{R"({"key":"12","q":"x"})", R"({"key":"\u0031\"3"})"}));
  EXPECT_EQ(rows(R"({"12":{"q":"x"}})", R"({"key":"id"})"), Texts{R"({"id":"12","q":"x"})"});
  const sdk::Failure taken = failure(R"({"12":{"key":"x"}})");
  EXPECT_EQ(taken.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(taken.row, 1);
}

TEST_F(FormatJson, TablesSideBySideAreNotGuessed) {
  const std::string text = R"({"imgs":{"a":{"id":1}},"anns":{"b":{"id":2}}})";

  EXPECT_EQ(failure(text).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(rows(text, R"({"records":"anns"})"), Texts{R"({"key":"b","id":2})"});
}

TEST_F(FormatJson, GivesTheRowsBeforeABadOneAndThenNamesRowAndByte) {
  const auto part = read("[{\"a\":1},{\"b\":2},{\"c\":}]");

  EXPECT_EQ(part.rows.size(), 2u);
  EXPECT_EQ(part.failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(part.failure.file, "a.json");
  EXPECT_EQ(part.failure.row, 3);
  EXPECT_EQ(part.failure.byte, 17 + 5);
}

TEST_F(FormatJson, RefusesWhatIsCutDamagedDeepOrOfAnotherKind) {
  for (const std::string bad :
       {"", "7", "[1]", "[{\"a\":1}", "[{\"a\":1},", "[{\"a\":1},]", "[{\"a\":1}] x", "[{\"a\":1}}",
        "{\"data\":[{\"a\":1}]", "{\"data\":[{\"a\":1}],", "[{\"a\":\"\xFF\"}]",
        "[{\"a\":1,\"a\":2}]", "[{'a':1}]", "[[{}]]"}) {
    EXPECT_EQ(failure(bad).code, MORTISE_STATUS_INVALID_ARGUMENT) << bad;
    EXPECT_EQ(failure(bad).file, "a.json") << bad;
  }
  const std::string deep(100000, '[');
  EXPECT_EQ(failure("[{\"a\":" + deep).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure(deep).code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(FormatJson, ARecordOverTheLimitIsNamedWithItsByte) {
  const std::string text = "[{\"a\":1},{\"b\":\"" + std::string(3u << 20, 'x') + "\"}]";
  const sdk::Failure found = failure(text, R"({"row_bytes_max":1048576})");

  EXPECT_EQ(found.code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(found.row, 2);
  EXPECT_EQ(found.byte, 9);
}

TEST_F(FormatJson, RecordsAcrossBlocksAreCutExactly) {
  const unsigned seed = 5;
  std::mt19937 random(seed);
  std::string text = "{\"skipped\":\"" + std::string(1'048'500, 's') + "\",\"data\":[";
  Texts expected;
  for (int i = 0; i < 3000; ++i) {
    expected.push_back("{\"i\":" + std::to_string(i) + ",\"x\":\"" +
                       std::string(random() % 2000, random() % 2 ? '\\' : 'y'));
    if (expected.back().back() == '\\' &&
        expected.back().find_last_not_of('\\') % 2 == expected.back().size() % 2) {
      expected.back() += '\\';  // an even count of backslashes
    }
    expected.back() += "\"}";
    text += (i == 0 ? "" : ",") + expected.back();
  }

  EXPECT_EQ(rows(text + "]}"), expected) << "seed " << seed;
}

TEST_F(FormatJson, CursorsAreExact) {
  pack_.files()["a.json"] = R"({"data":[{"a":1}, {"b":2},{"c":3} ],"x":1})";
  pack_.files()["b.json"] = R"({"k":{"a":1}, "l":{"b":2}})";
  pack_.files()["c.json"] = "[]";
  ASSERT_EQ(pack_.open({"a.json", "b.json", "c.json"}).code, MORTISE_STATUS_OK);
  EXPECT_EQ(pack_.shards_count(), 3u);

  pack_.expect_exact_cursors();
}

TEST_F(FormatJson, ACursorOfOtherFilesOrOptionsIsDataLoss) {
  pack_.files()["a.json"] = R"([{"a":1},{"b":2}])";
  ASSERT_EQ(pack_.open({"a.json"}).code, MORTISE_STATUS_OK);
  const std::string cursor = pack_.scan(0, "", 1, 1).cursor;
  std::string damaged = cursor;
  damaged.back() = damaged.back() == '1' ? '2' : '1';

  EXPECT_EQ(pack_.scan(0, damaged, 1).failure.code, MORTISE_STATUS_DATA_LOSS);
  ASSERT_EQ(pack_.open({"a.json"}, R"({"key":"id"})").code, MORTISE_STATUS_OK);
  EXPECT_EQ(pack_.scan(0, cursor, 1).failure.code, MORTISE_STATUS_DATA_LOSS);
}

}  // namespace
}  // namespace mortise
