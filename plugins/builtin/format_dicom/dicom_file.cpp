// Layout: DICOM PS3.5 section 7 (data elements, sequences), PS3.10 section 7 (file meta).
#include "dicom_file.h"

#include <mortise/cpp/status.hpp>

#include <charconv>
#include <cstdio>

namespace mortise::format_dicom {
namespace {

constexpr uint32_t kUndefined = 0xFFFFFFFF;
constexpr Tag kItem = 0xFFFEE000, kItemEnd = 0xFFFEE00D, kSequenceEnd = 0xFFFEE0DD;
constexpr int kDepthMax = 16;
constexpr size_t kElementsMax = 100'000;

// PS3.6 annex A: transfer syntaxes that people meet.
struct Syntax {
  std::string_view uid;
  const char* name;
};
constexpr Syntax kSyntaxes[] = {{"1.2.840.10008.1.2.1.99", "deflated explicit little endian"},
                                {"1.2.840.10008.1.2.2", "explicit big endian"},
                                {"1.2.840.10008.1.2.4.50", "JPEG baseline"},
                                {"1.2.840.10008.1.2.4.51", "JPEG extended"},
                                {"1.2.840.10008.1.2.4.57", "JPEG lossless"},
                                {"1.2.840.10008.1.2.4.70", "JPEG lossless, first-order prediction"},
                                {"1.2.840.10008.1.2.4.80", "JPEG-LS lossless"},
                                {"1.2.840.10008.1.2.4.81", "JPEG-LS near-lossless"},
                                {"1.2.840.10008.1.2.4.90", "JPEG 2000 lossless"},
                                {"1.2.840.10008.1.2.4.91", "JPEG 2000"},
                                {"1.2.840.10008.1.2.4.201", "high-throughput JPEG 2000 lossless"},
                                {"1.2.840.10008.1.2.5", "RLE lossless"}};

bool has_long_length(std::string_view vr) {
  for (const char* known :
       {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}) {
    if (vr == known) return true;
  }
  return false;
}

bool is_vr(std::string_view vr) {
  return vr[0] >= 'A' && vr[0] <= 'Z' && vr[1] >= 'A' && vr[1] <= 'Z';
}

}  // namespace

struct DicomFile::Header {
  Tag tag = 0;
  std::string_view vr;  // empty when implicit
  uint32_t length = 0;
};

bool is_dicom(std::string_view head) {
  return head.size() >= 132 && head.substr(128, 4) == "DICM";
}

void DicomFile::fail(const std::string& words) const {
  throw sdk::invalid_argument("The DICOM file is damaged: " + words)
      .at("", -1, static_cast<int64_t>(at_));
}

void DicomFile::need(uint64_t size) const {
  if (size > bytes_.size() - at_) {
    fail(std::to_string(size) + " bytes are announced, " + std::to_string(bytes_.size() - at_) +
         " are left.");
  }
}

uint32_t DicomFile::read(uint32_t size) {
  need(size);
  uint32_t value = 0;
  for (uint32_t i = 0; i < size; ++i) {
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes_[at_ + i])) << (8 * i);
  }
  at_ += size;
  return value;
}

DicomFile::Header DicomFile::read_header(bool is_explicit) {
  Header header;
  const uint32_t group = read(2);
  header.tag = group << 16 | read(2);
  if (!is_explicit || group == 0xFFFE) {
    header.length = read(4);
    return header;
  }
  need(2);
  header.vr = bytes_.substr(at_, 2);
  if (!is_vr(header.vr)) fail("an element has no value representation.");
  at_ += 2;
  if (has_long_length(header.vr)) {
    read(2);
    header.length = read(4);
  } else {
    header.length = read(2);
  }
  return header;
}

// The elements of an item of undefined length, up to its end mark.
void DicomFile::skip_item(bool is_explicit, int depth) {
  for (;;) {
    const Header header = read_header(is_explicit);
    if (header.tag == kItemEnd) return;
    if (header.length == kUndefined) {
      // PS3.5 section 6.2.2: a sequence of unknown kind is written implicitly.
      skip_sequence(is_explicit && header.vr != "UN", depth + 1);
    } else {
      need(header.length);
      at_ += header.length;
    }
  }
}

