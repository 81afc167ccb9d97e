// See packed_layouts.h.
#include "tests/unit/ingest_catalog/packed_layouts.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <hdf5.h>

#include "tests/support/media_files.h"
#include "tests/unit/packs_parquet/arrow_table.h"

namespace mortise::ingest::catalog {
namespace {

using Column = std::pair<std::string, std::shared_ptr<arrow::Array>>;

std::string parquet_of(const std::vector<Column>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 100).ok());
  return sink->Finish().ValueOrDie()->ToString();
}

Column column(const std::string& name, const std::shared_ptr<arrow::DataType>& type,
              const std::string& json) {
  return {name, arrow::json::ArrayFromJSONString(type, json).ValueOrDie()};
}

// One medium, {bytes, path}, as Hugging Face's datasets write it.
std::shared_ptr<arrow::Array> medium(const std::string& name) {
  arrow::BinaryBuilder bytes;
  arrow::StringBuilder path;
  EXPECT_TRUE(bytes.Append(tests::media_named(name)).ok() && path.Append(name).ok());
  const arrow::ArrayVector parts = {bytes.Finish().ValueOrDie(), path.Finish().ValueOrDie()};
  return arrow::StructArray::Make(
             parts, {arrow::field("bytes", arrow::binary()), arrow::field("path", arrow::utf8())})
      .ValueOrDie();
}

std::shared_ptr<arrow::Array> list_of_one(const std::shared_ptr<arrow::Array>& items) {
  const auto offsets = arrow::json::ArrayFromJSONString(arrow::int32(), "[0, 1]").ValueOrDie();
  return arrow::ListArray::FromArrays(*offsets, *items).ValueOrDie();
}

