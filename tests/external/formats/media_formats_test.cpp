// Fixtures of other projects: Parquet, WebDataset, media folders, DICOM. Read in place.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/packs_media/media_format_under_test.h"

namespace mortise {
namespace {

using Rows = std::vector<std::string>;

class Fixtures : public testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("MORTISE_FIXTURES");
    if (root == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set";
    root_ = root;
  }
  std::string bytes_of(const std::string& name) const {
    std::ifstream file(root_ + "/" + name, std::ios::binary);
    EXPECT_TRUE(file.good()) << name;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string root_;
};

TEST_F(Fixtures, ParquetFilesOfTheParquetProject) {
  if (!std::filesystem::exists(std::string(MORTISE_PACKS) + "/format_parquet")) {
    GTEST_SKIP() << "this build has no format_parquet";
  }
  packs_test::MediaFormatUnderTest pack("format_parquet");
  for (const char* name :
       {"alltypes_plain", "alltypes_plain.snappy", "list_columns", "nested_maps.snappy"}) {
    const std::string file = std::string(name) + ".parquet";
    pack.files()[file] = bytes_of("parquet/data/" + file);
  }
  // As pyarrow's to_pylist gives them; bytes that are no text are base64.
  EXPECT_EQ(pack.rows_of({"list_columns.parquet"}),
            (Rows{R"({"int64_list":[1,2,3],"utf8_list":["abc","efg","hij"]})",
                  R"({"int64_list":[null,1],"utf8_list":null})",
                  R"({"int64_list":[4],"utf8_list":["efg",null,"hij","xyz"]})"}));
  const Rows plain = pack.rows_of({"alltypes_plain.parquet"});
  ASSERT_EQ(plain.size(), 8u);
  EXPECT_EQ(plain[1],
            R"({"id":5,"bool_col":false,"tinyint_col":1,"smallint_col":1,"int_col":1,)"
            R"("bigint_col":10,"float_col":1.1,"double_col":10.1,"date_string_col":"MDMvMDEvMDk=",)"
            R"("string_col":"MQ==","timestamp_col":"2009-03-01 00:01:00.000000000"})");
  EXPECT_EQ(pack.rows_of({"alltypes_plain.snappy.parquet"}).size(), 2u);
  pack.expect_exact_cursors();
  EXPECT_EQ(pack.rows_of({"nested_maps.snappy.parquet"})[0],
            R"({"a":{"a":[[1,true],[2,false]]},"b":1,"c":1})");
}

TEST_F(Fixtures, WebDatasetShardsWithUnknownExtensionsAreRefusedByName) {
  packs_test::MediaFormatUnderTest pack("format_webdataset");
  pack.files()["c.tar"] = bytes_of("containers/webdataset/compressed.tar");
  pack.files()["m.tar"] = bytes_of("containers/webdataset/mpdata.tar");
  pack.files()["s.tgz"] = bytes_of("containers/webdataset/sample.tgz");
  const auto refused = pack.read({"c.tar"}).failure;
  EXPECT_EQ(refused.code, MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_NE(refused.message.find("compressed/0001.txt.gz"), std::string::npos);
  EXPECT_EQ(pack.rows_of({"m.tar"}, R"({"ignore":["mp"]})")[0], R"({"__key__":"000000"})");
  EXPECT_EQ(pack.open({"s.tgz"}).code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(Fixtures, ImageAndAudioFoldersOfHuggingFace) {
  packs_test::MediaFormatUnderTest pack("format_mediafolder");
  const std::string folder = "multimodal/imagefolder-audiofolder/";
  for (const char* name : {"images/metadata.csv", "images/1.jpg", "images/2.jpg",
                           "audios/metadata.csv", "audios/1.wav", "audios/2.wav"}) {
    pack.files()[name] = bytes_of(folder + name);
  }
  const Rows images = pack.rows_of({"images"}), sounds = pack.rows_of({"audios"});
  ASSERT_EQ(images.size(), 2u);
  ASSERT_EQ(sounds.size(), 2u);
  EXPECT_EQ(images[0],
            R"({"text":"a drawing of a green pokemon with red eyes","rating":"5"} image=)" +
                pack.files()["images/1.jpg"]);
  EXPECT_EQ(sounds[1], R"({"text":"small cat","age":"3"} audio=)" + pack.files()["audios/2.wav"]);
}

TEST_F(Fixtures, DicomSlicesOfPydicom) {
  packs_test::MediaFormatUnderTest pack("format_dicom");
  pack.files()["ct.dcm"] = bytes_of("multimodal/dicom/CT_small.dcm");
  pack.files()["mr.dcm"] = bytes_of("multimodal/dicom/MR_small.dcm");
  const Rows rows = pack.rows_of({"ct.dcm", "mr.dcm"});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_TRUE(rows[0].starts_with(
      R"({"Modality":"CT","PhotometricInterpretation":"MONOCHROME2","KVP":120,"SliceThickness":5,)"
      R"("PixelSpacing":[0.661468,0.661468],"Rows":128,"Columns":128} image=)"
      "\x89PNG"));
  EXPECT_TRUE(rows[1].starts_with(R"({"Modality":"MR")"));
  EXPECT_EQ(rows[0].find("Patient"), std::string::npos);
}

}  // namespace
}  // namespace mortise
