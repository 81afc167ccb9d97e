// The format's rules, one broken at a time, and what is written is read again.
#include "engine/weights/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::posix_file_ops;
using tests::TempFolder;

std::string with_length(const std::string& header, const std::string& data = {}) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

base::Result<SafetensorsFile> open_bytes(const TempFolder& folder, const std::string& bytes) {
  const std::string path = (folder / "x.safetensors");
  EXPECT_TRUE(base::write_file_durably(posix_file_ops(), path, bytes).ok());
  return SafetensorsFile::open(posix_file_ops(), path);
}

struct BadFile {
  const char* name;
  const char* reason;
  std::string bytes;
  const char* named;  // what the message must name
};

// gtest prints parameters by name only.
void PrintTo(const BadFile& bad, std::ostream* out) {
  *out << bad.name;
}

const std::string kA = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";

class BadSafetensors : public testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensors, IsRefusedByReasonWithFileAndRemedy) {
  const TempFolder folder;

  const auto file = open_bytes(folder, GetParam().bytes);

  ASSERT_FALSE(file.ok());
  const base::Error& error = file.error();
  EXPECT_EQ(error.code, base::Code::kInvalidArgument);
  ASSERT_FALSE(error.details.empty());
  EXPECT_EQ(error.details[0].second, GetParam().reason) << error.text();
  EXPECT_EQ(error.file, (folder / "x.safetensors"));
  EXPECT_FALSE(error.hint.empty());
  EXPECT_NE(error.message.find(GetParam().named), std::string::npos) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Rules, BadSafetensors,
    testing::Values(
        BadFile{"Empty", "HeaderTooSmall", "", "0 bytes"},
        BadFile{"SevenBytes", "HeaderTooSmall", std::string(7, '\0'), "7 bytes"},
        BadFile{"HeaderPastEnd", "InvalidHeaderLength", with_length("{}").substr(0, 9), "length"},
        BadFile{"HeaderOverLimit", "HeaderTooLarge", std::string(8, '\x3c'), "100000000"},
        BadFile{"NotUtf8", "InvalidHeader", with_length("\xff"), "UTF-8"},
        BadFile{"NotJson", "InvalidHeaderDeserialization", with_length("{"), "JSON"},
        BadFile{"NotAnObject", "InvalidHeaderDeserialization", with_length("[]"), "object"},
        BadFile{"DuplicateName", "InvalidHeaderDeserialization",
                with_length("{" + kA + "," + kA + "}", "1234"), "JSON"},
        BadFile{"UnknownDtype", "InvalidHeaderDeserialization",
                with_length(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", "1234"),
                "F31"},
        BadFile{
            "UnknownField", "InvalidHeaderDeserialization",
            with_length(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"z":1}})", "1234"),
            "\"z\""},
        BadFile{"NegativeSize", "InvalidHeaderDeserialization",
                with_length(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234"),
                "shape"},
        BadFile{"MissingShape", "InvalidHeaderDeserialization",
                with_length(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", "1234"), "shape"},
        BadFile{"MetadataNotText", "InvalidHeaderDeserialization",
                with_length(R"({"__metadata__":{"a":1}})"), "__metadata__"},
        BadFile{"OverlapOfTwo", "InvalidOffset",
                with_length("{" + kA + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                            "1234"),
                "\"b\""},
        BadFile{"HoleBetween", "InvalidOffset",
                with_length("{" + kA + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}})",
                            "123456789"),
                "\"b\""},
        BadFile{"EndBeforeBegin", "InvalidOffset",
                with_length(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,-0]},)"
                            R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})"),
                "\"b\""},
        BadFile{"SizeOverflows", "ValidationOverflow",
                with_length(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],)"
                            R"("data_offsets":[0,4]}})",
                            "1234"),
                "\"a\""},
        BadFile{"BytesDoNotFitShape", "TensorInvalidInfo",
                with_length(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234"),
                "8 bytes"},
        BadFile{"FileWasCut", "MetadataIncompleteBuffer", with_length("{" + kA + "}", "123"), "3"},
        BadFile{"BytesAppended", "MetadataIncompleteBuffer", with_length("{" + kA + "}", "12345"),
                "5"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SafetensorsFile, ReadsWhatWasWrittenByteForByte) {
  const TempFolder folder;
  const std::string path = (folder / "x.safetensors");
  const float values[] = {1, 2, 3, 4, 5, 6};
  const int64_t ids[] = {7, 8};
  const std::vector<TensorBytes> tensors = {{"w", "F32", {2, 3}, std::as_bytes(std::span(values))},
                                            {"ids", "I64", {2}, std::as_bytes(std::span(ids))},
                                            {"none", "BF16", {0, 5}, {}}};

  ASSERT_TRUE(write_safetensors(posix_file_ops(), path, tensors, {{"format", "pt"}}).ok());
  const auto file = SafetensorsFile::open(posix_file_ops(), path);

  ASSERT_TRUE(file.ok()) << file.error().text();
  EXPECT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->find("w")->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(file->find("w")->data.data(), values, sizeof(values)), 0);
  EXPECT_EQ(std::memcmp(file->find("ids")->data.data(), ids, sizeof(ids)), 0);
  EXPECT_TRUE(file->find("none")->data.empty());
  EXPECT_EQ(file->find("absent"), nullptr);
  ASSERT_EQ(file->metadata().size(), 1u);
  EXPECT_EQ(file->metadata()[0].second, "pt");
  EXPECT_EQ(file->tensors()[0].name, "ids") << "wide elements come first";
}

TEST(SafetensorsFile, WritesEqualBytesWhateverTheOrderGiven) {
  const TempFolder folder;
  const float values[] = {1, 2};
  TensorBytes a{"a", "F32", {2}, std::as_bytes(std::span(values))}, b = a;
  b.name = "b";

  ASSERT_TRUE(write_safetensors(posix_file_ops(), (folder / "1"), {a, b}, {}).ok());
  ASSERT_TRUE(write_safetensors(posix_file_ops(), (folder / "2"), {b, a}, {}).ok());

  EXPECT_EQ(base::read_file(posix_file_ops(), (folder / "1")).value(),
            base::read_file(posix_file_ops(), (folder / "2")).value());
}

TEST(SafetensorsFile, RefusesToWriteATensorTwice) {
  const TempFolder folder;
  const float values[] = {1};
  const TensorBytes a{"a", "F32", {1}, std::as_bytes(std::span(values))};

  const auto status = write_safetensors(posix_file_ops(), (folder / "x"), {a, a}, {});

  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("\"a\" was given twice"), std::string::npos);
  EXPECT_FALSE(posix_file_ops().exists((folder / "x")).value());
}

TEST(SafetensorsFile, RefusesToWriteBytesThatDoNotFitTheShape) {
  const TempFolder folder;
  const float values[] = {1};
  const TensorBytes a{"a", "F32", {2}, std::as_bytes(std::span(values))};

  const auto status = write_safetensors(posix_file_ops(), (folder / "x"), {a}, {});

  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("needs 8"), std::string::npos) << status.error().message;
}

TEST(SafetensorsFile, LeavesTheOldFileWhenTheFolderCannotBeWritten) {
  const float values[] = {1};
  const TensorBytes a{"a", "F32", {1}, std::as_bytes(std::span(values))};

  EXPECT_FALSE(write_safetensors(posix_file_ops(), "/nonexistent/x", {a}, {}).ok());
}

}  // namespace
}  // namespace mortise::engine