void DicomFile::skip_sequence(bool is_explicit, int depth) {
  if (depth > kDepthMax) fail("sequences lie too deep.");
  for (;;) {
    const Header header = read_header(is_explicit);
    if (header.tag == kSequenceEnd) return;
    if (header.tag != kItem) fail("a sequence holds what is no item.");
    if (header.length == kUndefined) {
      skip_item(is_explicit, depth);
    } else {
      need(header.length);
      at_ += header.length;
    }
  }
}

// Of the meta group, or of the data set to the end of the file.
void DicomFile::read_elements(bool is_meta, bool is_explicit) {
  while (at_ < bytes_.size()) {
    const uint64_t begin = at_;
    // The group decides before the header is read: what follows the meta group may be implicit.
    const uint32_t group = read(2);
    at_ = begin;
    if (is_meta && group != 2) return;
    const Header header = read_header(is_explicit);
    if (header.length == kUndefined) {
      if (header.tag == Tags::kPixelData) {
        throw sdk::unimplemented("The pixels are compressed, although the transfer syntax is not.")
            .at("", -1, static_cast<int64_t>(begin));
      }
      elements_.emplace(header.tag, std::string_view());
      skip_sequence(is_explicit && header.vr != "UN", 0);
      continue;
    }
    need(header.length);
    if (!elements_.emplace(header.tag, bytes_.substr(at_, header.length)).second) {
      fail("an element stands twice.");
    }
    if (elements_.size() > kElementsMax) fail("it has too many elements.");
    at_ += header.length;
  }
}

DicomFile::DicomFile(std::string_view bytes) : bytes_(bytes) {
  if (!is_dicom(bytes)) {
    throw sdk::invalid_argument("The file has no mark of DICOM behind its first 128 bytes.")
        .at("", -1, 0);
  }
  at_ = 132;
  read_elements(true, true);
  const std::string_view syntax = text(Tags::kTransferSyntax);
  const bool is_implicit = syntax == "1.2.840.10008.1.2";
  if (!is_implicit && syntax != "1.2.840.10008.1.2.1") {
    std::string name(syntax);
    for (const Syntax& known : kSyntaxes) {
      if (syntax == known.uid) name = std::string(known.name) + " (" + std::string(syntax) + ")";
    }
    throw sdk::unimplemented("The transfer syntax is not read: " + name + ".")
        .with_hint("Convert the file to explicit little endian, without compression.");
  }
  read_elements(false, !is_implicit);
}

std::string_view DicomFile::bytes(Tag tag) const {
  const auto found = elements_.find(tag);
  return found == elements_.end() ? std::string_view() : found->second;
}

std::string_view DicomFile::text(Tag tag) const {
  std::string_view value = bytes(tag);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\0')) value.remove_suffix(1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return value;
}

uint16_t DicomFile::number(Tag tag, std::optional<uint16_t> otherwise) const {
  const std::string_view value = bytes(tag);
  if (value.size() >= 2) {
    return static_cast<uint16_t>(static_cast<uint8_t>(value[0]) | static_cast<uint8_t>(value[1])
                                                                      << 8);
  }
  if (otherwise) return *otherwise;
  char text[16];
  std::snprintf(text, sizeof(text), "(%04X,%04X)", tag >> 16, tag & 0xFFFF);
  throw sdk::invalid_argument(std::string("The file has no element ") + text + ".")
      .at("", -1, -1, text);
}

std::optional<double> DicomFile::decimal(Tag tag) const {
  std::string_view value = text(tag);
  value = value.substr(0, value.find('\\'));
  while (!value.empty() && (value.front() == ' ' || value.front() == '+')) value.remove_prefix(1);
  double number = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || read.ec != std::errc()) return {};
  return number;
}

}  // namespace mortise::format_dicom
