// The elements of one DICOM file (PS3.5, PS3.10): explicit and implicit little endian, no
// compression.
//
// Called by dicom_rows.cpp and pixels.cpp. Sequences are passed over; every length is checked
// against the file before it is used. Knows tags and bytes, not what they mean.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mortise::format_dicom {

// "group << 16 | element": 0x00280010 is Rows.
using Tag = uint32_t;

struct Tags {
  static constexpr Tag kTransferSyntax = 0x00020010, kCharacterSet = 0x00080005,
                       kSamples = 0x00280002, kPhotometric = 0x00280004, kPlanar = 0x00280006,
                       kFrames = 0x00280008, kRows = 0x00280010, kColumns = 0x00280011,
                       kBitsAllocated = 0x00280100, kBitsStored = 0x00280101, kHighBit = 0x00280102,
                       kIsSigned = 0x00280103, kWindowCenter = 0x00281050,
                       kWindowWidth = 0x00281051, kIntercept = 0x00281052, kSlope = 0x00281053,
                       kVoiFunction = 0x00281056, kModalityLut = 0x00283000,
                       kPixelData = 0x7FE00010;
};

class DicomFile {
 public:
  // bytes: the whole file; must outlive the object. Throws INVALID_ARGUMENT with the byte for what
  // is no DICOM file or is damaged, UNIMPLEMENTED naming a transfer syntax that is not read.
  explicit DicomFile(std::string_view bytes);

  bool has(Tag tag) const { return elements_.contains(tag); }
  // The bytes of an element; empty when absent.
  std::string_view bytes(Tag tag) const;
  // Text without the padding; "" when absent. Not yet UTF-8.
  std::string_view text(Tag tag) const;
  // A US element. Throws INVALID_ARGUMENT when it is absent and nothing is given instead.
  uint16_t number(Tag tag, std::optional<uint16_t> otherwise = {}) const;
  // The first value of a DS or IS element; nothing when absent or no number.
  std::optional<double> decimal(Tag tag) const;

 private:
  struct Header;
  Header read_header(bool is_explicit);
  void read_elements(bool is_meta, bool is_explicit);
  void skip_sequence(bool is_explicit, int depth);
  void skip_item(bool is_explicit, int depth);
  uint32_t read(uint32_t size);
  void need(uint64_t size) const;
  [[noreturn]] void fail(const std::string& words) const;

  std::string_view bytes_;
  uint64_t at_ = 0;
  std::map<Tag, std::string_view> elements_;
};

bool is_dicom(std::string_view head);

}  // namespace mortise::format_dicom
