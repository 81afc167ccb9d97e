// The DICOM pack: pixels through rescale, window and photometric interpretation; tags; refusals.
#include "tests/unit/packs_media/media_format_under_test.h"

namespace mortise {
namespace {

std::string le(uint32_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}
std::string element(uint16_t group, uint16_t number, std::string vr, std::string value) {
  if (value.size() % 2 != 0) value += vr == "UI" ? '\0' : ' ';
  const bool is_long = vr == "OW" || vr == "OB" || vr == "SQ" || vr == "UN";
  return le(group, 2) + le(number, 2) + vr +
         (is_long ? le(0, 2) + le(static_cast<uint32_t>(value.size()), 4)
                  : le(static_cast<uint32_t>(value.size()), 2)) +
         value;
}
std::string implicit(uint16_t group, uint16_t number, const std::string& value) {
  return le(group, 2) + le(number, 2) + le(static_cast<uint32_t>(value.size()), 4) + value;
}
std::string us(uint16_t number, uint16_t value) {
  return element(0x28, number, "US", le(value, 2));
}
std::string file(const std::string& elements, const std::string& syntax = "1.2.840.10008.1.2.1") {
  return std::string(128, '\0') + "DICM" + element(2, 0x10, "UI", syntax) + elements;
}
// 2 x 2 grey pixels of 16 bits, of which `stored` are used.
std::string grey(const std::string& photometric, const std::vector<uint16_t>& values,
                 const std::string& more = "", uint16_t stored = 12, uint16_t is_signed = 0) {
  std::string pixels;
  for (const uint16_t value : values) pixels += le(value, 2);
  return us(2, 1) + element(0x28, 4, "CS", photometric) + us(0x10, 2) + us(0x11, 2) +
         us(0x100, 16) + us(0x101, stored) + us(0x102, static_cast<uint16_t>(stored - 1)) +
         us(0x103, is_signed) + more + element(0x7FE0, 0x10, "OW", pixels);
}
std::string window(const std::string& center, const std::string& width) {
  return element(0x28, 0x1050, "DS", center) + element(0x28, 0x1051, "DS", width);
}

class Dicom : public testing::Test {
 protected:
  // The uncompressed pixels behind the PNG that a row ends with; our PNGs have one IDAT.
  sdk::Failure failure(const std::string& bytes, const std::string& config = "{}") {
    pack_.files()["a.dcm"] = bytes;
    return pack_.read({"a.dcm"}, config).failure;
  }
  std::string row(const std::string& bytes, const std::string& config = "{}") {
    pack_.files()["a.dcm"] = bytes;
    const auto rows = pack_.rows_of({"a.dcm"}, config);
    return rows.size() == 1 ? rows[0] : "(not one row)";
  }
  std::string picture(const std::string& bytes, const std::string& config = "{}") {
    const std::string text = row(bytes, config);
    const size_t at = text.find("image=");
    return at == text.npos ? "(no picture)" : text.substr(at + 6);
  }
  packs_test::MediaFormatUnderTest pack_{"format_dicom"};
};

TEST_F(Dicom, AWindowMapsStoredValuesLinearly) {
  // Center 100, width 201: 0 -> 0.0025, 100 -> 0.5025, 200 -> 1.0025 (cut), 50 -> 0.2525.
  const std::string windowed =
      picture(file(grey("MONOCHROME2", {0, 100, 200, 50}, window("100", "201"))));
  // The same levels given outright: 1, 128, 255, 64 of 255 in the full range 0 .. 255.
  EXPECT_EQ(windowed.substr(0, 8), std::string("\x89PNG\r\n\x1A\n"));
  EXPECT_EQ(windowed, picture(file(grey("MONOCHROME2", {1, 128, 255, 64})),
                              R"({"window":{"center":128,"width":256}})"));
}

TEST_F(Dicom, MonochromeOneIsInvertedAndSignedValuesAreExtended) {
  const char* wide = R"({"window":"full"})";
  EXPECT_EQ(picture(file(grey("MONOCHROME1", {0, 255, 51, 204})), wide),
            picture(file(grey("MONOCHROME2", {255, 0, 204, 51})), wide));
  // 12 bits signed: 0xFFF is -1, 0x800 is -2048.
  EXPECT_EQ(picture(file(grey("MONOCHROME2", {0x800, 0x7FF, 0xFFF, 0}, "", 12, 1)), wide),
            picture(file(grey("MONOCHROME2", {0, 4095, 2047, 2048})), wide));
}

TEST_F(Dicom, TheRescaleComesBeforeTheWindow) {
  const std::string rescale =
      element(0x28, 0x1052, "DS", "-1024") + element(0x28, 0x1053, "DS", "2");
  // Elements of a data set rise: the window stands before the rescale.
  EXPECT_EQ(
      picture(file(grey("MONOCHROME2", {512, 562, 612, 540}, window("100", "201") + rescale))),
      picture(file(grey("MONOCHROME2", {0, 100, 200, 56}, window("100", "201")))));
}

TEST_F(Dicom, ReadsImplicitValueRepresentationsAndSkipsSequences) {
  const std::string undefined = le(0xFFFFFFFF, 4);
  const std::string sequence = le(0x08, 2) + le(0x1140, 2) + undefined + le(0xFFFE, 2) +
                               le(0xE000, 2) + undefined + implicit(8, 0x1150, "1.2.3\0") +
                               le(0xFFFE, 2) + le(0xE00D, 2) + le(0, 4) + le(0xFFFE, 2) +
                               le(0xE0DD, 2) + le(0, 4);
  const std::string data = implicit(8, 0x60, "CT") + sequence + implicit(0x28, 2, le(1, 2)) +
                           implicit(0x28, 4, "MONOCHROME2 ") + implicit(0x28, 0x10, le(1, 2)) +
                           implicit(0x28, 0x11, le(2, 2)) + implicit(0x28, 0x100, le(8, 2)) +
                           implicit(0x7FE0, 0x10, std::string("\x00\xFF", 2));
  EXPECT_TRUE(row(file(data, "1.2.840.10008.1.2"))
                  .starts_with("{\"Modality\":\"CT\",\"PhotometricInterpretation\":"
                               "\"MONOCHROME2\",\"Rows\":1,\"Columns\":2} image="));
}

TEST_F(Dicom, IdentifyingTagsAreDroppedUnlessTheyAreAskedFor) {
  const std::string who =
      element(0x10, 0x10, "PN", "Doe^J\xFCrgen") + element(0x10, 0x20, "LO", "17");
  const std::string latin = element(8, 5, "CS", "ISO_IR 100") + who;
  const std::string pixels = grey("MONOCHROME2", {0, 1, 2, 3});
  EXPECT_EQ(row(file(latin + pixels)).find("Doe"), std::string::npos);
  EXPECT_EQ(row(file(latin + pixels)).find("17"), std::string::npos);
  EXPECT_NE(row(file(latin + pixels), R"({"tags":["PatientName","FileName"]})")
                .find("{\"FileName\":\"a\",\"PatientName\":\"Doe^J\xC3\xBCrgen\""),
            std::string::npos);
  EXPECT_EQ(failure(file(who + pixels), R"({"tags":["PatientName"]})").code,
            MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(failure(file(pixels), R"({"tags":["Secret"]})").code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(Dicom, FramesComeAsAListWhenTheyAreAllowed) {
  const std::string frames = us(2, 1) + element(0x28, 4, "CS", "MONOCHROME2") +
                             element(0x28, 8, "IS", "2") + us(0x10, 1) + us(0x11, 2) +
                             us(0x100, 8) + element(0x7FE0, 0x10, "OB", "abcd");
  EXPECT_EQ(failure(file(frames)).code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
  const std::string two = row(file(frames), R"({"frames_max":2})");
  EXPECT_NE(two.find(" images=\x89PNG"), std::string::npos);
  EXPECT_NE(two.find(" images=\x89PNG"), two.rfind(" images=\x89PNG"));
}

TEST_F(Dicom, RefusesCompressionByNameAndWhatItCannotShow) {
  const std::string pixels = grey("MONOCHROME2", {0, 1, 2, 3});
  const sdk::Failure jpeg = failure(file(pixels, "1.2.840.10008.1.2.4.50"));
  EXPECT_EQ(jpeg.code, MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_NE(jpeg.message.find("JPEG baseline"), std::string::npos);
  EXPECT_EQ(jpeg.file, "a.dcm");
  EXPECT_EQ(failure(file(grey("PALETTE COLOR", {0, 1, 2, 3}))).code, MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(failure(file(grey("MONOCHROME2", {0, 1, 2}))).code, MORTISE_STATUS_DATA_LOSS);
  EXPECT_EQ(failure(file(us(2, 1))).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure("hello").code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(pack_.open({"nowhere"}).code, MORTISE_STATUS_NOT_FOUND);
}

TEST_F(Dicom, EveryCutOfAFileIsAnErrorAndNeverADeath) {
  const std::string whole = file(grey("MONOCHROME2", {0, 1, 2, 3}, window("1", "2")));
  for (size_t size = 0; size < whole.size(); ++size) {
    const mortise_status code = failure(whole.substr(0, size)).code;
    EXPECT_TRUE(code == MORTISE_STATUS_INVALID_ARGUMENT || code == MORTISE_STATUS_DATA_LOSS ||
                code == MORTISE_STATUS_UNIMPLEMENTED)
        << "size " << size << " code " << code;
  }
}

TEST_F(Dicom, AFolderGivesItsFilesInOrder) {
  const std::string one = file(element(8, 0x60, "CS", "CT") + grey("MONOCHROME2", {0, 1, 2, 3}));
  const std::string two = file(element(8, 0x60, "CS", "MR") + grey("MONOCHROME2", {0, 1, 2, 3}));
  pack_.files() = {{"d/b.dcm", two}, {"d/a", one}, {"d/notes.txt", "x"}, {"d/README", "x"}};
  const auto rows = pack_.rows_of({"d"});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].substr(0, 16), "{\"Modality\":\"CT\"");
  pack_.expect_exact_cursors();
}

}  // namespace
}  // namespace mortise
