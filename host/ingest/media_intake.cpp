// See media_intake.h.
#include "ingest/media_intake.h"

#include <algorithm>
#include <cstdio>

namespace mortise::ingest {

using base::ByteView;
using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int64_t kMediumBytesMax = int64_t{1} << 30;
constexpr size_t kNameBytesMax = 1024, kPartBytesMax = 200;

// What files of one kind begin with.
struct Magic {
  size_t at;
  std::string_view bytes;
  const char* ending;
};
constexpr Magic kMagics[] = {{0, "\x89PNG\r\n", "png"}, {0, "\xFF\xD8\xFF", "jpg"},
                             {0, "GIF8", "gif"},        {8, "WEBP", "webp"},
                             {8, "WAVE", "wav"},        {8, "AVI ", "avi"},
                             {0, "fLaC", "flac"},       {0, "OggS", "ogg"},
                             {0, "ID3", "mp3"},         {0, "\xFF\xFB", "mp3"},
                             {0, "\xFF\xF3", "mp3"},    {4, "ftypqt", "mov"},
                             {4, "ftyp", "mp4"},        {0, "\x1A\x45\xDF\xA3", "mkv"},
                             {0, "II*\0", "tiff"},      {0, "MM\0*", "tiff"},
                             {0, "BM", "bmp"}};

// Of the suggested name, when it looks like one.
std::string ending_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || name.size() - dot > 6 || dot + 1 == name.size()) return {};
  const std::string ending = name.substr(dot + 1);
  const bool is_plain = std::all_of(ending.begin(), ending.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
  return is_plain ? ending : std::string();
}

bool is_short(const std::string& name) {
  if (name.size() > kNameBytesMax) return false;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    if (end - begin > kPartBytesMax) return false;
    begin = end + 1;
  }
  return true;
}

// A column's name as a folder.
std::string folder_name(const std::string& field) {
  std::string name = field.substr(0, 64);
  for (char& c : name) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!is_plain) c = '_';
  }
  return name.empty() ? "media" : name;
}

}  // namespace

std::string media_ending(ByteView bytes) {
  const std::string_view text = base::as_text(bytes);
  for (const Magic& magic : kMagics) {
    if (text.size() >= magic.at && text.substr(magic.at).starts_with(magic.bytes)) {
      return magic.ending;
    }
  }
  return {};
}

// Where a medium stands: it decides the name when none can be used.
struct MediaIntake::Place {
  const std::string& field;
  int64_t row;
  int64_t position;  // in a list; -1
};

Result<bool> MediaIntake::is_free(const std::string& name) const {
  if (names_.contains(name) || folders_.contains(name)) return false;
  MORTISE_ASSIGN(const bool is_uploaded, uploaded_.contains(name));
  if (is_uploaded) return false;
  for (size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
    if (names_.contains(name.substr(0, at))) return false;
  }
  return true;
}

Result<std::string> MediaIntake::name_of(const plugin::MediumCell& cell, ByteView bytes,
                                         const Place& place) {
  std::string name = cell.name;
  bool is_usable = !name.empty() && is_short(name) && base::check_relative_path(name).ok();
  if (is_usable) {
    MORTISE_ASSIGN(is_usable, is_free(name));
  }
  if (!is_usable) {
    std::string ending = media_ending(bytes);
    if (ending.empty()) ending = ending_of(cell.name);
    if (ending.empty()) ending = "bin";
    char number[32];
    std::snprintf(number, sizeof number, "%09lld", static_cast<long long>(place.row));
    const std::string base = folder_name(place.field) + "/" + number +
                             (place.position < 0 ? "" : "-" + std::to_string(place.position));
    name = base + "." + ending;
    for (int again = 2;; ++again) {
      MORTISE_ASSIGN(const bool is_new, is_free(name));
      if (is_new) break;
      name = base + "_" + std::to_string(again) + "." + ending;
    }
  }
  names_.insert(name);
  for (size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
    folders_.insert(name.substr(0, at));
  }
  return name;
}

// The bytes into buffer_, or false when the range is a whole file that the upload holds anyway.
Result<bool> MediaIntake::read_range(const plugin::MediumCell& cell) {
  MORTISE_TRY(base::check_relative_path(cell.member));
  const auto located = [&](Error error) { return std::move(error.at_file(cell.member)); };
  auto file = uploaded_.open(cell.member);
  if (!file.ok()) return located(std::move(file).error());
  MORTISE_ASSIGN(const uint64_t size, (*file)->size());
  const auto offset = static_cast<uint64_t>(cell.offset);
  const auto length = static_cast<uint64_t>(cell.length);
  if (offset > size || length > size - offset) {
    return located(Error(Code::kDataLoss,
                         "A medium ends at byte " + std::to_string(offset) + " + " +
                             std::to_string(length) + ", and the file has " + std::to_string(size) +
                             " bytes.",
                         "The file was cut off: upload it again."))
        .at_byte(cell.offset);
  }
  if (offset == 0 && length == size) return false;
  if (cell.length > kMediumBytesMax) {
    return located(Error(Code::kResourceExhausted,
                         "A medium has " + std::to_string(length) + " bytes; at most " +
                             std::to_string(kMediumBytesMax) + " are taken.",
                         "Cut it into shorter pieces."))
        .at_byte(cell.offset);
  }
  buffer_.resize(length);
  for (uint64_t done = 0; done < length;) {
    const auto rest = std::as_writable_bytes(std::span(buffer_)).subspan(done);
    MORTISE_ASSIGN(const size_t got, (*file)->read_at(offset + done, rest));
    if (got == 0) return located(Error(Code::kDataLoss, "The file ends while it is read."));
    done += got;
  }
  return true;
}

Result<Json> MediaIntake::take_cell(const plugin::MediumCell& cell, const Place& place,
                                    std::vector<std::string>& made) {
  if (cell.is_null) return Json();
  ByteView bytes = base::as_bytes(cell.bytes);
  if (!cell.member.empty()) {
    MORTISE_ASSIGN(const bool is_part, read_range(cell));
    if (!is_part) return Json(cell.member);
    bytes = base::as_bytes(buffer_);
  }
  MORTISE_ASSIGN(std::string name, name_of(cell, bytes, place));
  check_.take(name, bytes);
  if (sink_ != nullptr) MORTISE_TRY(sink_->put(name, bytes));
  made.push_back(name);
  return Json(std::move(name));
}

Result<std::vector<std::string>> MediaIntake::take(Json& row,
                                                   const std::vector<plugin::MediaField>& media,
                                                   int64_t row_number) {
  std::vector<std::string> made;
  for (const plugin::MediaField& field : media) {
    Json names = Json::array();
    int64_t position = 0;
    for (const plugin::MediumCell& cell : field.items) {
      const Place place{field.field, row_number, field.is_list ? position++ : -1};
      auto name = take_cell(cell, place, made);
      if (!name.ok()) {
        if (name.error().row < 0) name.error().at_row(row_number);
        if (name.error().field.empty()) name.error().at_field(field.field);
        return std::move(name).error();
      }
      names.push_back(std::move(*name));
    }
    row[field.field] = field.is_list ? std::move(names) : names.at(0);
  }
  return made;
}

Status MediaIntake::drop(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (sink_ != nullptr) MORTISE_TRY(sink_->drop(name));
  }
  return {};
}

}  // namespace mortise::ingest
