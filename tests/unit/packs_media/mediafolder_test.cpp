// The media folder pack: classes, metadata, sidecars, JSON neighbours, what is refused.
#include "tests/unit/packs_media/media_format_under_test.h"

namespace mortise {
namespace {

using Rows = std::vector<std::string>;

class MediaFolder : public testing::Test {
 protected:
  packs_test::MediaFormatUnderTest pack_{"format_mediafolder"};
};

TEST_F(MediaFolder, ClassFoldersAreLabelsBelowASplit) {
  pack_.files() = {{"u/train/cat/1.jpg", "A"},
                   {"u/train/dog/2.jpg", "B"},
                   {"u/val/cat/3.jpg", "C"},
                   {"u/val/cat/notes.md", "x"},
                   {"u/.hidden.jpg", "x"}};

  EXPECT_EQ(pack_.rows_of({"u"}), (Rows{"{\"split\":\"train\",\"label\":\"cat\"} image=A",
                                        "{\"split\":\"train\",\"label\":\"dog\"} image=B",
                                        "{\"split\":\"val\",\"label\":\"cat\"} image=C"}));
  pack_.expect_exact_cursors();
  EXPECT_EQ(pack_.rows_of({"u"}, R"({"label":"none"})")[0], "{\"split\":\"train\"} image=A");
}

TEST_F(MediaFolder, OneFolderIsNoClassUnlessAsked) {
  pack_.files() = {{"u/images/1.png", "A"}, {"u/images/2.png", "B"}};

  EXPECT_EQ(pack_.rows_of({"u"})[0], "{} image=A");
  EXPECT_EQ(pack_.rows_of({"u"}, R"({"label":"folder"})")[0], "{\"label\":\"images\"} image=A");
}

TEST_F(MediaFolder, MetadataCsvGivesTheRowsAndKeepsCellsAsText) {
  pack_.files() = {
      {"u/a/metadata.csv", "file_name,text,n\n1.jpg,\"x, \"\"y\"\"\nz\",007\n2.jpg,b,\n"},
      {"u/a/1.jpg", "ONE"},
      {"u/a/2.jpg", "TWO"},
      {"u/extra.jpg", "x"}};

  const Rows expected = {"{\"text\":\"x, \\\"y\\\"\\nz\",\"n\":\"007\"} image=ONE",
                         "{\"text\":\"b\",\"n\":\"\"} image=TWO"};
  EXPECT_EQ(pack_.rows_of({"u"}), expected);
  pack_.expect_exact_cursors();
  EXPECT_EQ(pack_.rows_of({"u/a/metadata.csv"}), expected);
}

TEST_F(MediaFolder, MetadataJsonLinesTakeSeveralFilesOfSeveralKinds) {
  pack_.files() = {{"u/metadata.jsonl",
                    "{\"file_name\":\"a.wav\",\"n\":1}\n\n"
                    "{\"left_file_name\":\"l.png\",\"right_file_name\":\"r.png\"}\r\n"
                    "{\"file_names\":[\"l.png\",\"r.png\",\"a.wav\"]}"},
                   {"u/a.wav", "S"},
                   {"u/l.png", "L"},
                   {"u/r.png", "R"}};

  EXPECT_EQ(pack_.rows_of({"u"}),
            (Rows{"{\"n\":1} audio=S", "{} images=L images=R", "{} audio=S images=L images=R"}));
  EXPECT_EQ(pack_.read({"u"}).offsets, (std::vector<int64_t>{0, 29, 83}));
}

TEST_F(MediaFolder, AMissingFileIsNamedInTheRowForTheHostToFind) {
  pack_.files() = {{"u/metadata.csv", "file_name\ngone.jpg\n"}, {"u/x.jpg", "x"}};

  EXPECT_EQ(pack_.rows_of({"u"}), (Rows{"{\"image\":\"gone.jpg\"}"}));
}

TEST_F(MediaFolder, SidecarsAndJsonNeighboursBelongToTheirStem) {
  pack_.files() = {{"u/images/1.png", "A"},
                   {"u/images/2.png", "B"},
                   {"u/annotations/1.json", "{\"form\":[{\"id\":0}]}"},
                   {"u/images/2.txt", "two\r\n"},
                   {"u/gt_1.txt", "words"}};

  EXPECT_EQ(pack_.rows_of({"u"}),
            (Rows{"{\"form\":[{\"id\":0}]} image=A", "{\"text\":\"two\"} image=B"}));
  pack_.files()["u/annotations/2.png.json"] = "{\"n\":2}";  // named for the whole file
  EXPECT_EQ(pack_.rows_of({"u"})[1], "{\"text\":\"two\",\"n\":2} image=B");
  EXPECT_EQ(pack_.rows_of({"u"}, R"({"sidecars":["gt_{stem}.txt"]})")[0],
            "{\"text\":\"words\",\"form\":[{\"id\":0}]} image=A");
}

TEST_F(MediaFolder, RefusesBadMetadataWithFileRowAndByte) {
  const auto failure = [&](const char* name, const std::string& text) {
    pack_.files() = {{std::string("u/") + name, text}, {"u/1.jpg", "x"}};
    return pack_.read({"u"}).failure;
  };
  EXPECT_EQ(failure("metadata.csv", "name,text\n1.jpg,x\n").code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure("metadata.csv", "file_name,a,a\n1.jpg,x,y\n").code,
            MORTISE_STATUS_INVALID_ARGUMENT);
  const sdk::Failure cells = failure("metadata.csv", "file_name,t\n1.jpg,x\n1.jpg,x,y\n");
  EXPECT_EQ(cells.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(cells.file, "u/metadata.csv");
  EXPECT_EQ(cells.row, 2);
  EXPECT_EQ(cells.byte, 20);
  EXPECT_EQ(failure("metadata.csv", "file_name,t\n1.jpg,\"x\n").byte, 18);
  EXPECT_EQ(failure("metadata.csv", "file_name,t\n1.jpg,\xFF\n").code,
            MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure("metadata.jsonl", "{\"text\":\"x\"}\n").field, "file_name");
  EXPECT_EQ(failure("metadata.jsonl", "{\"file_name\":\"a.exe\"}\n").code,
            MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(pack_.open({"nowhere"}).code, MORTISE_STATUS_NOT_FOUND);
  EXPECT_EQ(pack_.open({"nowhere/metadata.csv"}).code, MORTISE_STATUS_NOT_FOUND);
}

TEST_F(MediaFolder, ProbeKnowsMetadataFilesOnly) {
  EXPECT_EQ(pack_.score("a/metadata.csv", "file_name,text\n"), 98u);
  EXPECT_EQ(pack_.score("metadata.csv", "name,text\n"), 0u);
  EXPECT_EQ(pack_.score("rows.csv", "file_name,text\n"), 0u);
}

}  // namespace
}  // namespace mortise
