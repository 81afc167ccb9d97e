// See dicom_rows.h. Keywords and tags: DICOM PS3.6, section 6.
#include "dicom_rows.h"

#include <mortise/cpp/json_write.hpp>
#include <mortise/cpp/utf8.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mortise::format_dicom {
namespace {

constexpr Keyword kKeywords[] = {{"Modality", 0x00080060, true, false},
                                 {"BodyPartExamined", 0x00180015, true, false},
                                 {"ViewPosition", 0x00185101, true, false},
                                 {"Laterality", 0x00200060, true, false},
                                 {"ImageLaterality", 0x00200062, true, false},
                                 {"PhotometricInterpretation", 0x00280004, true, false},
                                 {"KVP", 0x00180060, true, true},
                                 {"SliceThickness", 0x00180050, true, true},
                                 {"PixelSpacing", 0x00280030, true, true},
                                 {"WindowCenter", 0x00281050, true, true},
                                 {"WindowWidth", 0x00281051, true, true},
                                 {"PatientID", 0x00100020, false, false},
                                 {"PatientName", 0x00100010, false, false},
                                 {"PatientBirthDate", 0x00100030, false, false},
                                 {"PatientSex", 0x00100040, false, false},
                                 {"PatientAge", 0x00101010, false, false},
                                 {"StudyInstanceUID", 0x0020000D, false, false},
                                 {"SeriesInstanceUID", 0x0020000E, false, false},
                                 {"SOPInstanceUID", 0x00080018, false, false},
                                 {"AccessionNumber", 0x00080050, false, false},
                                 {"StudyDate", 0x00080020, false, false},
                                 {"StudyDescription", 0x00081030, false, false},
                                 {"SeriesDescription", 0x0008103E, false, false},
                                 {"Manufacturer", 0x00080070, false, false},
                                 {"InstitutionName", 0x00080080, false, false},
                                 {"InstanceNumber", 0x00200013, false, true}};

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

std::string utf8_of(std::string_view text, std::string_view character_set) {
  if (is_ascii(text)) return std::string(text);
  if (character_set == "ISO_IR 192" && sdk::find_invalid_utf8(text) < 0) return std::string(text);
  if (character_set != "ISO_IR 100") {
    throw sdk::unimplemented("Text in the character set \"" +
                             std::string(is_ascii(character_set) ? character_set : "?") +
                             "\" is not read.")
        .with_hint("Leave the tag out of \"tags\", or convert the file to ISO_IR 192.");
  }
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

// "0.5\0.5" -> [0.5,0.5], "120" -> 120; what is no number stays text.
std::string numbers_of(std::string_view text) {
  std::string list;
  int count = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\\', begin), text.size());
    std::string_view part = text.substr(begin, end - begin);
    while (!part.empty() && (part.front() == ' ' || part.front() == '+')) part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    double value = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), value);
    if (part.empty() || read.ec != std::errc() || read.ptr != part.data() + part.size() ||
        !std::isfinite(value)) {
      return {};
    }
    if (count++ > 0) list += ',';
    sdk::append_json_number(&list, value);
    begin = end + 1;
  }
  return count > 1 ? "[" + list + "]" : list;
}

std::string stem_of(std::string_view name) {
  name.remove_prefix(name.rfind('/') + 1);
  return std::string(name.substr(0, name.rfind('.')));
}

}  // namespace

const Keyword* find_keyword(std::string_view name) {
  for (const Keyword& known : kKeywords) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

std::vector<const Keyword*> technical_profile() {
  std::vector<const Keyword*> profile;
  for (const Keyword& known : kKeywords) {
    if (known.is_technical) profile.push_back(&known);
  }
  return profile;
}

DicomRows::DicomRows(const std::vector<std::string>& names, const DicomOptions& options,
                     const sdk::RowPosition* from)
    : names_(names), options_(options), next_(from == nullptr ? 0 : from->at) {}

bool DicomRows::next(sdk::MediaRow* out) {
  if (next_ >= names_.size()) return false;
  const std::string& name = names_[next_];
  try {
    fill(name, out);
  } catch (const sdk::Failure& failure) {
    throw failure.at(name, static_cast<int64_t>(next_) + 1, failure.byte, failure.field);
  }
  ++next_;
  return true;
}

void DicomRows::fill(const std::string& name, sdk::MediaRow* out) const {
  const std::string bytes = sdk::File::open(name).read_all(options_.file_bytes_max);
  const DicomFile file(bytes);
  const std::string_view character_set = file.text(Tags::kCharacterSet);
  sdk::JsonObject row;
  if (options_.has_file_name) row.text("FileName", stem_of(name));
  for (const Keyword* keyword : options_.keywords) {
    const std::string_view text = file.text(keyword->tag);
    if (text.empty()) continue;
    const std::string number = keyword->is_number ? numbers_of(text) : std::string();
    if (number.empty()) {
      row.text(keyword->name, utf8_of(text, character_set));
    } else {
      row.raw(keyword->name, number);
    }
  }
  row.integer("Rows", file.number(Tags::kRows));
  row.integer("Columns", file.number(Tags::kColumns));
  std::vector<std::string> pictures = pictures_of(file, options_.picture);
  const bool is_list = pictures.size() > 1;
  for (size_t i = 0; i < pictures.size(); ++i) {
    sdk::OwnedMedium medium;
    medium.name = stem_of(name) + (is_list ? "-" + std::to_string(i) : "") + ".png";
    medium.bytes = std::move(pictures[i]);
    out->media[is_list ? 1 : 0].push_back(std::move(medium));
  }
  out->json = row.finish();
  out->byte_offset = 0;
}

}  // namespace mortise::format_dicom
