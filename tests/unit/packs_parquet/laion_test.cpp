// The LAION plugin of the Parquet pack: names of columns, where pictures lie, what is missing.
#include <random>

#include "md5.h"
#include "tests/unit/packs_media/media_format_under_test.h"
#include "tests/unit/packs_parquet/arrow_table.h"

namespace mortise {
namespace {

using packs_test::parquet_of;
using Rows = std::vector<std::string>;

packs_test::TableColumn text(const std::string& name, const std::string& json) {
  return {name, arrow::utf8(), json};
}

// One plain file of a ustar archive.
std::string tar_member(const std::string& name, const std::string& bytes) {
  std::string head(512, '\0');
  head.replace(0, name.size(), name);
  char number[24];
  std::snprintf(number, sizeof(number), "%011zo", bytes.size());
  head.replace(124, 11, number, 11);
  head[156] = '0';
  head.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : head) sum += static_cast<unsigned char>(c);
  std::snprintf(number, sizeof(number), "%06o", sum);
  head.replace(148, 7, number, 7);
  std::string member = head + bytes;
  member.resize((member.size() + 511) / 512 * 512);
  return member;
}

class Laion : public testing::Test {
 protected:
  Rows rows(const std::vector<std::string>& names, const std::string& config = "{}") {
    return pack_.rows_of(names, config);
  }
  std::map<std::string, std::string>& files() { return pack_.files(); }
  packs_test::MediaFormatUnderTest pack_{"format_parquet", "format_laion"};
};

TEST_F(Laion, ColumnsHaveOneNameWhateverTheReleaseCallsThem) {
  files()["00000.parquet"] = parquet_of({text("URL", R"(["u"])"),
                                         text("TEXT", R"(["a red chair"])"),
                                         {"WIDTH", arrow::int32(), "[640]"},
                                         {"pwatermark", arrow::float64(), "[0.25]"},
                                         text("extra", R"(["e"])")});
  files()["00000/000000000.jpg"] = "PIX";
  EXPECT_EQ(rows({"00000.parquet"}),
            (Rows{R"({"url":"u","text":"a red chair","width":640,"watermark":0.25,"extra":"e"})"
                  " image=PIX"}));
}

TEST_F(Laion, TwoColumnsThatWouldGetOneNameKeepTheirs) {
  files()["a.parquet"] =
      parquet_of({text("url", R"(["u"])"), text("TEXT", R"(["t"])"), text("Caption", R"(["c"])")});
  EXPECT_EQ(
      rows({"a.parquet"}),
      (Rows{
          R"({"url":"u","TEXT":"t","Caption":"c","image":"7b774effe4a349c6dd82ad4f4f21d34c.jpg"})"}));
}

TEST_F(Laion, PicturesLieByKeyInAFolderATarOrBesideTheTableElseByTheDigestOfTheUrl) {
  files()["d/00002.parquet"] = parquet_of(
      {text("url", R"(["u0","u1","u2","u3"])"), text("caption", R"(["a","b","c","d"])")});
  files()["d/00002/000020000.png"] = "FOLDER";
  files()["d/00002.tar"] = tar_member("000020001.txt", "b") + tar_member("000020001.jpg", "TAR") +
                           std::string(1024, '\0');
  files()["d/000020002.webp"] = "BESIDE";
  files()["d/" + format_parquet::md5_hex("u3") + ".jpg"] = "DIGEST";
  EXPECT_EQ(
      rows({"d/00002.parquet"}),
      (Rows{R"({"url":"u0","text":"a"} image=FOLDER)", R"({"url":"u1","text":"b"} image=TAR)",
            R"({"url":"u2","text":"c"} image=BESIDE)", R"({"url":"u3","text":"d"} image=DIGEST)"}));
}

TEST_F(Laion, AKeyColumnKnowsItsShard) {
  files()["meta.parquet"] = parquet_of(
      {text("key", R"(["000000007","000030001",null])"), text("url", R"(["a","b","c"])")});
  files()["00000/000000007.jpg"] = "SEVEN";
  files()["00003/000030001.jpg"] = "ONE";
  EXPECT_EQ(rows({"meta.parquet"}),
            (Rows{R"({"key":"000000007","url":"a"} image=SEVEN)",
                  R"({"key":"000030001","url":"b"} image=ONE)",
                  R"({"key":null,"url":"c","image":"4a8a08f09d37b73795649038408b5f33.jpg"})"}));
}

TEST_F(Laion, RowsAreCountedIntoShardsOverFilesAndRowGroups) {
  files()["p/a.parquet"] = parquet_of({text("url", R"(["0","1","2"])")}, 2);
  files()["p/b.parquet"] = parquet_of({text("url", R"(["3"])")});
  files()["pix/00000/000000.jpg"] = "A0";
  files()["pix/00000/000001.jpg"] = "A1";
  const std::string config = R"({"media_folder":"pix","rows_per_shard":2,"first_shard":0})";
  EXPECT_EQ(rows({"p/a.parquet", "p/b.parquet"}, config),
            (Rows{R"({"url":"0"} image=A0)", R"({"url":"1"} image=A1)",
                  R"({"url":"2","image":"pix/00001/000010.jpg"})",
                  R"({"url":"3","image":"pix/00002/000020.jpg"})"}));
  EXPECT_EQ(pack_.shards_count(), 3u);
  pack_.expect_exact_cursors();
}

// Row 0 of any table must not take picture 0 of another.
TEST_F(Laion, ARowsNumberAloneChoosesNoPicture) {
  files()["a.parquet"] = parquet_of({text("url", R"(["u",null])")});
  files()["00000/000000000.jpg"] = "OF ANOTHER TABLE";
  EXPECT_EQ(
      rows({"a.parquet"}),
      (Rows{R"({"url":"u","image":"7b774effe4a349c6dd82ad4f4f21d34c.jpg"})", R"({"url":null})"}));
}

TEST_F(Laion, MissingPicturesMayBeLeftOutAndCursorsStayExact) {
  files()["00000.parquet"] = parquet_of({text("url", R"(["0","1","2","3"])")}, 3);
  files()["00000/000000001.jpg"] = "ONE";
  files()["00000/000000003.jpg"] = "THREE";
  EXPECT_EQ(rows({"00000.parquet"}, R"({"missing":"skip"})"),
            (Rows{R"({"url":"1"} image=ONE)", R"({"url":"3"} image=THREE)"}));
  pack_.expect_exact_cursors();
}

TEST_F(Laion, RefusesATableWithoutUrlsOneWithPicturesAndABrokenTar) {
  files()["a.parquet"] = parquet_of({text("caption", R"(["c"])")});
  const sdk::Failure none = pack_.open({"a.parquet"});
  EXPECT_EQ(none.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(none.field, "url");
  files()["b.parquet"] = parquet_of({text("url", R"(["u"])"), text("image", R"(["i"])")});
  EXPECT_EQ(pack_.open({"b.parquet"}).field, "image");
  files()["00000.parquet"] = parquet_of({text("url", R"(["u"])")});
  files()["00000.tar"] = std::string(700, 'x');
  const sdk::Failure tar = pack_.read({"00000.parquet"}).failure;
  EXPECT_EQ(tar.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(tar.file, "00000.tar");
  EXPECT_EQ(pack_.open({"00000.parquet"}, R"({"rows_per_shard":0})").field, "/rows_per_shard");
}

TEST_F(Laion, AKeyThatLeavesTheFolderFindsNothing) {
  files()["secret.jpg"] = "SECRET";
  files()["d/a.parquet"] = parquet_of({text("key", R"(["../secret"])")});
  EXPECT_EQ(rows({"d/a.parquet"}), (Rows{R"({"key":"../secret","image":"d/../secret.jpg"})"}));
}

TEST_F(Laion, ProbeIsSureOnlyWhereItSeesTheColumns) {
  EXPECT_EQ(pack_.score("a.parquet", parquet_of({text("URL", "[\"u\"]"), text("TEXT", "[\"t\"]")})),
            97u);
  EXPECT_EQ(pack_.score("a.parquet", parquet_of({text("question", "[\"u\"]")})), 5u);
  EXPECT_EQ(pack_.score("a.csv", "URL,TEXT\n"), 0u);
}

TEST_F(Laion, DamagedTablesAreErrorsAndNeverDeaths) {
  const std::string whole =
      parquet_of({text("url", R"(["0","1",null])"), {"key", arrow::int64(), "[0,1,2]"}}, 2);
  const unsigned seed = 20240612;
  std::mt19937 dice(seed);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = round % 3 == 0 ? whole.substr(0, dice() % whole.size()) : whole;
    for (int i = round % 3 == 0 ? 0 : 3; i > 0; --i) {
      bytes[dice() % bytes.size()] = static_cast<char>(dice());
    }
    files()["a.parquet"] = bytes;
    const mortise_status code =
        pack_.read({"a.parquet"}, R"({"memory_bytes_max":33554432})").failure.code;
    EXPECT_NE(code, MORTISE_STATUS_INTERNAL) << "seed " << seed << " round " << round;
  }
}

// The test suite of RFC 1321, and one longer than a block.
TEST(Md5, GivesTheDigestsOfItsRfc) {
  EXPECT_EQ(format_parquet::md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(format_parquet::md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(
      format_parquet::md5_hex("1234567890123456789012345678901234567890123456789012345678901234"
                              "5678901234567890"),
      "57edf4a22be3c955ac49da2e2107b67a");
}

}  // namespace
}  // namespace mortise
