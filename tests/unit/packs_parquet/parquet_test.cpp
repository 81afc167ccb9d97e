// The Parquet pack over files that Arrow writes here: types, media, row groups, bounds, damage, the
// writer.
#include <random>

#include "tests/unit/packs_media/media_format_under_test.h"
#include "tests/unit/packs_parquet/arrow_table.h"

namespace mortise {
namespace {

using packs_test::parquet_of;
using Rows = std::vector<std::string>;

const auto kMedium =
    arrow::struct_({arrow::field("bytes", arrow::binary()), arrow::field("path", arrow::utf8())});

class Parquet : public testing::Test {
 protected:
  sdk::Failure failure(const std::string& bytes, const std::string& config = "{}") {
    pack_.files()["a.parquet"] = bytes;
    return pack_.read({"a.parquet"}, config).failure;
  }
  Rows rows(const std::string& bytes, const std::string& config = "{}") {
    pack_.files()["a.parquet"] = bytes;
    return pack_.rows_of({"a.parquet"}, config);
  }
  packs_test::MediaFormatUnderTest pack_{"format_parquet"};
};

TEST_F(Parquet, EveryTypeHasItsFormInARow) {
  EXPECT_EQ(
      rows(parquet_of({{"i", arrow::int64(), "[9007199254740993]"},
                       {"u", arrow::uint64(), "[18446744073709551615]"},
                       {"f", arrow::float32(), "[0.1]"},
                       {"d", arrow::float64(), "[2.5]"},
                       {"b", arrow::boolean(), "[true]"},
                       {"t", arrow::utf8(), "[\"a\\\"\u00fc\"]"},
                       {"z", arrow::binary(), "[\"hi!!\"]"},
                       {"n", arrow::utf8(), "[null]"},
                       {"day", arrow::date32(), "[1]"},
                       {"l", arrow::list(arrow::int32()), "[[1,null,3]]"},
                       {"s", arrow::struct_({arrow::field("x", arrow::list(arrow::utf8()))}),
                        "[{\"x\":[\"p\",\"q\"]}]"},
                       {"m", arrow::map(arrow::utf8(), arrow::int32()), "[[[\"k\",7]]]"}})),
      (Rows{"{\"i\":9007199254740993,\"u\":18446744073709551615,\"f\":0.1,\"d\":2.5,\"b\":true,"
            "\"t\":\"a\\\"\u00fc\",\"z\":\"aGkhIQ==\",\"n\":null,\"day\":\"1970-01-02\",\"l\":[1,"
            "null,3],\"s\":{\"x\":[\"p\",\"q\"]},\"m\":{\"k\":7}}"}));
}

TEST_F(Parquet, StructsOfBytesAndPathAreMediaSinglyAndInLists) {
  EXPECT_EQ(
      rows(parquet_of(
          {{"image", kMedium,
            "[{\"bytes\":\"PIX\",\"path\":\"d/1.png\"},null,{\"bytes\":null,\"path\":"
            "\"2.png\"}]"},
           {"views", arrow::list(kMedium), "[[{\"bytes\":\"A\",\"path\":null},null],[],null]"},
           {"audio", arrow::binary(), "[\"S\",null,\"T\"]"},
           {"hash", arrow::binary(), "[\"abc\",\"abc\",\"abc\"]"}})),
      (Rows{"{\"hash\":\"YWJj\"} image=PIX views=A views=(null) audio=S", "{\"hash\":\"YWJj\"}",
            "{\"image\":\"2.png\",\"hash\":\"YWJj\"} audio=T"}));
}

TEST_F(Parquet, TheConfigurationChoosesColumnsAndMedia) {
  const std::string file = parquet_of({{"a", arrow::int32(), "[1]"},
                                       {"image", arrow::binary(), "[\"X\"]"},
                                       {"scan", arrow::binary(), "[\"Y\"]"}});
  EXPECT_EQ(rows(file, R"({"columns":["scan"],"media":{"scan":"image"}})"), (Rows{"{} scan=Y"}));
  EXPECT_EQ(rows(file, R"({"columns":["image","a"],"media":{"image":"none"}})"),
            (Rows{"{\"a\":1,\"image\":\"WA==\"}"}));
  EXPECT_EQ(failure(file, R"({"columns":["gone"]})").field, "gone");
}

TEST_F(Parquet, RowGroupsAreShardsAndCursorsAreExact) {
  const std::string file = parquet_of({{"i", arrow::int32(), "[1,2,3,4,5]"}}, 2);
  EXPECT_EQ(rows(file).size(), 5u);
  EXPECT_EQ(pack_.shards_count(), 3u);
  pack_.expect_exact_cursors();
  EXPECT_EQ(pack_.scan(2).rows, (Rows{"{\"i\":5}"}));
  EXPECT_EQ(rows(parquet_of({{"i", arrow::int32(), "[]"}})), Rows{});
}

TEST_F(Parquet, WritesWhatItReadsAndAbsentMembersStayAbsent) {
  rows(parquet_of({{"i", arrow::int64(), "[1,2]"},
                   {"t", arrow::utf8(), "[\"a\",\"b\"]"},
                   {"l", arrow::list(arrow::float64()), "[[1.5],[]]"},
                   {"image", kMedium, "[{\"bytes\":\"P\",\"path\":\"x.png\"},null]"}}));
  const Rows expected = {"{\"i\":1,\"t\":\"a\",\"l\":[1.5]} image=P",
                         "{\"i\":2,\"t\":\"b\",\"l\":[]}"};
  EXPECT_EQ(pack_.read({"a.parquet"}).rows, expected);
  ASSERT_EQ(pack_.copy_to("b.parquet").message, "");
  EXPECT_EQ(pack_.rows_of({"b.parquet"}), expected);
  EXPECT_EQ(pack_.copy_to("b.parquet").code, MORTISE_STATUS_ALREADY_EXISTS);
}

TEST_F(Parquet, RefusesWhatIsNoParquetBadTextAndTooMuchMemory) {
  EXPECT_EQ(failure("hello").code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure("").code, MORTISE_STATUS_INVALID_ARGUMENT);
  std::string bad = parquet_of({{"t", arrow::utf8(), "[\"good\"]"}});
  for (size_t at = bad.find("good"); at != bad.npos; at = bad.find("good")) bad[at] = '\xFF';
  const sdk::Failure text = failure(bad);
  EXPECT_EQ(text.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(text.row, 1);
  const std::string big =
      parquet_of({{"t", arrow::utf8(), "[\"" + std::string(4 << 20, 'x') + "\"]"}});
  EXPECT_EQ(failure(big, R"({"memory_bytes_max":1048576})").code,
            MORTISE_STATUS_RESOURCE_EXHAUSTED);
}

TEST_F(Parquet, DamagedFilesAreErrorsAndNeverDeaths) {
  const std::string whole =
      parquet_of({{"i", arrow::int64(), "[1,2,3,4]"},
                  {"t", arrow::utf8(), "[\"a\",\"b\",null,\"d\"]"},
                  {"l", arrow::list(arrow::int32()), "[[1],[],null,[2,3]]"},
                  {"image", kMedium, "[{\"bytes\":\"P\",\"path\":\"x.png\"},null,null,null]"}},
                 2);
  const unsigned seed = 20240611;
  std::mt19937 dice(seed);
  for (int round = 0; round < 600; ++round) {
    std::string bytes = round % 3 == 0 ? whole.substr(0, dice() % whole.size()) : whole;
    if (bytes.empty()) continue;
    for (int i = round % 3 == 0 ? 0 : 3; i > 0; --i) {
      bytes[dice() % bytes.size()] = static_cast<char>(dice());
    }
    const mortise_status code = failure(bytes, R"({"memory_bytes_max":33554432})").code;
    EXPECT_NE(code, MORTISE_STATUS_INTERNAL) << "seed " << seed << " round " << round;
  }
}

}  // namespace
}  // namespace mortise