// A file with one array, two rows.
std::string hdf5_of(const char* name, std::vector<hsize_t> shape,
                    const std::vector<uint8_t>& data) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, 0);
  const hid_t file = H5Fcreate("layout.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t array =
      H5Dcreate2(file, name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(array, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data());
  H5Dclose(array);
  H5Sclose(space);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  std::string image(static_cast<size_t>(H5Fget_file_image(file, nullptr, 0)), '\0');
  H5Fget_file_image(file, image.data(), image.size());
  H5Fclose(file);
  H5Pclose(access);
  return image;
}

std::string little(uint32_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}
std::string element(uint16_t group, uint16_t number, const std::string& kind, std::string value) {
  if (value.size() % 2 != 0) value += kind == "UI" ? '\0' : ' ';
  const auto size = static_cast<uint32_t>(value.size());
  const std::string length = kind == "OW" ? little(0, 2) + little(size, 4) : little(size, 2);
  return little(group, 2) + little(number, 2) + kind + length + value;
}
std::string number(uint16_t what, uint16_t value) {
  return element(0x28, what, "US", little(value, 2));
}
// Explicit little-endian, 2 x 2 grey pixels of 16 bits.
std::string dicom() {
  return std::string(128, '\0') + "DICM" + element(2, 0x10, "UI", "1.2.840.10008.1.2.1") +
         number(2, 1) + element(0x28, 4, "CS", "MONOCHROME2") + number(0x10, 2) + number(0x11, 2) +
         number(0x100, 16) + number(0x101, 12) + number(0x102, 11) + number(0x103, 0) +
         element(0x7FE0, 0x10, "OW",
                 little(1, 2) + little(128, 2) + little(255, 2) + little(64, 2));
}

LayoutSample scienceqa() {
  return {
      "parquet-hf-image",
      "scienceqa",
      "vqa",
      {{"train-00000-of-00001.parquet",
        parquet_of({{"image", medium("1.png")},
                    column("question", arrow::utf8(), R"(["Which?"])"),
                    column("choices", arrow::list(arrow::utf8()), R"([["bat","ant"]])"),
                    column("answer", arrow::int8(), "[0]"),
                    column("solution", arrow::utf8(), R"(["Fur."])")})}},
      {},
      {R"({"explanation":"Fur.","image_path":"@KEPT","options":["bat","ant"],"output":"bat","question":"Which?"})"}};
}

LayoutSample ami() {
  return {
      "parquet-hf-audio",
      "ami",
      "asr",
      {{"train-00000-of-00001.parquet", parquet_of({{"audio", medium("1.flac")},
                                                    column("text", arrow::utf8(), R"(["hello"])"),
                                                    column("id", arrow::utf8(), R"(["1"])")})}},
      {},
      {R"({"audio_path":"media/*.flac","text":"hello"})"}};
}

LayoutSample the_cauldron() {
  const auto turn = arrow::struct_(
      {arrow::field("user", arrow::utf8()), arrow::field("assistant", arrow::utf8())});
  return {
      "parquet-hf-chat",
      "the-cauldron",
      "sft",
      {{"train-00000-of-00001.parquet",
        parquet_of({{"images", list_of_one(medium("1.png"))},
                    column("texts", arrow::list(turn),
                           R"([[{"user":"What?","assistant":"A cat."},
                                    {"user":"Sure?","assistant":"Yes."}]])")})}},
      {},
      {R"({"images":["@KEPT"],"messages":[{"role":"user","content":"What?"},{"role":"assistant","content":"A cat."},{"role":"user","content":"Sure?"},{"role":"assistant","content":"Yes."}]})"}};
}

LayoutSample video_mme() {
  return {
      "parquet-media-path",
      "video-mme",
      "video_qa",
      {{"test-00000-of-00001.parquet",
        parquet_of({column("videoID", arrow::utf8(), R"(["x1"])"),
                    column("question", arrow::utf8(), R"(["What?"])"),
                    column("options", arrow::list(arrow::utf8()), R"([["A. a","B. b"]])"),
                    column("answer", arrow::utf8(), R"(["B"])")})}},
      {"videos/data/x1.mp4"},
      {R"({"options":["A. a","B. b"],"output":"B","question":"What?","video":"videos/data/x1.mp4"})"}};
}

LayoutSample img2dataset() {
  return {"webdataset",
          "laion-img2dataset-wds",
          "caption",
          {{"00000.tar", tests::tar_file({{"000000000.jpg", tests::media_named("1.jpg")},
                                          {"000000000.json", R"({"key":"000000000"})"},
                                          {"000000000.txt", "a red chair"}})},
           {"00000_stats.json", R"({"count":1})"}},
          {},
          {R"({"image_path":"@KEPT","output":"a red chair"})"}};
}

LayoutSample pcam() {
  return {
      "hdf5-arrays",
      "pcam",
      "classification",
      {{"camelyonpatch_level_2_split_valid_x.h5",
        hdf5_of("x", {2, 2, 2, 3},
                std::vector<uint8_t>{1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                     13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24})},
       {"camelyonpatch_level_2_split_valid_y.h5", hdf5_of("y", {2, 1, 1, 1}, {1, 0})}},
      {},
      {R"({"image_path":"media/*.png","label":1})", R"({"image_path":"media/*.png","label":0})"}};
}

LayoutSample rsna() {
  return {"dicom+csv",
          "rsna-pneumonia",
          "grounding",
          {{"stage_2_train_labels.csv",
            "patientId,x,y,width,height,Target\np1,1,0,1,1.5,1\np2,,,,,0\n"},
           {"stage_2_train_images/p1.dcm", dicom()},
           {"stage_2_train_images/p2.dcm", dicom()}},
          {},
          {R"({"image_path":"media/*.png","objects":{"bbox":[[1,0,2,1.5]],"ref":["pneumonia"]}})",
           R"({"image_path":"media/*.png","objects":{"bbox":[],"ref":[]}})"}};
}

}  // namespace

std::vector<LayoutSample> packed_layouts() {
  return {scienceqa(), ami(), the_cauldron(), video_mme(), img2dataset(), pcam(), rsna()};
}

}  // namespace mortise::ingest::catalog
