// The WebDataset pack: samples, fields and media, what is refused, cursors, the writer.
#include "tests/unit/packs_media/media_format_under_test.h"

namespace mortise {
namespace {

using Rows = std::vector<std::string>;

constexpr size_t kBlock = 512;

// One header; the name is cut to 100 bytes.
std::string tar_header(const std::string& name, size_t size, char type = '0') {
  std::string block(kBlock, '\0');
  name.copy(block.data(), 100);
  std::snprintf(block.data() + 124, 12, "%011zo", size);
  block[156] = type;
  std::string_view(
      "ustar\0"
      "00",
      8)
      .copy(block.data() + 257, 8);
  uint32_t sum = 8 * ' ';
  for (const char c : block) sum += static_cast<uint8_t>(c);
  std::snprintf(block.data() + 148, 8, "%06o", sum);
  return block;
}
std::string member(const std::string& name, const std::string& data, char type = '0') {
  return tar_header(name, data.size(), type) + data +
         std::string((kBlock - data.size() % kBlock) % kBlock, '\0');
}
const std::string kEnd(2 * kBlock, '\0');

class WebDataset : public testing::Test {
 protected:
  packs_test::MediaFormatUnderTest pack_{"format_webdataset"};
};

TEST_F(WebDataset, JoinsConsecutiveMembersOfOneKeyIntoARow) {
  pack_.files()["a.tar"] = member("d.1/x.txt", "hello") + member("d.1/x.cls", "7\n") +
                           member("d.1/x.json", " {\"n\": 1.0, \"o\":{}} ") +
                           member("d.1/x.png", "PIX") + member("d.1/y.wav", "SOUND") + kEnd;

  EXPECT_EQ(pack_.rows_of({"a.tar"}),
            (Rows{"{\"__key__\":\"d.1/x\",\"text\":\"hello\",\"label\":7,\"n\": 1.0, \"o\":{}} "
                  "image=PIX",
                  "{\"__key__\":\"d.1/y\"} audio=SOUND"}));
}

TEST_F(WebDataset, SeveralMediaOfAKindComeAsAListAndALabelMayBeAWord) {
  pack_.files()["a.tar"] = member("x.left.png", "L") + member("x.right.png", "R") +
                           member("x.cls", "cat") + member("x.mp4", "FILM") + kEnd;

  EXPECT_EQ(pack_.rows_of({"a.tar"}),
            (Rows{"{\"__key__\":\"x\",\"label\":\"cat\"} video=FILM images=L images=R"}));
}

TEST_F(WebDataset, ReadsPaxAndGnuLongNamesFoldersAndFilesWithoutExtension) {
  const std::string deep = std::string(120, 'd') + "/k.txt";
  const std::string record = "135 path=" + deep + "\n";
  ASSERT_EQ(record.size(), 136u);  // the number below counts it
  pack_.files()["a.tar"] = member("folder/", "", '5') + member("LICENSE", "free") +
                           member("pax", "136 path=" + deep + "\n", 'x') + member("cut", "one") +
                           member("././@LongLink", deep.substr(1) + '\0', 'L') +
                           member("cut", "two") + kEnd;

  EXPECT_EQ(pack_.rows_of({"a.tar"}),
            (Rows{"{\"__key__\":\"" + std::string(120, 'd') + "/k\",\"text\":\"one\"}",
                  "{\"__key__\":\"" + std::string(119, 'd') + "/k\",\"text\":\"two\"}"}));
}

TEST_F(WebDataset, ExpandsBracesIntoShards) {
  pack_.files()["s-08.tar"] = member("a.txt", "1") + kEnd;
  pack_.files()["s-09.tar"] = member("b.txt", "2") + kEnd;
  pack_.files()["s-10.tar"] = member("c.txt", "3") + kEnd;

  EXPECT_EQ(pack_.rows_of({"s-{08..10}.tar"}).size(), 3u);
  EXPECT_EQ(pack_.shards_count(), 3u);
  EXPECT_EQ(pack_.open({"s-{10..08}.tar"}).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(pack_.open({"s-{08..11}.tar"}).code, MORTISE_STATUS_NOT_FOUND);
}

TEST_F(WebDataset, RefusesAnUnknownExtensionByNameUnlessItIsListed) {
  pack_.files()["a.tar"] = member("x.txt", "t") + member("x.pyd", "P") + kEnd;
  const auto part = pack_.read({"a.tar"});

  EXPECT_EQ(part.failure.code, MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_NE(part.failure.message.find("x.pyd"), std::string::npos);
  EXPECT_NE(part.failure.hint.find("ignore"), std::string::npos);
  EXPECT_EQ(part.failure.row, 1);
  EXPECT_EQ(part.failure.byte, 1536);
  EXPECT_EQ(pack_.rows_of({"a.tar"}, R"({"ignore":["pyd"]})").size(), 1u);
  EXPECT_EQ(pack_.rows_of({"a.tar"}, R"({"text":["pyd"]})"),
            (Rows{"{\"__key__\":\"x\",\"text\":\"t\",\"pyd\":\"P\"}"}));
}

TEST_F(WebDataset, RefusesLinksDevicesSparseMembersAndNamesThatLeave) {
  for (const char type : {'1', '2', '3', '4', '6', 'S'}) {
    pack_.files()["a.tar"] = member("ok.txt", "t") + member("x.txt", "", type) + kEnd;
    const auto part = pack_.read({"a.tar"});
    EXPECT_EQ(part.failure.code, MORTISE_STATUS_INVALID_ARGUMENT) << type;
    EXPECT_EQ(part.failure.byte, 1024) << type;
  }
  for (const char* name :
       {"../x.txt", "/x.txt", "a//x.txt", "a/../x.txt", "a\\x.txt", "\xFF.txt"}) {
    pack_.files()["a.tar"] = member(name, "t") + kEnd;
    EXPECT_EQ(pack_.read({"a.tar"}).failure.code, MORTISE_STATUS_INVALID_ARGUMENT) << name;
  }
}

TEST_F(WebDataset, ACutArchiveIsDataLossAndACompressedOneIsRefusedAtOnce) {
  const std::string whole = member("x.txt", "t") + member("y.txt", std::string(600, 'y')) + kEnd;
  for (const size_t size : {size_t{1024}, size_t{1600}, size_t{2000}}) {
    pack_.files()["a.tar"] = whole.substr(0, size);
    EXPECT_EQ(pack_.read({"a.tar"}).failure.code, MORTISE_STATUS_DATA_LOSS) << size;
  }
  pack_.files()["a.tar"] = "\x1F\x8B" + whole;
  EXPECT_EQ(pack_.open({"a.tar"}).code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(WebDataset, RefusesBadTextJsonAndAFieldThatIsGivenTwice) {
  for (const std::string& bad :
       {member("x.txt", "\xFF"), member("x.json", "{"), member("x.txt", "a") + member("x.txt", "b"),
        member("x.txt", "a") + member("x.json", R"({"text":"b"})")}) {
    pack_.files()["a.tar"] = bad + kEnd;
    const auto part = pack_.read({"a.tar"});
    EXPECT_EQ(part.failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(part.failure.row, 1);
    EXPECT_EQ(part.failure.file, "a.tar");
  }
  pack_.files()["a.tar"] = member("x.txt", "12345") + kEnd;
  EXPECT_EQ(pack_.read({"a.tar"}, R"({"row_bytes_max":4})").failure.code,
            MORTISE_STATUS_RESOURCE_EXHAUSTED);
}

TEST_F(WebDataset, ResumesAtAnySampleAndWritesWhatItReads) {
  pack_.files()["a.tar"] = member("x.txt", "1") + member("x.cls", "5") + member("x.jpg", "J") +
                           member("y.a.png", "A") + member("y.b.png", "B") +
                           member("z.json", R"({"label":"12","q":[1,2.5]})") + kEnd;
  const Rows before = pack_.rows_of({"a.tar"});
  pack_.expect_exact_cursors();

  ASSERT_EQ(pack_.copy_to("b.tar").message, "");
  EXPECT_EQ(pack_.rows_of({"b.tar"}), before);
  ASSERT_EQ(pack_.copy_to("c.tar").message, "");
  EXPECT_EQ(pack_.files()["b.tar"], pack_.files()["c.tar"]);
  EXPECT_EQ(pack_.copy_to("c.tar").code, MORTISE_STATUS_ALREADY_EXISTS);
}

TEST_F(WebDataset, ProbeKnowsATarByItsSum) {
  const std::string tar = member("x.txt", "1") + kEnd;
  EXPECT_EQ(pack_.score("s.tar", tar), 95u);
  EXPECT_EQ(pack_.score("s.bin", tar), 60u);
  EXPECT_EQ(pack_.score("s.tar", std::string(600, 'x')), 0u);
}

}  // namespace
}  // namespace mortise
